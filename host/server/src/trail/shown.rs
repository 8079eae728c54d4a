//! One record as one line.

use casemate_audit::Entry;
use casemate_policy::text::visible;
use serde_json::Value;

/// Its id, when, what came of it, who, what, and why; each request on a line below.
pub(crate) fn line(entry: &Entry) -> String {
    // What is not about a call keeps its facts one level down.
    let fact = |name: &str| entry.field(name).or_else(|| entry.field("fields")?.get(name));
    let text = |name: &str| fact(name).and_then(Value::as_str).map(|text| visible(text).into_owned()).unwrap_or_default();
    let tool = if entry.tool_name().is_empty() { text("plugin") } else { visible(entry.tool_name()).into_owned() };
    let why = [text("ending"), text("reason")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let requests = entry
        .field("requests")
        .and_then(Value::as_array)
        .map(|requests| requests.iter().map(request).collect::<String>())
        .unwrap_or_default();
    format!(
        "{}  {}  {:<8} {:<14} {:<10} {:<30} {why}{requests}",
        visible(entry.event_id()),
        entry.occurred_at(),
        entry.outcome(),
        entry.event_type(),
        visible(entry.principal_id()),
        tool
    )
    .trim_end()
    .to_owned()
}

fn request(request: &Value) -> String {
    let text = |name: &str| request.get(name).and_then(Value::as_str).map(|text| visible(text).into_owned()).unwrap_or_default();
    format!(
        "\n    {} {} → {}",
        text("method"),
        text("url"),
        if text("status").is_empty() { text("state") } else { text("status") }
    )
}
