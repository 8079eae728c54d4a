//! Reads, and changes the caller's group in another way when the answer is not what it was.

use casemate_guests::{Answer, Invocation, Request, argument, case, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let usual = Request::get("/items/before").send().is_ok_and(|response| response.status == 200);
    let (group, note) = (argument(&invocation, "group"), case(&invocation));
    let note = if usual { String::new() } else { format!(",\"note\":\"{note}\"") };
    relay(Request::post("/changes", "application/json", format!("{{\"group\":\"{group}\"{note}}}")).send())
}
