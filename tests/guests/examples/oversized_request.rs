//! Sends a body of as many KiB as the case says.

use casemate_guests::{Answer, Invocation, Request, case, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let kib: usize = case(&invocation).parse().unwrap_or_default();
    let answer = Request::post("/scan", "application/octet-stream", vec![b'x'; kib << 10]).send();
    text(answer.map_or_else(|why| why, |answer| format!("answered {}", answer.status)))
}
