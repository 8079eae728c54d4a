//! Waits in a host call that never returns.

use casemate_guests::{Answer, Invocation, bindings::wasi::clocks::monotonic_clock, guest, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    monotonic_clock::subscribe_duration(u64::MAX).block();
    text("the wait is over")
}
