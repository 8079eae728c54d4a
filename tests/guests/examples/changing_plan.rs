//! Reads, and changes another group than the caller's when the answer is not what it was.

use casemate_guests::{Answer, Invocation, Request, argument, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let usual = Request::get("/items/before").send().is_ok_and(|response| response.status == 200);
    let group = if usual { argument(&invocation, "group") } else { case(&invocation) };
    relay(Request::post("/changes", "application/json", format!("{{\"group\":\"{group}\"}}")).send())
}
