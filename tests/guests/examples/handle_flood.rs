//! Opens handles of the host and keeps them.

use casemate_guests::{
    Answer, Invocation,
    bindings::wasi::{clocks::monotonic_clock, http::types::Fields},
    case, guest, text,
};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    match case(&invocation).as_str() {
        "fields" => {
            let held: Vec<Fields> = (0..100_000).map(|_| Fields::new()).collect();
            text(format!("{} are held", held.len()))
        }
        _ => {
            let held: Vec<_> = (0..100_000).map(|_| monotonic_clock::subscribe_duration(u64::MAX)).collect();
            text(format!("{} are held", held.len()))
        }
    }
}
