//! Reading what an upstream sends: take what has the expected type, pass over everything else.
//!
//! An upstream's objects have hundreds of members, any of which may be absent, null, or of another type next year; an answer is
//! still worth having without one of them. What is passed over is never kept, so an answer made to be huge costs no more memory
//! than its own bytes. Text is made short and plain on the way in.

use std::marker::PhantomData;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{Timestamp, text::clip};

/// What to make of each JSON type; nothing, where a type does not say.
pub trait Take<'de>: Default {
    /// Of a string.
    fn text(_: &str) -> Self {
        Self::default()
    }

    /// Of an integer that fits.
    fn number(_: i64) -> Self {
        Self::default()
    }

    /// Of `true` and `false`.
    fn flag(_: bool) -> Self {
        Self::default()
    }

    /// Of an array.
    ///
    /// # Errors
    /// What breaks the array off.
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// Of an object.
    ///
    /// # Errors
    /// What breaks the object off.
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

struct Taker<T>(PhantomData<T>);

impl<'de, T: Take<'de>> Visitor<'de> for Taker<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(i64::try_from(number).map_or_else(|_| T::default(), T::number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

/// Deserialize by [`Take`].
///
/// # Errors
/// When what is read is not JSON to its end.
pub fn take<'de, T: Take<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Taker(PhantomData))
}

macro_rules! deserialize {
    ($($type:ty $(where [$($generics:tt)+])?;)+) => {
        $(impl<'de $(, $($generics)+)?> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                take(deserializer)
            }
        })+
    };
}

deserialize! {
    Number;
    Flag;
    Few<T, MAX> where [T: Deserialize<'de>, const MAX: usize];
    Entries<V, MAX> where [V: Deserialize<'de>, const MAX: usize];
    Object<T> where [T: Deserialize<'de> + Default];
}

/// Takes a string by a bound that is known when it runs: one reader for texts of every length keeps a component small.
struct Bounded {
    max: usize,
    text: fn(&str, usize) -> Option<String>,
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Option<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((self.text)(text, self.max))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Flag::list(list).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Flag::map(map).map(|_| None)
    }
}

/// A string that is not empty, on one line, of at most `MAX` characters.
#[derive(Debug, Default)]
pub struct Text<const MAX: usize>(
    /// The text, cut and cleaned.
    pub Option<String>,
);

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |text: &str, max| Some(clip(text, max)).filter(|text| !text.is_empty());
        deserializer.deserialize_any(Bounded { max: MAX, text }).map(Self)
    }
}

/// A string exactly as it came, of at most `MAX` bytes; nothing where it is longer. For what is compared or sent back, not for reading.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verbatim<const MAX: usize>(
    /// The text.
    pub Option<String>,
);

impl<const MAX: usize> Verbatim<MAX> {
    /// The text; empty where there is none.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Verbatim<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |text: &str, max| (text.len() <= max).then(|| text.to_owned());
        deserializer.deserialize_any(Bounded { max: MAX, text }).map(Self)
    }
}

/// `true` or `false`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Flag(
    /// Which one.
    pub Option<bool>,
);

impl Take<'_> for Flag {
    fn flag(flag: bool) -> Self {
        Self(Some(flag))
    }
}

/// An integer.
#[derive(Debug, Default, Clone, Copy)]
pub struct Number(
    /// The integer.
    pub Option<i64>,
);

impl Number {
    /// As a count; what cannot be one is none.
    pub fn count(self) -> Option<u32> {
        self.0.and_then(|number| number.try_into().ok())
    }

    /// As seconds since 1970, where 0 stands for "never".
    pub fn time(self) -> Option<Timestamp> {
        self.0.filter(|seconds| *seconds > 0).and_then(Timestamp::from_unix)
    }
}

impl Take<'_> for Number {
    fn number(number: i64) -> Self {
        Self(Some(number))
    }
}

/// The first `MAX` elements of a list.
#[derive(Debug)]
pub struct Few<T, const MAX: usize>(
    /// The elements.
    pub Vec<T>,
);

impl<T, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Take<'de> for Few<T, MAX> {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut few = Vec::new();
        while few.len() < MAX {
            match list.next_element()? {
                Some(value) => few.push(value),
                None => return Ok(Self(few)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(few))
    }
}

impl<const LENGTH: usize, const MAX: usize> Few<Text<LENGTH>, MAX> {
    /// The texts, each once, in their order.
    pub fn texts(self) -> Vec<String> {
        let mut texts = Vec::new();
        for text in self.0.into_iter().filter_map(|text| text.0) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }
}

/// The first `MAX` entries of an object whose keys are data.
#[derive(Debug)]
pub struct Entries<V, const MAX: usize>(
    /// Keys, cut and cleaned, and values.
    pub Vec<(String, V)>,
);

impl<V, const MAX: usize> Default for Entries<V, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>, const MAX: usize> Take<'de> for Entries<V, MAX> {
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut entries = Vec::new();
        while entries.len() < MAX {
            match map.next_entry::<Text<80>, V>()? {
                Some((Text(name), value)) => entries.push((name.unwrap_or_default(), value)),
                None => return Ok(Self(entries)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self(entries))
    }
}

/// An object with known members; the default where there is none.
#[derive(Debug, Default)]
pub struct Object<T>(
    /// Its members.
    pub T,
);

impl<'de, T: Deserialize<'de> + Default> Take<'de> for Object<T> {
    fn map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Self)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn read<T: DeserializeOwned>(value: &Value) -> T {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    #[test]
    fn takes_what_fits() {
        assert_eq!(read::<Text<5>>(&json!(" abc\ndefg ")).0.as_deref(), Some("abc …"));
        assert_eq!(read::<Number>(&json!(-3)).0, Some(-3));
        assert_eq!(read::<Flag>(&json!(false)).0, Some(false));
        assert_eq!(read::<Verbatim<9>>(&json!(" abc\nd")).as_str(), " abc\nd");
        assert_eq!(read::<Few<Number, 2>>(&json!([1, "x", 3])).0.iter().map(|it| it.0).collect::<Vec<_>>(), [Some(1), None]);
        assert_eq!(read::<Few<Text<9>, 9>>(&json!(["a", null, "a", "b", "", 1])).texts(), ["a", "b"]);
        assert_eq!(read::<Entries<Number, 1>>(&json!({ "a": 1, "b": 2 })).0.len(), 1);
    }

    #[test]
    fn passes_over_what_does_not() {
        for other in [
            json!(null),
            json!(true),
            json!(1.5),
            json!(u64::MAX),
            json!([[1], {}]),
            json!({ "a": [1] }),
            json!(""),
            json!(" \n"),
        ] {
            assert_eq!(read::<Text<5>>(&other).0, None, "{other}");
            assert_eq!(read::<Number>(&other).0, None, "{other}");
        }
        for other in [json!(null), json!(1), json!("true"), json!([true])] {
            assert_eq!(read::<Flag>(&other).0, None, "{other}");
        }
        for other in [json!(null), json!(1), json!("abcd"), json!("äö"), json!(["a"])] {
            assert_eq!(read::<Verbatim<3>>(&other).0, None, "{other}");
        }
        for other in [json!(null), json!(true), json!(1), json!("x")] {
            assert_eq!(read::<Few<Number, 2>>(&other).0.len(), 0, "{other}");
            assert_eq!(read::<Entries<Number, 2>>(&other).0.len(), 0, "{other}");
            assert_eq!(read::<Object<Number>>(&other).0.0, None, "{other}");
        }
    }

    #[test]
    fn counts_and_times_are_plausible() {
        for (number, count, time) in [(0, true, false), (-1, false, false), (i64::MAX, false, false), (1_700_000_000, true, true)]
        {
            let number = Number(Some(number));
            assert_eq!((number.count().is_some(), number.time().is_some()), (count, time), "{number:?}");
        }
    }
}
