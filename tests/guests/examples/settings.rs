//! Returns the settings it was given.

use casemate_guests::{Answer, Invocation, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    text(invocation.settings)
}
