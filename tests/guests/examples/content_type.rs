//! Sends a body that is harmless JSON under the content type that the case names.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let body = br#"{"target":{"group":"lab"}}"#;
    relay(Request::post("/groups/search", &case(&invocation), body).send())
}
