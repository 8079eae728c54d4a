//! Waits two seconds, and then changes something.

use casemate_guests::{Answer, Invocation, Request, argument, bindings::wasi::clocks::monotonic_clock, guest, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    monotonic_clock::subscribe_duration(2_000_000_000).block();
    let body = format!("{{\"group\":\"{}\"}}", argument(&invocation, "group"));
    relay(Request::post("/changes", "application/json", body).send())
}
