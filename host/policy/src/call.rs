//! What a principal asks for: a tool, by the name it was given, and arguments.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Containers inside one another in the arguments of a call. Enough for any form a person fills in.
pub(crate) const MAX_DEPTH: usize = 32;

/// The greatest integer that every JSON reader reads alike (RFC 7493, section 2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// One call, as it was asked for. Nothing in it has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    tool: String,
    arguments: Arc<Value>,
    /// Whether it reads a log source: no tool is called that, whatever its name.
    reads: bool,
}

/// What is wrong with arguments as such, before any schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArgumentsFault {
    NotObject,
    TooDeep,
    NumberOutOfRange,
}

impl Call {
    /// Any text as the tool's name and any value as arguments: judging them is the layers' work.
    pub fn new(tool: impl Into<String>, arguments: Value) -> Self {
        Self { tool: tool.into(), arguments: Arc::new(arguments), reads: false }
    }

    /// The same as a read of a log source.
    pub(crate) fn reading(self) -> Self {
        Self { reads: true, ..self }
    }

    /// Whether it reads a log source.
    pub fn reads_source(&self) -> bool {
        self.reads
    }

    /// The tool's name as it was asked for.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The arguments as they were sent.
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    pub(crate) fn shared_arguments(&self) -> Arc<Value> {
        Arc::clone(&self.arguments)
    }

    /// Whether the arguments mean one thing: an object, not nested too deeply, without numbers that two readers read
    /// differently. RFC 8785 writes numbers as doubles: without this two calls could share a digest.
    pub(crate) fn well_formed(&self) -> Result<(), ArgumentsFault> {
        if !self.arguments.is_object() {
            return Err(ArgumentsFault::NotObject);
        }
        walk(&self.arguments, 0)
    }

    /// Lower-case hex SHA-256 of the arguments' canonical form (RFC 8785); none where they are not well-formed.
    pub fn arguments_digest(&self) -> Option<String> {
        self.well_formed().ok()?;
        canonical_digest(&self.arguments)
    }
}

fn walk(value: &Value, depth: usize) -> Result<(), ArgumentsFault> {
    match value {
        Value::Array(_) | Value::Object(_) if depth == MAX_DEPTH => Err(ArgumentsFault::TooDeep),
        Value::Array(items) => items.iter().try_for_each(|item| walk(item, depth + 1)),
        Value::Object(map) => map.values().try_for_each(|item| walk(item, depth + 1)),
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_none_or(|n| n <= MAX_SAFE_INTEGER) { Ok(()) } else { Err(ArgumentsFault::NumberOutOfRange) }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Lower-case hex SHA-256 of a value's canonical form (RFC 8785).
pub(crate) fn canonical_digest(value: &Value) -> Option<String> {
    let canonical = serde_json_canonicalizer::to_vec(value).ok()?;
    Some(hex(&Sha256::digest(canonical)))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|nibble| DIGITS.get(usize::from(nibble))).collect()
}

#[cfg(test)]
mod tests {
    use super::{ArgumentsFault, Call};
    use serde_json::{Value, json};

    fn nested(depth: usize) -> Value {
        (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn the_digest_does_not_depend_on_spelling() {
        let digest = |value| Call::new("t", value).arguments_digest();
        assert_eq!(digest(json!({"b": 1, "a": 2.0})), digest(json!({"a": 2, "b": 1})));
        assert_ne!(digest(json!({"a": "1"})), digest(json!({"a": 1})));
        // printf '{}' | sha256sum
        assert_eq!(digest(json!({})).as_deref(), Some("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"));
    }

    #[test]
    fn arguments_that_mean_two_things_are_refused() {
        let fault = |value| Call::new("t", value).well_formed();
        assert_eq!(fault(json!([])), Err(ArgumentsFault::NotObject));
        assert_eq!(fault(nested(32)), Ok(()));
        assert_eq!(fault(nested(33)), Err(ArgumentsFault::TooDeep));
        assert_eq!(fault(json!({"n": 9_007_199_254_740_991_u64, "m": -9_007_199_254_740_991_i64})), Ok(()));
        for number in [json!(9_007_199_254_740_992_u64), json!(-9_007_199_254_740_992_i64), json!(u64::MAX), json!(i64::MIN)] {
            assert_eq!(fault(json!({"n": [number]})), Err(ArgumentsFault::NumberOutOfRange));
        }
    }
}
