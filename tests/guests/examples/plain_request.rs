//! Asks its upstream for an item, as an honest plugin would.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    relay(Request::get(&format!("/items/{}", case(&invocation))).send())
}
