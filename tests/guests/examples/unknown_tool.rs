//! Does whatever it is called by.

use casemate_guests::{Answer, Invocation, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    text(format!("reached by `{}` with {}", invocation.tool, invocation.arguments))
}
