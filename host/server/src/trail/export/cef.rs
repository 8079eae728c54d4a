//! ArcSight Common Event Format, version 0 (implementation standard 25).

use casemate_audit::Entry;
use casemate_policy::text::visible;

use super::{field, millis, requests, told, weight};

/// Characters of a name.
const MAX_HEADER: usize = 512;

/// `CEF:0|vendor|product|version|class|name|severity|extension`.
pub(super) fn event(entry: &Entry) -> String {
    let mut line = String::from("CEF:0|Casemate|casemate");
    for part in [env!("CARGO_PKG_VERSION"), entry.event_type(), &told(entry), &weight(entry).to_string()] {
        line.push('|');
        line.push_str(&header(&part.chars().take(MAX_HEADER).collect::<String>()));
    }
    line.push('|');
    let targets = entry.targets().collect::<Vec<_>>().join(" ");
    let request = requests(entry).last();
    let of_request = |name| request.and_then(|request| request.get(name)?.as_str());
    // `dst` is an IPv4 address, and one of version 6 has a place of its own.
    let (v6, v4): (Vec<&str>, Vec<&str>) = of_request("address").into_iter().partition(|address| address.contains(':'));
    let (v4, v6) = (v4.first().copied(), v6.first().copied());
    let time = millis(entry).to_string();
    let named = |value: Option<&str>, label: &'static str| value.map(|_| label.to_owned());
    let (effect, grant, approval, trace) =
        (field(entry, "effect"), field(entry, "grant"), entry.approval(), field(entry, "trace"));
    let targets = Some(targets.as_str()).filter(|targets| !targets.is_empty());
    let pairs = [
        ("rt", Some(time)),
        ("externalId", Some(entry.event_id().to_owned())),
        ("suser", Some(entry.principal_id().to_owned())),
        ("act", Some(entry.tool_name().to_owned()).filter(|tool| !tool.is_empty())),
        ("outcome", Some(entry.outcome().to_owned())),
        ("reason", field(entry, "reason").or_else(|| field(entry, "ending")).map(str::to_owned)),
        ("requestMethod", of_request("method").map(str::to_owned)),
        ("request", of_request("url").map(str::to_owned)),
        ("dst", v4.map(str::to_owned)),
        ("c6a3Label", named(v6, "Destination IPv6 Address")),
        ("c6a3", v6.map(str::to_owned)),
        ("cs1Label", named(effect, "effect")),
        ("cs1", effect.map(str::to_owned)),
        ("cs2Label", named(grant, "grant")),
        ("cs2", grant.map(str::to_owned)),
        ("cs3Label", named(approval, "approval")),
        ("cs3", approval.map(str::to_owned)),
        ("cs4Label", named(targets, "targets")),
        ("cs4", targets.map(str::to_owned)),
        ("cs5Label", named(trace, "trace")),
        ("cs5", trace.map(str::to_owned)),
        ("cs6Label", Some("eventHash".to_owned())),
        ("cs6", entry.raw.get("event_hash").and_then(|hash| hash.as_str()).map(str::to_owned)),
    ];
    let pairs = pairs.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", extension(&bounded(key, value?)))));
    line.push_str(&pairs.collect::<Vec<_>>().join(" "));
    line
}

/// As much of a value as the standard's dictionary has place for.
fn bounded(key: &str, value: String) -> String {
    let most = match key {
        "act" | "outcome" => 63,
        "requestMethod" => 255,
        "suser" | "reason" | "request" => 1023,
        _ => 4000,
    };
    value.chars().take(most).collect()
}

/// A part of the header: no line's end, and `\` and `|` escaped.
fn header(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A value of the extension: `\`, `=` and line's ends escaped.
fn extension(text: &str) -> String {
    visible(text).replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}
