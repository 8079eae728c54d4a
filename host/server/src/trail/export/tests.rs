use casemate_audit::{Entry, Place};
use serde_json::{Value, json};

use super::Form;

fn entry(raw: Value) -> Entry {
    Entry { place: Place { record: 0, segment: String::new(), line: 1, offset: 0 }, raw }
}

/// A call with everything in it that breaks a format.
fn hostile() -> Entry {
    entry(json!({
        "event_hash": "00ff", "event_id": "01a200d4-874b-7000-8e00-c84aa988e74e", "event_type": "outcome",
        "occurred_at": "2026-11-22T01:17:37.995Z", "outcome": "denied", "principal_id": "token:a|b=c\\d", "tool_name": "vt_look",
        "extensions": { "casemate": {
            "call_id": "c1", "effect": "write", "reason": "scope|x=y\\z\nCEF:0|forged", "message": "line\r\n<13>1 forged \u{202e}",
            "grant": "g", "approval": "a\"]x", "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
            "targets": [{ "dimension": "host", "values": ["a=b", "c|d"] }],
            "requests": [{ "method": "POST", "url": "https://x/?a=b|c", "status": "403", "address": "192.0.2.1" }],
        } },
    }))
}

#[test]
fn json_lines_are_the_records() {
    let entry = hostile();
    assert_eq!(serde_json::from_str::<Value>(&Form::Jsonl.line(&entry)).unwrap(), entry.raw);
}

#[test]
fn no_value_ends_a_line_or_a_field() {
    for form in [Form::Jsonl, Form::Ocsf, Form::Cef] {
        let line = form.line(&hostile());
        assert!(!line.contains(['\n', '\r', '\u{202e}']) || form != Form::Cef, "{line:?}");
        assert!(!line.contains(['\n', '\r']), "{line:?}");
    }
}

#[test]
fn cef_is_escaped_as_its_standard_says() {
    let line = Form::Cef.line(&hostile());
    // Seven bars that are no one's value, and the first word of the extension.
    let bars = line.char_indices().filter(|(at, c)| *c == '|' && !line[..*at].ends_with('\\')).map(|(at, _)| at);
    let extension = bars.skip(6).map(|at| &line[at + 1..]).next().unwrap();
    assert!(line.starts_with("CEF:0|Casemate|casemate|"), "{line}");
    assert!(
        extension.starts_with("rt=1795310257995 externalId=01a200d4-874b-7000-8e00-c84aa988e74e suser=token:a|b\\=c\\\\d "),
        "{extension}"
    );
    assert!(
        extension
            .contains(" reason=scope|x\\=y\\\\z\\nCEF:0|forged requestMethod=POST request=https://x/?a\\=b|c dst=192.0.2.1 ")
    );
    assert!(extension.contains(" cs4Label=targets cs4=a\\=b c|d "), "{extension}");
}

#[test]
fn ocsf_events_have_what_their_class_requires() {
    let of = |raw: Value| serde_json::from_str::<Value>(&Form::Ocsf.line(&entry(raw))).unwrap();
    let call: Value = serde_json::from_str(&Form::Ocsf.line(&hostile())).unwrap();
    assert_eq!((&call["class_uid"], &call["type_uid"], &call["status_id"]), (&json!(6003), &json!(600_303), &json!(2)));
    assert_eq!(call["time"], json!(1_795_310_257_995_u64));
    for required in ["activity_id", "category_uid", "severity_id", "metadata", "actor", "api", "src_endpoint"] {
        assert!(call.get(required).is_some_and(|value| !value.is_null()), "{required}");
    }
    let core = |kind: &str| json!({ "event_type": kind, "event_id": "e", "occurred_at": "2026-11-22T01:17:37Z", "outcome": "allowed", "principal_id": "local", "tool_name": "" });
    assert_eq!(of(core("auth.refused"))["class_uid"], 3002);
    assert_eq!(of(core("auth.refused"))["user"]["uid"], "local");
    assert_eq!(of(core("plugin.installed"))["type_uid"], 600_201);
    assert_eq!(of(core("host.stopped"))["app"]["name"], "casemate");
    assert_eq!(of(core("approval.voted"))["type_uid"], 600_399);
}

/// Every record that the demo or a test has ever made can be exported: nothing in a record is taken for granted.
#[test]
fn a_record_without_anything_is_exported() {
    for form in [Form::Jsonl, Form::Ocsf, Form::Cef] {
        assert!(!form.line(&entry(json!({}))).is_empty());
    }
}
