//! Prompts: a signed text with a caller's words in its places. What is filled in is never read as a template again.

use casemate_signing::manifest::{Attachment, Image, Piece, Prompt, ScopeKind, address, pieces, text::is_hidden};
use serde_json::{Map, Value};

use crate::{scope::ScopeValue, text::quote};

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
    /// Where what goes with it would be said to be from.
    #[error("the prompt would name the address {0}, which is neither https nor of a scheme of its own")]
    Address(String),
    /// The signed text is no template. The loader lets none through.
    #[error("the prompt's text cannot be filled in")]
    Text,
}

/// A prompt, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled<'a> {
    /// What goes before the text, in order.
    pub attached: Vec<Attached<'a>>,
    /// What is said.
    pub text: String,
}

/// Something that goes with a prompt's text, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attached<'a> {
    /// A signed picture.
    Picture(&'a Image),
    /// A signed text.
    Document {
        /// Where it is said to be from: https, or a scheme that is nobody else's.
        uri: String,
        /// Of a text.
        media_type: &'a str,
        /// The text itself.
        text: String,
    },
}

/// The prompt, filled in.
pub fn fill<'a>(prompt: &'a Prompt, arguments: &Map<String, Value>) -> Result<Filled<'a>, PromptFault> {
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
    let filled = |template: &str| -> Result<String, PromptFault> {
        let part = |piece| match piece {
            Piece::Said(text) => text.to_owned(),
            Piece::Argument(name) => value(name).to_owned(),
        };
        Ok(pieces(template).map_err(|_| PromptFault::Text)?.into_iter().map(part).collect())
    };
    let attached = prompt.attach.iter().map(|attachment| match attachment {
        Attachment::Picture(picture) => Ok(Attached::Picture(&picture.image)),
        Attachment::Document(document) => {
            let uri = filled(&document.uri)?;
            if !is_address(&uri) {
                return Err(PromptFault::Address(quote(&uri, 80)));
            }
            Ok(Attached::Document { uri, media_type: document.media_type(), text: filled(&document.text)? })
        }
    });
    Ok(Filled { attached: attached.collect::<Result<_, _>>()?, text: filled(&prompt.text)? })
}

/// A plain https URL, as of what is in a result; or an address of its own, which is nobody's.
fn is_address(uri: &str) -> bool {
    uri.starts_with("https://") && ScopeValue::parse(ScopeKind::Url, uri).is_ok() || address::own(uri).is_ok()
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
        fill(&serde_json::from_value(prompt).unwrap(), arguments.as_object().unwrap()).map(|filled| filled.text)
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
    fn what_goes_with_it_is_filled_in_too() {
        let prompt: Prompt = serde_json::from_value(json!({ "title": "T", "description": "D", "text": "Look.",
            "argument": [{ "name": "resourceUri", "description": "U", "required": true }],
            "attach": [{ "uri": "{resourceUri}", "text": "From {resourceUri}: {{.}}" }] }))
        .unwrap();
        let attached =
            |uri: &str| fill(&prompt, json!({ "resourceUri": uri }).as_object().unwrap()).map(|filled| filled.attached);
        for uri in ["test://example-resource", "https://example.com/a"] {
            let text = format!("From {uri}: {{.}}");
            assert_eq!(attached(uri), Ok(vec![Attached::Document { uri: uri.to_owned(), media_type: "text/plain", text }]));
        }
        for uri in [
            "",
            "x",
            "{resourceUri}",
            "casemate://audit/self",
            "file:///etc/passwd",
            "http://example.com/",
            "https://user@example.com/",
            "javascript://a",
            "data:text/html,x",
            "ui://card",
            "test://a/../b",
            "test://a b",
        ] {
            assert_eq!(attached(uri), Err(PromptFault::Address(quote(uri, 80))), "{uri}");
        }
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
