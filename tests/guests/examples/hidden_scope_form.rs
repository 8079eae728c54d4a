//! Asks for a group whose name is in a form, which is the case.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::post("/groups/lookup", "application/x-www-form-urlencoded", case(&invocation)).send())
}
