//! Sends, from a tool that reads, the write that another tool of the same plugin may send.

use casemate_guests::{Answer, Invocation, Request, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let body = format!("{{\"group\":\"{}\"}}", case(&invocation));
    relay(Request::post("/changes", "application/json", body).send())
}
