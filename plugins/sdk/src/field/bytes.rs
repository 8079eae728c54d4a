//! Bytes in an argument.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Up to `MAX` bytes, written in standard base64 with padding (RFC 4648 section 4) and no line breaks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Base64<const MAX: usize>(Vec<u8>);

impl<const MAX: usize> Base64<MAX> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// How long the longest is, written.
    const fn written() -> usize {
        MAX.div_ceil(3) * 4
    }
}

/// Shows the length only: an argument may be a file.
impl<const MAX: usize> fmt::Debug for Base64<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Base64<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const MAX: usize>;

        impl<const MAX: usize> de::Visitor<'_> for Visitor<MAX> {
            type Value = Base64<MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX} bytes in padded base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.len() > Base64::<MAX>::written() {
                    return Err(E::custom(format!("expected at most {MAX} bytes")));
                }
                let bytes = STANDARD.decode(text).map_err(|_| E::custom("expected padded base64 without line breaks"))?;
                if bytes.len() > MAX {
                    return Err(E::custom(format!("expected at most {MAX} bytes")));
                }
                Ok(Base64(bytes))
            }
        }

        deserializer.deserialize_str(Visitor::<MAX>)
    }
}

impl<const MAX: usize> JsonSchema for Base64<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Base64".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The pattern says no more than the alphabet: groups of four would make a backtracking engine's stack grow with the text.
        json_schema!({
            "type": "string",
            "description": "Bytes in standard base64 with padding",
            "maxLength": Self::written(),
            "pattern": "^[A-Za-z0-9+/]*={0,2}$",
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<const MAX: usize>(text: &str) -> Option<Vec<u8>> {
        serde_json::from_value::<Base64<MAX>>(json!(text)).ok().map(Base64::into_bytes)
    }

    #[test]
    fn reads_padded_base64() {
        assert_eq!(read::<4>(""), Some(vec![]));
        assert_eq!(read::<4>("AQIDBA=="), Some(vec![1, 2, 3, 4]));
        assert_eq!(read::<3>("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
    }

    #[test]
    fn refuses_the_rest() {
        for bad in ["AQIDBAU=", "AQIDBA", "AQIDBB==", "AQ ID", "AQID\n", "-_-_", "=", "AQIDBAUG"] {
            assert_eq!(read::<4>(bad), None, "{bad:?}");
        }
        assert!(serde_json::from_value::<Base64<4>>(json!(1)).is_err());
    }

    #[test]
    fn the_schema_bounds_it() {
        let schema = Base64::<4>::json_schema(&mut SchemaGenerator::default());
        assert_eq!(schema.get("maxLength").unwrap(), 8);
        assert_eq!(format!("{:?}", serde_json::from_value::<Base64<4>>(json!("AQID")).unwrap()), "Base64(3 bytes)");
    }
}
