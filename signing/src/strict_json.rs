//! JSON with one reading: what two parsers could understand differently is refused.
//!
//! Duplicate keys, numbers that are not integers of 64 bits, more than [`MAX_DEPTH`] nested containers, invalid
//! UTF-8 and trailing bytes are errors. A signature over a text that means two things protects neither (RFC 8259,
//! section 4, leaves duplicate keys to the reader; RFC 7493 forbids them).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Containers inside one another. A manifest's schemas need about a dozen.
pub const MAX_DEPTH: usize = 32;

/// Why a text is not strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrictJsonError {
    /// Not UTF-8.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// How many bytes are valid.
        at: usize,
    },
    /// A key appears twice in one object.
    #[error("the key `{key}` appears twice at line {line} column {column}")]
    DuplicateKey {
        /// The key, shortened.
        key: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A fraction, an exponent, a negative zero, or more than 64 bits.
    #[error("a number that is not a 64-bit integer at line {line} column {column}")]
    NotAnInteger {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Nested too deeply.
    #[error("more than {MAX_DEPTH} nested containers at line {line} column {column}")]
    TooDeep {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Something follows the value.
    #[error("bytes follow the JSON value at line {line} column {column}")]
    TrailingBytes {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// Not JSON.
    #[error("not JSON at line {line} column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

/// Parse `bytes` as one strict JSON value. Objects keep their order.
pub fn parse(bytes: &[u8]) -> Result<Value, StrictJsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| StrictJsonError::NotUtf8 { at: error.valid_up_to() })?;
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0, fault: &mut fault }.deserialize(&mut deserializer);
    let value = value.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match fault {
            Some(Fault::DuplicateKey(key)) => StrictJsonError::DuplicateKey { key, line, column },
            Some(Fault::NotAnInteger) => StrictJsonError::NotAnInteger { line, column },
            Some(Fault::TooDeep) => StrictJsonError::TooDeep { line, column },
            None => StrictJsonError::Syntax { line, column },
        }
    })?;
    deserializer.end().map_err(|error| StrictJsonError::TrailingBytes { line: error.line(), column: error.column() })?;
    Ok(value)
}

/// What the visitor found; serde's own error can only carry text.
enum Fault {
    DuplicateKey(String),
    NotAnInteger,
    TooDeep,
}

struct Strict<'a> {
    depth: usize,
    fault: &'a mut Option<Fault>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(&mut self, fault: Fault) -> E {
        *self.fault = Some(fault);
        E::custom("refused")
    }

    /// One container further in.
    fn inner<E: serde::de::Error>(&mut self) -> Result<Strict<'_>, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Fault::TooDeep));
        }
        Ok(Strict { depth: self.depth + 1, fault: self.fault })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// serde_json gives fractions, exponents, `-0` and what does not fit in 64 bits as a float.
    fn visit_f64<E: serde::de::Error>(mut self, _: f64) -> Result<Value, E> {
        Err(self.refuse(Fault::NotAnInteger))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        let inner = self.inner()?;
        while let Some(item) = access.next_element_seed(Strict { depth: inner.depth, fault: &mut *inner.fault })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        let mut inner = self.inner()?;
        while let Some(key) = access.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(inner.refuse(Fault::DuplicateKey(key.chars().take(80).collect())));
            }
            let value = access.next_value_seed(Strict { depth: inner.depth, fault: &mut *inner.fault })?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn code(text: &[u8]) -> &'static str {
        match parse(text) {
            Ok(_) => "ok",
            Err(StrictJsonError::NotUtf8 { .. }) => "utf8",
            Err(StrictJsonError::DuplicateKey { .. }) => "duplicate",
            Err(StrictJsonError::NotAnInteger { .. }) => "number",
            Err(StrictJsonError::TooDeep { .. }) => "deep",
            Err(StrictJsonError::TrailingBytes { .. }) => "trailing",
            Err(StrictJsonError::Syntax { .. }) => "syntax",
        }
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
        let cases: &[(&[u8], &str)] = &[
            (br#" {"a":[1,-2,true,null,"x"]} "#, "ok"),
            (b"18446744073709551615", "ok"),
            (b"-9223372036854775808", "ok"),
            (b"18446744073709551616", "number"),
            (b"1.0", "number"),
            (b"1e3", "number"),
            (b"-0", "number"),
            (b"1e999", "syntax"),
            (br#"{"a":1,"a":1}"#, "duplicate"),
            (br#"{"a":1,"\u0061":1}"#, "duplicate"),
            (br#"[{"x":{"b":1,"c":2,"b":3}}]"#, "duplicate"),
            (br#"{"a":1}{}"#, "trailing"),
            (b"1 2", "trailing"),
            (b"1\0", "trailing"),
            (b"\xff", "utf8"),
            (b"\"\xc3\x28\"", "utf8"),
            (b"\xef\xbb\xbf1", "syntax"),
            (b"", "syntax"),
            (b"{", "syntax"),
            (b"[1,]", "syntax"),
            (b"01", "syntax"),
            (b"NaN", "syntax"),
            (b"'a'", "syntax"),
            (b"// c\n1", "syntax"),
            (br#""\ud800""#, "syntax"),
            (b"\"\n\"", "syntax"),
            (&nested(MAX_DEPTH), "ok"),
            (&nested(MAX_DEPTH + 1), "deep"),
            (&nested(100_000), "deep"),
        ];
        for (text, expected) in cases {
            assert_eq!(code(text), *expected, "{}", String::from_utf8_lossy(&text[..text.len().min(60)]));
        }
    }

    #[test]
    fn order_is_kept() {
        assert_eq!(parse(br#"{"b":1,"a":2}"#).unwrap().to_string(), r#"{"b":1,"a":2}"#);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn never_panics_on_what_looks_like_json(text in r#"[\[\]{}",:0-9eE.\\u\-atrufnl ]{0,64}"#) {
            let strict = parse(text.as_bytes());
            // What is accepted means the same to an ordinary parser.
            if let Ok(value) = strict {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
            }
        }

        #[test]
        fn what_serde_writes_is_read_back(key in ".*", text in ".*", number in any::<i64>()) {
            let value = json!({ key: [text, number] });
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value);
        }
    }
}
