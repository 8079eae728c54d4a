//! Prompts: a signed text with a caller's words in its places. What is filled in is never read as a template again.

use casemate_signing::manifest::{Piece, Prompt, text::is_hidden};
use serde_json::{Map, Value};

use crate::text::quote;

/// Bytes of one argument. A client fills a form with it; a document belongs into a tool's argument.
const MAX_ARGUMENT: usize = 4 << 10;

/// Arguments that a prompt cannot be filled with. Nothing of a value is repeated at length.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptFault {
    /// Not declared.
    #[error("the prompt has no argument {0}")]
    Unknown(String),
    /// Declared as required.
    #[error("the prompt needs the argument `{0}`")]
    Missing(String),
    /// Not a string.
    #[error("the argument `{0}` is not text")]
    NotText(String),
    /// Above the bound.
    #[error("the argument `{0}` is longer than {MAX_ARGUMENT} bytes")]
    TooLong(String),
    /// It could not be seen by whoever reads the prompt.
    #[error("the argument `{0}` holds a character that a reader cannot see")]
    Hidden(String),
    /// Not one of the values.
    #[error("the argument `{name}` is none of: {values}")]
    NotOffered {
        /// Which.
        name: String,
        /// The signed values.
        values: String,
    },
    /// The signed text is no template. The loader lets none through.
    #[error("the prompt's text cannot be filled in")]
    Text,
}

/// The prompt's text, filled in.
pub fn fill(prompt: &Prompt, arguments: &Map<String, Value>) -> Result<String, PromptFault> {
    if let Some(unknown) = arguments.keys().find(|name| prompt.argument(name).is_none()) {
        return Err(PromptFault::Unknown(quote(unknown, 40)));
    }
    for argument in &prompt.argument {
        let name = || argument.name.to_string();
        match arguments.get(argument.name.as_str()) {
            None if argument.required => return Err(PromptFault::Missing(name())),
            None => {}
            Some(Value::String(value)) => check(value, name)?,
            Some(_) => return Err(PromptFault::NotText(name())),
        }
        let offered = |value: &str| argument.values.is_empty() || argument.values.iter().any(|known| known == value);
        if arguments.get(argument.name.as_str()).and_then(Value::as_str).is_some_and(|value| !offered(value)) {
            return Err(PromptFault::NotOffered { name: name(), values: argument.values.join(", ") });
        }
    }
    let value = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let pieces = prompt.pieces().map_err(|_| PromptFault::Text)?;
    Ok(pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Said(text) => text,
            Piece::Argument(name) => value(name),
        })
        .collect())
}

fn check(value: &str, name: impl Fn() -> String) -> Result<(), PromptFault> {
    if value.len() > MAX_ARGUMENT {
        return Err(PromptFault::TooLong(name()));
    }
    if value.chars().any(|c| is_hidden(c) && c != '\n' && c != '\t') {
        return Err(PromptFault::Hidden(name()));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(arguments: &Value) -> Result<String, PromptFault> {
        let prompt = json!({ "title": "T", "description": "D", "text": "Look at {host}, {{{why}}}, {host}.", "argument": [
            { "name": "host", "description": "H", "required": true }, { "name": "why", "description": "W", "values": ["alert", "drill"] }
        ] });
        fill(&serde_json::from_value(prompt).unwrap(), arguments.as_object().unwrap())
    }

    #[test]
    fn a_prompt_is_filled_in() {
        assert_eq!(filled(&json!({ "host": "web", "why": "alert" })).unwrap(), "Look at web, {alert}, web.");
        assert_eq!(filled(&json!({ "host": "größe\n" })).unwrap(), "Look at größe\n, {}, größe\n.");
    }

    #[test]
    fn what_is_filled_in_is_no_template() {
        assert_eq!(filled(&json!({ "host": "{why}", "why": "alert" })).unwrap(), "Look at {why}, {alert}, {why}.");
        assert_eq!(filled(&json!({ "host": "{{" })).unwrap(), "Look at {{, {}, {{.");
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        let name = |name: &str| name.to_owned();
        for (arguments, fault) in [
            (json!({}), PromptFault::Missing(name("host"))),
            (json!({ "host": 1 }), PromptFault::NotText(name("host"))),
            (json!({ "host": null }), PromptFault::NotText(name("host"))),
            (json!({ "host": "a", "other": "b" }), PromptFault::Unknown(quote("other", 40))),
            (json!({ "host": "a\u{202e}b" }), PromptFault::Hidden(name("host"))),
            (json!({ "host": "a\u{1b}[2J" }), PromptFault::Hidden(name("host"))),
            (json!({ "host": "a".repeat(4097) }), PromptFault::TooLong(name("host"))),
            (
                json!({ "host": "a", "why": "other" }),
                PromptFault::NotOffered { name: name("why"), values: "alert, drill".to_owned() },
            ),
        ] {
            assert_eq!(filled(&arguments), Err(fault), "{arguments}");
        }
    }
}
