//! Sends a request to the authority that the case names.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::get("/items/one").authority(Some(&case(&invocation))).send())
}
