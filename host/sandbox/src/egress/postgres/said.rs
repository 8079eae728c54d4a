//! What a server, or the host in its place, says of a statement that did not work.

use std::net::IpAddr;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;
use serde::Serialize;
use serde_json::json;

use super::super::transport::Raw;

/// Characters of a server's message.
const MOST: usize = 1_000;

/// An error, as it is answered.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    #[serde(skip)]
    pub(super) status: u16,
    /// SQLSTATE, or a word of the host's.
    pub(super) code: String,
    pub(super) message: String,
    /// Characters into the statement, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<u32>,
}

impl Said {
    pub(super) fn invalid(why: &str) -> Self {
        Self { status: 400, code: "invalid-request".to_owned(), message: why.to_owned(), position: None }
    }

    /// From an ErrorResponse. What is not UTF-8 is not shown.
    pub(super) fn read(mut fields: ErrorFields<'_>) -> Self {
        let mut said = Self { status: 400, code: String::new(), message: String::new(), position: None };
        while let Ok(Some(field)) = fields.next() {
            let Ok(text) = std::str::from_utf8(field.value_bytes()) else { continue };
            match field.type_() {
                b'C' if text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) => {
                    text.clone_into(&mut said.code);
                }
                b'M' => said.message = text.chars().take(MOST).collect(),
                b'P' => said.position = text.parse().ok(),
                _ => {}
            }
        }
        said.status = status(&said.code);
        said
    }

    /// The same without the server's words: they may hold what was read.
    pub(super) fn code_only(self) -> Self {
        Self { message: String::new(), position: None, ..self }
    }

    pub(super) fn into_answer(self, address: Option<IpAddr>) -> Raw {
        Raw::json(self.status, json!({ "error": self }).to_string().into_bytes(), address)
    }
}

/// The status of HTTP that says the same as an SQLSTATE (PostgreSQL's documentation, appendix A).
fn status(code: &str) -> u16 {
    match code {
        "42501" => 403,
        "42P01" | "3D000" => 404,
        "57014" => 504,
        "55P03" => 503,
        _ => match code.get(..2) {
            Some("28") => 401,
            Some("53" | "57" | "58") => 503,
            _ => 400,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_status_that_says_the_same() {
        for (code, expected) in [
            ("28P01", 401),
            ("42501", 403),
            ("42P01", 404),
            ("3D000", 404),
            ("57014", 504),
            ("57P03", 503),
            ("53300", 503),
            ("42601", 400),
            ("", 400),
        ] {
            assert_eq!(status(code), expected, "{code}");
        }
    }
}
