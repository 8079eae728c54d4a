//! Asks for the target that the case names, byte for byte.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::get(&case(&invocation)).send())
}
