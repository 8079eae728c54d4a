//! Returns as many KiB of text as the case says, in one piece or in many.

use casemate_guests::{Answer, Content, Invocation, Outcome, case, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let case = case(&invocation);
    match case.strip_prefix("pieces ").map(str::parse) {
        Some(Ok(pieces)) => {
            let content = (0..pieces).map(|_: usize| Content::Text("x".repeat(1 << 10))).collect();
            Ok(Outcome { content, structured: None })
        }
        _ => text("x".repeat(case.parse::<usize>().unwrap_or_default() << 10)),
    }
}
