//! Leaves marks in every part of its memory and looks for the marks of an earlier call.

use std::sync::atomic::{AtomicU32, Ordering};

use casemate_guests::{Answer, Invocation, case, guest, text};

guest!(run);

static CALLS: AtomicU32 = AtomicU32::new(0);
/// The mark is this byte by byte exclusive-or 0x5a, so that the constant itself is no mark.
const MASKED: [u8; 16] = [0x11, 0x3e, 0x2b, 0x77, 0x64, 0x01, 0x6a, 0x5b, 0x0c, 0x33, 0x40, 0x7e, 0x19, 0x22, 0x5f, 0x38];
const PAGE: usize = 64 << 10;

fn run(invocation: Invocation) -> Answer {
    let earlier = CALLS.fetch_add(1, Ordering::Relaxed);
    let found = marks();
    let kib: usize = case(&invocation).parse().unwrap_or(1);
    let mark: Vec<u8> = MASKED.iter().map(|byte| byte ^ 0x5a).collect();
    std::mem::forget(std::hint::black_box(mark.repeat((kib << 10) / mark.len())));
    // Grow and look again: memory that grows into a used slot would show what was there.
    let grown = vec![0x5a_u8; 2 << 20];
    text(format!("earlier calls {earlier}, marks {found}, own {}, grown {}", marks() > 0, std::hint::black_box(grown).len()))
}

/// Marks anywhere in linear memory.
#[allow(unsafe_code, clippy::allow_attributes, reason = "memory that belongs to nobody is what it looks at")]
fn marks() -> usize {
    let end = core::arch::wasm32::memory_size(0) * PAGE;
    let matches = |at: usize| {
        // SAFETY: every address up to the memory's size can be read; nothing is made of what is there but a comparison.
        (0..MASKED.len()).all(|n| unsafe { ((at + n) as *const u8).read_volatile() } ^ 0x5a == MASKED[n])
    };
    (1024..end - MASKED.len()).step_by(4).filter(|&at| matches(at)).count()
}
