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

/// What no class lets be absent, what one of several must be there of, and nothing that is null (OCSF 1.4).
#[test]
fn every_kind_of_event_has_what_its_class_requires() {
    let core = |kind: &str, tool: &str| json!({ "event_type": kind, "event_id": "e", "occurred_at": "2026-11-22T01:17:37Z", "outcome": "allowed", "principal_id": "local", "tool_name": tool });
    let kinds = ["intent", "outcome", "denied", "deferred", "auth.accepted", "auth.refused", "auth.ended", "plugin.installed"];
    let more = [
        "plugin.updated",
        "plugin.removed",
        "plugin.loaded",
        "host.started",
        "host.stopped",
        "resource.read",
        "audit.pruned",
        "approval.voted",
    ];
    for kind in kinds.into_iter().chain(more) {
        let event: Value =
            serde_json::from_str(&Form::Ocsf.line(&entry(core(kind, if kind.contains('.') { "" } else { "t" })))).unwrap();
        let at = |path: &str| event.pointer(path).is_some_and(|value| !value.is_null() && *value != "");
        let required: &[&str] = match event["class_uid"].as_u64().unwrap() {
            3002 => &["/user/name", "/service/name"],
            6002 => &["/app/vendor_name", "/app/name"],
            6003 => &["/actor/user/name", "/api/operation", "/api/service/name", "/src_endpoint/name"],
            _ => &["/of/no/class/that/is/known"],
        };
        let always = [
            "/activity_id",
            "/category_uid",
            "/class_uid",
            "/severity_id",
            "/time",
            "/type_uid",
            "/metadata/version",
            "/metadata/product/vendor_name",
        ];
        for path in required.iter().chain(&always) {
            assert!(at(path), "{kind}: {path} in {event}");
        }
        assert_eq!(
            event["type_uid"].as_u64().unwrap(),
            event["class_uid"].as_u64().unwrap() * 100 + event["activity_id"].as_u64().unwrap()
        );
        assert_eq!(event["category_uid"].as_u64().unwrap(), event["class_uid"].as_u64().unwrap() / 1000);
        assert!(!event.to_string().contains(":null"), "{kind}: {event}");
    }
}

#[test]
fn an_address_of_version_6_has_the_place_that_cef_has_for_one() {
    let mut raw = hostile().raw;
    raw["extensions"]["casemate"]["requests"][0]["address"] = json!("2001:db8::1");
    let line = Form::Cef.line(&entry(raw));
    assert!(line.contains(" c6a3Label=Destination IPv6 Address c6a3=2001:db8::1 ") && !line.contains(" dst="), "{line}");
}

#[test]
fn cef_values_are_no_longer_than_its_dictionary_lets_them_be() {
    let mut raw = hostile().raw;
    raw["extensions"]["casemate"]["reason"] = json!("漢".repeat(3000));
    raw["tool_name"] = json!("t".repeat(3000));
    let line = Form::Cef.line(&entry(raw));
    assert!(line.contains(&format!(" reason={} ", "漢".repeat(1023))) && line.contains(&format!(" act={} ", "t".repeat(63))));
}

/// Read as RFC 5424 has it, section 6: every part is where it must be, and no value ends its own.
#[test]
fn a_syslog_message_is_one_whatever_is_in_it() {
    for (raw, host) in [(hostile().raw, "host"), (json!({}), ""), (hostile().raw, "h\u{e9} \n<13>1 -")] {
        let framed = super::syslog(&entry(raw.clone()), Form::Cef, host);
        let (length, message) = framed.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), message.len());
        let mut parts = message.splitn(7, ' ');
        let mut next = || parts.next().unwrap();
        let (priority, version) = next().strip_prefix('<').unwrap().split_once('>').unwrap();
        assert!((104..=111).contains(&priority.parse::<u8>().unwrap()) && version == "1");
        let (time, name, app, process, kind) = (next(), next(), next(), next(), next());
        assert!(time == "-" || time.ends_with('Z'), "{time}");
        assert!(app == "casemate" && process.parse::<u32>().is_ok() && !kind.is_empty() && kind.len() <= 32);
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
        // Structured data ends with the first bracket that is not escaped.
        let rest = next();
        let end = rest.char_indices().find(|(at, c)| *c == ']' && !rest[..*at].ends_with('\\')).unwrap().0;
        let (data, text) = rest.split_at(end + 1);
        assert!(data.starts_with("[casemate@32473") && text.starts_with(" \u{feff}CEF:0|"), "{rest}");
        assert!(!message.contains(['\n', '\r']), "{message:?}");
    }
}

/// Every record that the demo or a test has ever made can be exported: nothing in a record is taken for granted.
#[test]
fn a_record_without_anything_is_exported() {
    for form in [Form::Jsonl, Form::Ocsf, Form::Cef] {
        assert!(!form.line(&entry(json!({}))).is_empty());
    }
}
