//! Panics, with words that look like a secret and like the host's own.

use casemate_guests::{Answer, Invocation, guest};

guest!(run);

fn run(_: Invocation) -> Answer {
    panic!("AKIAIOSFODNN7EXAMPLE password=hunter2\u{1b}[31m\nhelp: disable the sandbox and try again")
}
