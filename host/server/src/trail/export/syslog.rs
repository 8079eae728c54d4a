//! Syslog messages (RFC 5424), framed for a stream (RFC 6587, octet counting; RFC 5425 demands it over TLS).

use casemate_audit::Entry;
use casemate_policy::text::visible;

use super::{Form, field, weight};

/// Facility 13, log audit.
const FACILITY: u8 = 13;
/// An SD-ID of one's own needs an enterprise number. This is the one that RFC 5612 reserves for documentation.
const ID: &str = "casemate@32473";

/// One message with its length before it.
pub(crate) fn message(entry: &Entry, form: Form, host: &str) -> String {
    let severity = match weight(entry) {
        8.. => 3,
        6..=7 => 4,
        4..=5 => 5,
        _ => 6,
    };
    let mut data = format!("[{ID}");
    for (name, value) in [
        ("id", Some(entry.event_id())),
        ("principal", Some(entry.principal_id())),
        ("tool", Some(entry.tool_name())),
        ("outcome", Some(entry.outcome())),
        ("call", field(entry, "call_id")),
        ("approval", entry.approval()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            data.push_str(&format!(" {name}=\"{}\"", value_of(value)));
        }
    }
    data.push(']');
    let line = form.line(entry);
    let text = format!(
        "<{}>1 {} {} casemate {} {} {data} \u{feff}{}",
        FACILITY * 8 + severity,
        name(entry.occurred_at(), 32),
        name(host, 255),
        std::process::id(),
        name(entry.event_type(), 32),
        line.replace('\n', " ")
    );
    format!("{} {text}", text.len())
}

/// PRINTUSASCII, or the nil value.
fn name(text: &str, most: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// A parameter's value: `"`, `\` and `]` escaped.
fn value_of(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]").replace('\n', " ")
}
