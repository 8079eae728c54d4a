//! A value that is handed to a statement beside it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};

/// Characters of one.
const MAX: usize = 1_000;

/// A text. It is data wherever it stands, so it may hold what it likes but for the one character that PostgreSQL has no text with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter(String);

impl Parameter {
    /// As it is sent.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().count() > MAX || text.contains('\0') {
            return Err(D::Error::custom(format!("expected a text of at most {MAX} characters without U+0000")));
        }
        Ok(Self(text))
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
        json_schema!({ "type": "string", "maxLength": MAX, "pattern": "^[^\\u0000]*$" })
    }
}
