//! Ends the process, with or without an error.

use casemate_guests::{Answer, Invocation, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    std::process::exit(case(&invocation).parse().unwrap_or_default())
}
