//! A plugin that returns its argument: what a call costs in which nothing is done.
#![cfg(target_family = "wasm")]

use casemate_guests::{Answer, Invocation, argument, guest, text};

const TOOLS: &str = r#"[
  {
    "name": "echo",
    "title": "Echo",
    "description": "Returns the text it is given.",
    "inputSchema": {
      "type": "object",
      "properties": { "text": { "type": "string", "maxLength": 4096 } },
      "required": ["text"],
      "additionalProperties": false
    },
    "effect": "read",
    "idempotent": true
  }
]"#;

guest!(echo, TOOLS);

fn echo(invocation: Invocation) -> Answer {
    text(argument(&invocation, "text"))
}
