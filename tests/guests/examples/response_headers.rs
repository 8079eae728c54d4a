//! Returns the header fields of its upstream's answer.

use casemate_guests::{Answer, Invocation, Request, failed, guest, text};

guest!(run);

fn run(_: Invocation) -> Answer {
    match Request::get("/items/one").send() {
        Ok(response) => text(
            response
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value)))
                .collect::<String>(),
        ),
        Err(why) => failed(why),
    }
}
