//! Text of several lines.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::{InvalidField, TextVisitor};
use crate::text::is_hidden;

/// Text of 1 to `MAX` characters with line breaks and tabs, and no other character that is not seen. A carriage return before a line
/// break is left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Passage<const MAX: usize>(String);

impl<const MAX: usize> Passage<MAX> {
    const EXPECTED: &'static str = "text, not too long, without control characters but tabs and line breaks";

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str) -> Result<Self, InvalidField> {
        let short = (1..=MAX).contains(&text.chars().count());
        let text = text.replace("\r\n", "\n");
        if short && !text.chars().any(|letter| is_hidden(letter) && !matches!(letter, '\n' | '\t')) {
            Ok(Self(text))
        } else {
            Err(InvalidField::new(Self::EXPECTED))
        }
    }
}

impl<const MAX: usize> fmt::Display for Passage<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Passage<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor { expected: Self::EXPECTED, read: Self::read })
    }
}

impl<const MAX: usize> JsonSchema for Passage<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Passage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]*$";
        json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX, "pattern": pattern })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::check_field as check;

    #[test]
    fn lines_and_tabs_are_text() {
        let long = "x".repeat(41);
        check::<Passage<40>>(&["a", "größe\n\tb\n", "1. open\n2. look"], &["", &long, "a\u{0}b", "a\u{1b}[31m", "\u{7f}"], true);
        check::<Passage<40>>(&[], &["a\rb", "a\u{202e}b", "a\u{200b}b", "\u{e0041}", "a\u{2028}b"], false);
        assert_eq!(serde_json::from_str::<Passage<9>>(r#""a\r\nb""#).unwrap().as_str(), "a\nb");
    }
}
