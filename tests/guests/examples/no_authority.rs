//! Leaves the authority out and names its target in the request line instead.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::get(&case(&invocation)).authority(None).send())
}
