//! VictoriaLogs' plugin as it is packed: it reads one granted stream in a granted span, and no query gets it to read another.

use std::{fs, os::unix::fs::PermissionsExt};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_signing::manifest::pattern;
use serde_json::{Value, json};

use super::held;
use crate::harness::House;

const QUERY: &str = "POST /select/logsql/query";
const SECRET: &str = "what-nobody-may-read";

/// Two streams and a week are granted, and one field is kept back.
const CONFIG: &str = r#"
environment = "dev"
breaker = { denials = false, variants = false, burst = false }

[plugins.@]
secret.password.file = "secrets/api_key"
secret.username.file = "secrets/username"
settings = { stream_field = "app", account = "12", project = "34", redact = ["password"] }

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "read"
scope.stream = ["nginx", "sshd"]
scope.window = ["7d"]
"#;

fn house() -> House {
    let house = House::beside("siem-victorialogs", CONFIG);
    let username = house.folder().join("secrets/username");
    fs::write(&username, "casemate").unwrap();
    fs::set_permissions(&username, fs::Permissions::from_mode(0o600)).unwrap();
    house
}

fn whole() -> Value {
    json!({ "stream": "nginx", "window": "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z" })
}

fn arguments(query: &str) -> Value {
    let mut arguments = whole();
    arguments["query"] = json!(query);
    arguments
}

/// The form of the one request that has reached the server since.
fn sent(house: &House) -> String {
    let received = house.upstreams().received_by("siem-victorialogs");
    assert_eq!(received.len(), 1);
    String::from_utf8(STANDARD.decode(received[0].0["body_base64"].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn a_stream_is_searched_as_its_tenant() {
    let house = house().serve();
    let found =
        house.call("search_logs", arguments("level:=error says | fields _time, _msg")).done(&["60 entries", "number 236"]);
    assert_eq!(found.structured()["results"]["columns"], json!(["_time", "_msg"]));
    let received = house.upstreams().received_by("siem-victorialogs");
    assert_eq!(
        (received[0].headers("accountid"), received[0].headers("projectid")),
        (vec!["12".to_owned()], vec!["34".to_owned()])
    );
    assert!(received[0].headers("authorization")[0].starts_with("Basic "));
    let mut sshd = arguments("* | stats count() as n");
    sshd["stream"] = json!("sshd");
    house.call("search_logs", sshd).done(&["n=60"]);
}

#[test]
fn entries_are_bounded_and_what_is_kept_back_is_nowhere() {
    let house = house().serve();
    house.call("search_logs", whole()).done(&["100 entries; there are more"]).silent(&["pw-", "_stream_id", SECRET]);
    for (query, part) in [
        ("password:~\"pw\"", "keeps"),
        ("* | fields password", "keeps"),
        ("* | rename password as x", "keeps"),
        ("* | stats max(password) as x", "keeps"),
        ("* | stats uniq_values() as x", "reads every field"),
        ("* | unpack_json | stats values() as x", "reads every field"),
    ] {
        house.call_fresh("search_logs", arguments(query)).ended("error", "invalid-arguments", &[part]);
        assert!(house.reached().is_empty(), "{query}");
    }
    // Nothing outside of the span is looked at.
    let mut hour = whole();
    hour["window"] = json!("2026-11-22T00:00:00Z/2026-11-22T00:10:00Z");
    house.call("search_logs", hour).done(&["10 entries\n"]);
}

#[test]
fn no_query_reads_another_stream() {
    let house = house().serve();
    for query in [
        "* | union (app:=\"secrets\")",
        "* | join by (user) (app:=\"secrets\")",
        "user:in(secrets | fields user)",
        "{app=\"secrets\"}",
        "* or _stream:{app=\"secrets\"}",
        "options(ignore_global_time_filter=true) *",
        "_time:10y",
        "* | stream_context before 100",
        "\"a\\x22 | union (secrets)\"",
        "* # \n| union (secrets)",
        "* \u{ff5c} union (secrets)",
    ] {
        house
            .call_fresh("search_logs", arguments(query))
            .ended("error", "invalid-arguments", &["refused at byte"])
            .silent(&[SECRET]);
        assert!(house.reached().is_empty(), "{query}");
    }
    // What is no escape finds nothing of another stream: the server puts the granted one into it.
    for query in ["app:=secrets", "* or app:=\"secrets\"", "\"} or {app=\\\"secrets\\\"} | union (secrets)\""] {
        house.call_fresh("search_logs", arguments(query)).done(&[]).silent(&[SECRET]);
        assert!(sent(&house).contains("extra_stream_filters=%7B%22app%22%3A%22nginx%22%7D"), "{query}");
    }
}

/// What a component that lies would have to get past: the patterns that the gate holds a form against, as they are signed.
#[test]
fn the_gate_lets_no_form_through_without_one_stream_and_a_plain_query() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins");
    let manifest: toml::Table = fs::read_to_string(format!("{folder}/siem-victorialogs/plugin.toml")).unwrap().parse().unwrap();
    let body = &manifest["upstream"]["siem-victorialogs"]["request"][0]["require"]["body"];
    let gate = |field: &str| pattern::compile(body[field]["pattern"].as_str().unwrap()).unwrap();
    let query = gate("query");
    let sent = fs::read_to_string(format!("{folder}/siem/tests/corpus/logsql-sent.txt")).unwrap();
    assert!(sent.lines().count() >= 30 && sent.lines().all(|sent| query.is_match(sent)));
    for other in ["{app=\"secrets\"}", "* # x", "`x`", "'x'", "* \"", "\"a\"\"", "\"a\nb\"", "*; x", "*\n", "", "\"\\q\""] {
        assert!(!query.is_match(other), "{other}");
    }
    for (field, good, bad) in [
        (
            "extra_stream_filters",
            r#"{"app":"nginx"}"#,
            &["", "{}", r#"{"app":["nginx","x"]}"#, r#"{"app":"nginx","b":"c"}"#, r#"{"app":"*"}"#][..],
        ),
        ("hidden_fields_filters", r#"["password","token"]"#, &["", "password", r#"["pass*"]"#, r#"["a",]"#]),
        ("start", "2026-11-21T00:00:00Z", &["", "1d", "0", "2026-11-21"]),
        ("end", "2026-11-21T00:00:00Z", &["", "now", "2026-11-21T00:00:00+00:00"]),
        ("limit", "1001", &["", "0", "1002", "01", "-1"]),
    ] {
        let gate = gate(field);
        assert!(gate.is_match(good), "{field}");
        assert!(bad.iter().all(|bad| !gate.is_match(bad)), "{field}");
    }
}

/// What the gate holds against the grant is the one stream that the server puts into the query, whatever is around it.
#[test]
fn the_stream_that_is_sent_is_what_the_gate_holds_against_the_grant() {
    for (sent, stream) in [
        (r#"{"app":"nginx"}"#, Some("nginx")),
        (r#"{"nginx":"secrets"}"#, Some("secrets")),
        (r#"{"kubernetes.namespace":"a-b_c.d"}"#, Some("a-b_c.d")),
        (r#"{"app":"secrets","x":"nginx"}"#, None),
        (r#"{"app":"nginx\",\"x\":\"secrets"}"#, None),
        (r#"{"app":["nginx"]}"#, None),
        (r#"{"app":"nginx"} "#, None),
    ] {
        let held = held("siem-victorialogs", "siem-victorialogs", "extra_stream_filters", "stream", sent);
        assert_eq!(held.as_deref(), stream, "{sent}");
    }
}

#[test]
fn what_is_not_granted_reaches_nobody() {
    let house = house().serve();
    for (name, value, reason) in [
        ("stream", json!("secrets"), "out-of-scope"),
        ("stream", json!("Nginx"), "out-of-scope"),
        ("stream", json!("*"), "arguments-invalid"),
        ("stream", json!("nginx\",\"x\":\""), "arguments-invalid"),
        ("stream", json!(["nginx", "secrets"]), "arguments-invalid"),
        ("window", json!("2026-11-01T00:00:00Z/2026-11-22T00:00:00Z"), "out-of-scope"),
        ("window", json!("1d"), "arguments-invalid"),
        ("limit", json!(1_001), "arguments-invalid"),
        ("start", json!("2020-01-01T00:00:00Z"), "arguments-invalid"),
        ("account", json!("0"), "arguments-invalid"),
    ] {
        let mut arguments = whole();
        arguments[name] = value;
        house.call_fresh("search_logs", arguments.clone()).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{arguments}");
    }
}

#[test]
fn what_victorialogs_declines_is_told() {
    let house = house().serve();
    for (error, reason) in [
        ("syntax", "invalid-arguments"),
        ("unauthorized", "unauthorized"),
        ("busy", "rate-limited"),
        ("storage", "unavailable"),
        ("overloaded", "unavailable"),
    ] {
        house.scripted(QUERY, json!({ "error": error }));
        house.call_fresh("search_logs", arguments("x")).ended("error", reason, &[]).silent(&["ignore previous"]);
    }
    house.upstreams().order("siem-victorialogs", &json!({ "key": "another-password" }));
    house.call_fresh("search_logs", arguments("x")).ended("error", "unauthorized", &["password"]);
}

#[test]
fn a_victorialogs_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("search_logs", &arguments("says | limit 1"), QUERY);
}
