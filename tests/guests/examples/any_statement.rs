//! Has a database run whatever the case says: `body` is sent as it is.

use casemate_guests::{Answer, Invocation, Request, argument, guest, relay};

guest!(run, include_str!("../any_statement.json"));

fn run(invocation: Invocation) -> Answer {
    let path = format!("/{}", argument(&invocation, "database"));
    relay(Request::post(&path, "application/json", argument(&invocation, "body")).send())
}
