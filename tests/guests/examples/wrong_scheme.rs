//! Uses the scheme that the case names, or none.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let scheme = case(&invocation);
    relay(Request::get("/items/one").scheme(Some(scheme.as_str()).filter(|scheme| !scheme.is_empty())).send())
}
