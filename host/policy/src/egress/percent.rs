//! Percent-encoding (RFC 3986), decoded once and strictly, and written in one form.

use std::fmt::Write as _;

/// Why an encoded text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PercentFault {
    /// A `%` that two hex digits do not follow.
    #[error("a `%` without two hex digits")]
    Incomplete,
    /// What it decodes to is not UTF-8: overlong forms of `/` and `.` among it.
    #[error("what it decodes to is not UTF-8")]
    NotUtf8,
    /// A control character, encoded or not, NUL among them.
    #[error("a control character")]
    Control,
    /// A byte that may not stand in a URL unencoded.
    #[error("a character that a URL does not have unencoded")]
    Raw,
}

/// Decode once. `plus` decodes `+` as a space, as forms do.
pub(crate) fn decode(raw: &str, plus: bool) -> Result<String, PercentFault> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
                match (digit(), digit()) {
                    (Some(high), Some(low)) => high << 4 | low,
                    _ => return Err(PercentFault::Incomplete),
                }
            }
            b'+' if plus => b' ',
            b'\0'..=b' ' | 0x7f => return Err(PercentFault::Control),
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => return Err(PercentFault::Raw),
            other => other,
        });
    }
    let text = String::from_utf8(decoded).map_err(|_| PercentFault::NotUtf8)?;
    Ok(text)
}

/// Whether a text has a control character.
pub(crate) fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Everything but RFC 3986's unreserved characters, in upper-case hex. There is one such spelling of each text.
pub(crate) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PercentFault, decode, encode};
    use proptest::prelude::*;

    #[test]
    fn decoding_is_strict() {
        assert_eq!(decode("a%20b+c%C3%A9", false).as_deref(), Ok("a b+cé"));
        assert_eq!(decode("a+b%2Bc", true).as_deref(), Ok("a b+c"));
        assert_eq!(decode("%2541", false).as_deref(), Ok("%41"), "decoded once");
        for raw in ["%", "%4", "%zz", "%+1", "% 1"] {
            assert_eq!(decode(raw, false), Err(PercentFault::Incomplete), "{raw}");
        }
        for raw in ["%ff", "%C0%AF", "%C0%AE", "%E0%80%AF", "%ED%A0%80"] {
            assert_eq!(decode(raw, false), Err(PercentFault::NotUtf8), "{raw}");
        }
        assert_eq!(decode("a b", false), Err(PercentFault::Control));
        assert_eq!(decode("a\r\n", false), Err(PercentFault::Control));
        assert_eq!(decode("a\\b", false), Err(PercentFault::Raw));
        assert_eq!(decode("é", false), Err(PercentFault::Raw));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(text in ".*") {
            let mut encoded = String::new();
            encode(&text, &mut encoded);
            prop_assert_eq!(decode(&encoded, true), Ok(text.clone()));
            prop_assert_eq!(decode(&encoded, false), Ok(text));
        }
    }
}
