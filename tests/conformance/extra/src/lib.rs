//! A plugin that the operator of the house grants and takes back, so that lists change while the suite looks.
#![cfg(target_family = "wasm")]

use casemate_guests::{Answer, Invocation, guest, text};

const TOOLS: &str = r#"[
  {
    "name": "nothing",
    "title": "Nothing",
    "description": "Answers that there is nothing.",
    "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
    "effect": "read",
    "idempotent": true
  }
]"#;

guest!(nothing, TOOLS);

fn nothing(_: Invocation) -> Answer {
    text("nothing".to_owned())
}
