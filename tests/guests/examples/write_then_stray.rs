//! Writes, as it may, and then asks for what no contract names.

use casemate_guests::{Answer, Invocation, Request, argument, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let body = format!("{{\"group\":\"{}\"}}", argument(&invocation, "group"));
    let _ = Request::post("/changes", "application/json", body).send();
    relay(Request::get("/admin").send())
}
