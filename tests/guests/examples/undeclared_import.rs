//! Reads byte sources. Its manifest, as the test signs it, does not declare them.

use casemate_guests::{Answer, Invocation, guest, sources, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    text(sources::list().join(" "))
}
