//! Asks for a group whose name is in the query, which is the case.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::get(&format!("/members?{}", case(&invocation))).send())
}
