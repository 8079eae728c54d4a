//! No key twice: a case that says a thing in two ways is read in one of them, and nobody knows which.

use std::{collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Refuse a text in which an object has a key twice, at whatever depth. What else is wrong is for the types to say.
pub(super) fn check(text: &[u8]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Unique.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Unique)?;
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format_args!("the key `{}` appears twice", twice.escape_debug())));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Unique)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        IgnoredAny.visit_some(deserializer).map(drop)
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::check;

    #[test]
    fn a_key_twice_is_refused_at_any_depth() {
        for (text, at) in [
            (r#"{"a": 1, "a": 1}"#, "line 1 column 16"),
            (r#"{"b": [{"a": null, "c": {}, "a": false}]}"#, "`a`"),
            (r#"{"a": {"é": 1.5, "\u00e9": "x"}}"#, "`é`"),
        ] {
            let error = check(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains("appears twice") && error.contains(at), "{error}");
        }
    }

    #[test]
    fn the_same_key_in_two_objects_is_not_twice() {
        for text in [r#"{"a": {"a": [{"a": 1}, {"a": -2}]}, "A": 1e9}"#, "[]", "\"a\"", "null"] {
            assert!(check(text.as_bytes()).is_ok(), "{text}");
        }
        assert!(check(b"{} {}").is_err() && check(b"{\"a\":}").is_err() && check(&[0xff]).is_err());
    }
}
