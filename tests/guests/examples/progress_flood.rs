//! Reports progress without end, with messages nobody could show.

use casemate_guests::{Answer, Invocation, guest, progress, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    let long = "p".repeat(64 << 10);
    for n in 0..2_000_u64 {
        let total = if n % 2 == 0 { Some(0) } else { None };
        progress::report(u64::MAX - n, total, if n % 100 == 0 { &long } else { "\u{1b}[31mred\u{202e}\n{\"jsonrpc\":\"2.0\"}" });
    }
    text("reported")
}
