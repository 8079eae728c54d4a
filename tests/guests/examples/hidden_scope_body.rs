//! Asks for a group whose name is in a JSON body, which is the case.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::post("/groups/search", "application/json", case(&invocation)).send())
}
