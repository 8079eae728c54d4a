//! A value that is handed to a statement beside it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

/// Characters of one.
const MAX: usize = 1_000;

/// A text, or null. It is data wherever it stands, so it may hold what it likes but for the one character that PostgreSQL has no text with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter(Option<String>);

impl Parameter {
    /// As it is sent.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        match &text {
            Some(text) if text.chars().count() > MAX || text.contains('\0') => {
                Err(D::Error::custom(format!("expected null, or a text of at most {MAX} characters without U+0000")))
            }
            _ => Ok(Self(text)),
        }
    }
}

impl JsonSchema for Parameter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Parameter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "maxLength": MAX, "pattern": "^[^\\u0000]*$" }, { "const": null }] })
    }
}
