//! Strict JSON: everything it takes, serde_json takes with the same meaning, and nothing in it has a second reading.

#![no_main]

use casemate_signing::strict_json::{MAX_DEPTH, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = parse(bytes) else { return };
    assert_eq!(serde_json::from_slice::<Value>(bytes).ok().as_ref(), Some(&value));
    assert!(depth(&value) <= MAX_DEPTH);
    let written = value.to_string();
    assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&value));
    // Written by the order of the text, so one text is written for one value.
    assert_eq!(parse(written.as_bytes()).map(|value| value.to_string()), Ok(written));
});

/// Containers inside one another; a fraction or an exponent is nowhere.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Number(number) => {
            assert!(number.is_i64() || number.is_u64(), "{number} is no integer");
            0
        }
        Value::Null | Value::Bool(_) | Value::String(_) => 0,
    }
}
