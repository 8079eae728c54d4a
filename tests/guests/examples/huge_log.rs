//! Logs far more lines than anybody will read.

use casemate_guests::{Answer, Invocation, guest, log, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    for n in 0..20_000 {
        log::write(log::Level::Error, &format!("line {n} of a log without end"));
    }
    text("logged")
}
