//! Breaks its own machine: reads where there is no memory, waits for nothing at all, or stops dead.

use casemate_guests::{Answer, Invocation, case, guest, text};

guest!(run);

#[allow(unsafe_code, clippy::allow_attributes, reason = "a read out of bounds is what this guest is for")]
fn run(invocation: Invocation) -> Answer {
    match case(&invocation).as_str() {
        "memory" => {
            let beyond = std::hint::black_box(0xffff_fff0_usize) as *const u32;
            // SAFETY: there is none. wasm traps on the access.
            text(unsafe { beyond.read_volatile() }.to_string())
        }
        "poll" => text(format!("{:?}", casemate_guests::bindings::wasi::io::poll::poll(&[]))),
        _ => core::arch::wasm32::unreachable(),
    }
}
