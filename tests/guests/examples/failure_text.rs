//! Fails with a message that hides things, repeats what its upstream said, and wants to be tried again in a thousand years.

use casemate_guests::{Answer, Failure, FailureKind, Invocation, Request, case, guest};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let said = match case(&invocation).as_str() {
        "huge" => "m".repeat(1 << 20),
        _ => Request::get("/items/one").send().map_or_else(|why| why, |response| response.text()),
    };
    Err(Failure {
        kind: FailureKind::Upstream,
        code: Some("\u{1b}[31mE\u{202e}1\n".to_owned()),
        message: format!("\u{1b}[2J\u{7}refused\u{200b}\r\n{said}"),
        retry_after_ms: Some(u64::MAX),
    })
}
