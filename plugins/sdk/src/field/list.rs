//! Bounded lists and numbers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Up to `MAX` values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The values, without a copy.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The first `MAX` of them: for answers, which are cut rather than refused.
impl<T, const MAX: usize> FromIterator<T> for List<T, MAX> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().take(MAX).collect())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::deserialize(deserializer)?;
        if values.len() > MAX { Err(D::Error::custom(format!("expected at most {MAX} items"))) } else { Ok(Self(values)) }
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": generator.subschema_for::<T>(), "maxItems": MAX })
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The number, if it is in range. For defaults: `Whole::new(50)`.
    pub const fn new(number: i64) -> Option<Self> {
        if MIN <= number && number <= MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| D::Error::custom(format!("expected a whole number from {MIN} to {MAX}")))
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn lists_are_bounded() {
        assert_eq!(from_value::<List<u8, 2>>(json!([1, 2])).ok().map(List::into_vec), Some(vec![1, 2]));
        for bad in [json!([1, 2, 3]), json!("x"), json!([256])] {
            assert!(from_value::<List<u8, 2>>(bad).is_err());
        }
        assert_eq!((0..9).collect::<List<i32, 2>>().as_slice(), [0, 1]);
        let schema = List::<u8, 2>::json_schema(&mut SchemaGenerator::default());
        assert_eq!(schema.get("maxItems"), Some(&json!(2)));
    }

    #[test]
    fn numbers_are_bounded() {
        assert_eq!(from_value::<Whole<1, 40>>(json!(40)).ok().map(Whole::number), Some(40));
        for bad in [json!(0), json!(41), json!(1.5), json!("1"), json!(null), json!(u64::MAX)] {
            assert!(from_value::<Whole<1, 40>>(bad).is_err());
        }
        assert!(Whole::<1, 40>::new(0).is_none());
        let schema = Whole::<1, 40>::json_schema(&mut SchemaGenerator::default());
        assert_eq!((schema.get("minimum"), schema.get("maximum")), (Some(&json!(1)), Some(&json!(40))));
    }
}
