//! Calls itself until the stack is gone.

use casemate_guests::{Answer, Invocation, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    text(deeper(invocation.arguments.len() as u64).to_string())
}

/// Not a tail call, and without anything that needs the guest's own stack in linear memory.
#[inline(never)]
fn deeper(n: u64) -> u64 {
    if n == u64::MAX { n } else { deeper(n + 1).rotate_left(7) ^ n }
}
