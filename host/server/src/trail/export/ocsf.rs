//! Open Cybersecurity Schema Framework, version 1.4.

use casemate_audit::Entry;
use serde_json::{Value, json};

use super::{field, millis, requests, told, weight};

/// The version of the schema.
const VERSION: &str = "1.4.0";

/// A class of events and what was done in its terms.
struct Kind {
    class: u32,
    activity: u32,
    class_name: &'static str,
    category: u32,
    category_name: &'static str,
}

/// Calls are API activity; logins authentication; what becomes of plugins and of the host the lifecycle of an application.
fn kind(entry: &Entry) -> Kind {
    let (class, activity) = match entry.event_type() {
        "auth.accepted" | "auth.refused" => (3002, 1),
        "auth.ended" => (3002, 2),
        "plugin.installed" => (6002, 1),
        "plugin.removed" => (6002, 2),
        "plugin.loaded" | "host.started" => (6002, 3),
        "host.stopped" => (6002, 4),
        "plugin.updated" | "plugin.rolled-back" => (6002, 8),
        "plugin.pinned" | "plugin.load-failed" => (6002, 99),
        "resource.read" => (6003, 2),
        _ => (
            6003,
            match field(entry, "effect") {
                Some("read") => 2,
                Some("write") => 3,
                _ => 99,
            },
        ),
    };
    let (class_name, category, category_name) = match class {
        3002 => ("Authentication", 3, "Identity & Access Management"),
        6002 => ("Application Lifecycle", 6, "Application Activity"),
        _ => ("API Activity", 6, "Application Activity"),
    };
    Kind { class, activity, class_name, category, category_name }
}

fn activity_name(kind: &Kind) -> &'static str {
    match (kind.class, kind.activity) {
        (3002, 1) => "Logon",
        (3002, 2) => "Logoff",
        (6002, 1) => "Install",
        (6002, 2) => "Remove",
        (6002, 3) => "Start",
        (6002, 4) => "Stop",
        (6002, 8) => "Update",
        (6003, 2) => "Read",
        (6003, 3) => "Update",
        _ => "Other",
    }
}

/// One event. What has no place in the schema is under `unmapped`, and the whole record under `raw_data`.
pub(super) fn event(entry: &Entry) -> Value {
    let kind = kind(entry);
    let (status, status_name) = match entry.outcome() {
        "allowed" => (1, "Success"),
        "denied" | "error" => (2, "Failure"),
        "unknown" => (0, "Unknown"),
        _ => (99, "Other"),
    };
    let (severity, severity_name) = match weight(entry) {
        8.. => (4, "High"),
        6..=7 => (3, "Medium"),
        4..=5 => (2, "Low"),
        _ => (1, "Informational"),
    };
    let service = field(entry, "plugin").unwrap_or("casemate");
    let operation = if entry.tool_name().is_empty() { entry.event_type() } else { entry.tool_name() };
    let resources = entry.targets().map(|target| json!({ "name": target }));
    let asked = requests(entry).last().map(|request| {
        let of = |name| request.get(name).and_then(Value::as_str);
        json!({ "http_method": of("method"), "url": of("url").map(|url| json!({ "url_string": url })) })
    });
    let mut event = json!({
        "activity_id": kind.activity,
        "activity_name": activity_name(&kind),
        "category_uid": kind.category,
        "category_name": kind.category_name,
        "class_uid": kind.class,
        "class_name": kind.class_name,
        "type_uid": kind.class * 100 + kind.activity,
        "type_name": format!("{}: {}", kind.class_name, activity_name(&kind)),
        "time": millis(entry),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "status_code": entry.outcome(),
        "status_detail": field(entry, "reason").or_else(|| field(entry, "ending")),
        "message": told(entry),
        "metadata": {
            "version": VERSION,
            "uid": entry.event_id(),
            "event_code": entry.event_type(),
            "log_name": "casemate audit",
            "correlation_uid": field(entry, "call_id"),
            "product": { "name": "casemate", "vendor_name": "Casemate", "version": env!("CARGO_PKG_VERSION") },
        },
        "actor": { "user": { "name": entry.principal_id(), "uid": entry.principal_id() } },
        "raw_data": entry.raw.to_string(),
        "unmapped": entry.raw.get("extensions").and_then(|extensions| extensions.get("casemate")),
    });
    let call = field(entry, "call_id").map(|call| json!({ "uid": call }));
    let own = match kind.class {
        3002 => json!({
            "user": { "name": entry.principal_id(), "uid": entry.principal_id() },
            "service": { "name": "casemate" },
        }),
        6002 => json!({ "app": { "name": service, "vendor_name": "Casemate" } }),
        _ => json!({
            "api": { "operation": operation, "service": { "name": service }, "request": call },
            "src_endpoint": { "name": field(entry, "via").unwrap_or("casemate") },
            "resources": resources.collect::<Vec<_>>(),
            "http_request": asked,
        }),
    };
    if let (Some(event), Value::Object(own)) = (event.as_object_mut(), own) {
        event.extend(own);
    }
    // The record itself is under `unmapped` as it is.
    let whole = event.get_mut("unmapped").map(Value::take);
    said(&mut event);
    if let (Some(event), Some(whole)) = (event.as_object_mut(), whole.filter(Value::is_object)) {
        event.insert("unmapped".to_owned(), whole);
    }
    event
}

/// What is not known is left out, at any depth.
fn said(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.values_mut().for_each(said);
        object.retain(|_, value| !value.is_null());
    }
}
