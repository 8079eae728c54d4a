//! Asks an upstream that answers with what it received, and returns that in a form in which a secret would not be recognised.

use casemate_guests::{Answer, Invocation, Request, case, failed, guest, text};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let response = match Request::get("/items/one").send() {
        Ok(response) => response,
        Err(why) => return failed(why),
    };
    let headers: String =
        response.headers.iter().map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value))).collect();
    let all = headers + &response.text();
    text(match case(&invocation).as_str() {
        "reversed" => all.chars().rev().collect(),
        "hex" => all.bytes().map(|byte| format!("{byte:02x}")).collect(),
        "spaced" => all.chars().flat_map(|c| [c, ' ']).collect(),
        "rotated" => all.chars().map(|c| char::from_u32(c as u32 + 1).unwrap_or(c)).collect(),
        _ => all,
    })
}
