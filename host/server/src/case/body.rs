//! The body of a request or an answer, in the spelling that a person reads best and that loses nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_sandbox::ExpectedBody;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseError, unique};

/// A body as a case spells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Body {
    /// `{ "json": … }`: as an answer it is sent without spacing; as a request, any spacing and order of keys will do.
    Json(Value),
    /// `{ "text": "…" }`: exactly this, in UTF-8.
    Text(String),
    /// `{ "base64": "…" }`: exactly these bytes.
    Base64(String),
}

impl Body {
    /// The first spelling in which these bytes come back as they are, but for the spacing of JSON. Without bytes there is no body.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return Some(Self::Base64(STANDARD.encode(bytes))) };
        let structured = |value: &Value| value.is_object() || value.is_array();
        let value = serde_json::from_str::<Value>(text).ok().filter(structured);
        Some(match value {
            // Numbers beyond 64 bits, escapes and keys that appear twice are not written as they were read.
            Some(value) if unique::check(bytes).is_ok() && without_spacing(text) == format!("{value}") => Self::Json(value),
            _ => Self::Text(text.to_owned()),
        })
    }

    /// The bytes; `at` is where in the case they stand.
    pub(crate) fn bytes(&self, at: &str) -> Result<Vec<u8>, CaseError> {
        match self {
            Self::Json(value) => Ok(value.to_string().into_bytes()),
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).map_err(|_| CaseError::Base64 { at: at.to_owned() }),
        }
    }

    /// What a request's body must be.
    pub(crate) fn expected(body: Option<&Self>, at: &str) -> Result<ExpectedBody, CaseError> {
        match body {
            Some(Self::Json(value)) => Ok(ExpectedBody::Json(value.clone())),
            Some(other) => other.bytes(at).map(ExpectedBody::Bytes),
            None => Ok(ExpectedBody::Bytes(Vec::new())),
        }
    }
}

/// JSON without the spacing between its tokens.
fn without_spacing(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|&c| {
            if in_string {
                in_string = escaped || c != '"';
                escaped = !escaped && c == '\\';
                return true;
            }
            in_string = c == '"';
            !matches!(c, ' ' | '\t' | '\n' | '\r')
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::Body;

    #[track_caller]
    fn spelled(bytes: &[u8], expected: Option<&serde_json::Value>) {
        let body = Body::of(bytes);
        assert_eq!(body.as_ref().map(|body| serde_json::to_value(body).unwrap()).as_ref(), expected);
    }

    #[test]
    fn json_is_kept_as_json_where_nothing_but_spacing_is_lost() {
        spelled(b"", None);
        spelled(
            b" { \"b\" : [1, -2.5, null],\r\n\t\"a\": \"x  \\\" \\\\\" } ",
            Some(&json!({ "json": { "b": [1, -2.5, null], "a": "x  \" \\" } })),
        );
        for other in [
            "{\"a\":1,\"a\":2}",
            "{\"id\":18446744073709551616}",
            "{\"x\":1.10}",
            "{\"x\":1e3}",
            "{\"x\":\"\\u0041\"}",
            "{\"x\":\"a\\/b\"}",
            "7",
            "null",
            "\"text\"",
            "{\"a\":1} x",
            "plain",
            "\u{feff}{}",
        ] {
            spelled(other.as_bytes(), Some(&json!({ "text": other })));
        }
        spelled(b"\xff\x00", Some(&json!({ "base64": "/wA=" })));
    }

    #[test]
    fn bytes_come_back() {
        for bytes in [b"{\"a\":[1]}".as_slice(), b"plain\r\n", b"\xff\x00\xfe"] {
            assert_eq!(Body::of(bytes).unwrap().bytes("").unwrap(), bytes);
        }
        assert!(Body::Base64("%".to_owned()).bytes("x").is_err());
    }
}
