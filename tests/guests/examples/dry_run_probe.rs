//! Reads, writes, and goes on to write again, saying how far it came.

use casemate_guests::{Answer, Invocation, Request, argument, guest, log, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let body = format!("{{\"group\":\"{}\"}}", argument(&invocation, "group"));
    let read = Request::get("/items/before").send().map(|response| response.status);
    let write = || Request::post("/changes", "application/json", body.clone()).send().map(|response| response.status);
    let first = write();
    log::write(log::Level::Warn, "the first write is behind us");
    let second = write();
    text(format!("{read:?} {first:?} {second:?}"))
}
