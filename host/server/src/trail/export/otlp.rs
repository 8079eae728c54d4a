//! OpenTelemetry log records, in the JSON encoding of OTLP 1.x.

use casemate_audit::Entry;
use serde_json::{Value, json};

use super::{field, millis, told, weight};

/// One `ExportLogsServiceRequest`.
pub(crate) fn logs(entries: &[Entry], service: &str) -> Value {
    json!({
        "resourceLogs": [{
            "resource": { "attributes": [
                attribute("service.name", service),
                attribute("service.version", env!("CARGO_PKG_VERSION")),
            ] },
            "scopeLogs": [{
                "scope": { "name": "casemate.audit" },
                "logRecords": entries.iter().map(record).collect::<Vec<_>>(),
            }],
        }],
    })
}

fn record(entry: &Entry) -> Value {
    let nanos = millis(entry).saturating_mul(1_000_000).to_string();
    let (number, text) = match weight(entry) {
        8.. => (17, "ERROR"),
        6..=7 => (13, "WARN"),
        _ => (9, "INFO"),
    };
    let named = [
        ("enduser.id", Some(entry.principal_id())),
        ("gen_ai.tool.name", Some(entry.tool_name())),
        ("casemate.audit.id", Some(entry.event_id())),
        ("casemate.audit.hash", entry.raw.get("event_hash").and_then(Value::as_str)),
        ("casemate.outcome", Some(entry.outcome())),
        ("casemate.call_id", field(entry, "call_id")),
        ("casemate.grant", field(entry, "grant")),
        ("casemate.effect", field(entry, "effect")),
        ("casemate.reason", field(entry, "reason").or_else(|| field(entry, "ending"))),
        ("casemate.approval", entry.approval()),
    ];
    let mut attributes: Vec<Value> =
        named.into_iter().filter_map(|(name, value)| Some(attribute(name, value.filter(|value| !value.is_empty())?))).collect();
    attributes.push(attribute("casemate.record", &entry.raw.to_string()));
    let mut record = json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": number,
        "severityText": text,
        "eventName": format!("casemate.{}", entry.event_type()),
        "body": { "stringValue": told(entry) },
        "attributes": attributes,
    });
    if let (Some(trace), Some(record)) = (field(entry, "trace"), record.as_object_mut()) {
        record.insert("traceId".to_owned(), Value::from(trace));
    }
    record
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}
