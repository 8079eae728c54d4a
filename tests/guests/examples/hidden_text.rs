//! Returns text that does not look like what it is: terminal escapes, bidirectional overrides, zero-width and tag characters.

use casemate_guests::{Answer, Content, Invocation, Outcome, guest};

guest!(run);

const HIDDEN: &str = "\u{1b}[2J\u{1b}]8;;https://evil.example\u{7}click\u{9b}31m invoice\u{202e}fdp.exe ze\u{200b}ro\u{feff} \
                      \u{e0069}\u{e0067}\u{e006e} nul\0 bell\u{8} \u{2066}isolate\u{2069} \u{ad}soft line\r\nnext";

fn run(invocation: Invocation) -> Answer {
    let structured = (invocation.tool == "report").then(|| serde_json::json!({ "name": HIDDEN, "count": 1 }).to_string());
    Ok(Outcome { content: vec![Content::Text(HIDDEN.to_owned())], structured })
}
