//! What all of OTLP has in common, in its JSON encoding (OTLP 1.x): 64-bit numbers are texts, and ids are hex.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::resource::Teller;

/// What told it: the same of every signal.
pub(super) fn scope() -> Value {
    json!({ "name": super::SCOPE, "version": env!("CARGO_PKG_VERSION") })
}

/// Who told it.
pub(super) fn resource(teller: &Teller) -> Value {
    json!({ "attributes": teller.attributes().map(|(name, value)| text(name, value)).collect::<Vec<_>>() })
}

/// An attribute that is a text.
pub(super) fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// An attribute that is a number.
pub(super) fn number(key: &str, value: i64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// A moment.
pub(super) fn nanos(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// An id.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
