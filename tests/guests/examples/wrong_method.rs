//! Uses the method that the case names.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::new(&case(&invocation), "/items/one").send())
}
