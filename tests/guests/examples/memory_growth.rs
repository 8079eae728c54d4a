//! Takes memory until there is none.

use casemate_guests::{Answer, Invocation, guest, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    let mut held: Vec<Vec<u8>> = Vec::new();
    for n in 0..4096_u32 {
        held.push(vec![n as u8; 1 << 20]);
    }
    text(format!("{} MiB are held", std::hint::black_box(&held).len()))
}
