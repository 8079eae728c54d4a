//! Sentinel's plugin as it is packed: it reads one granted table in a granted span, and no query gets it to read another.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_signing::manifest::pattern;
use serde_json::{Value, json};

use super::held;
use crate::harness::{House, Upstreams};

const WORKSPACE: &str = "b438b3f6-912a-46d5-9cb1-b44069212ab4";
const FORBIDDEN: &str = "b438b3f6-912a-46d5-9cb1-b44069212abc";
const QUERY: &str = "POST /v1/workspaces/b438b3f6-912a-46d5-9cb1-b44069212ab4/query";
const SECRET: &str = "what-nobody-may-read";

/// Two workspaces, two tables and a week are granted, and one column is kept back.
const CONFIG: &str = r#"
environment = "dev"

[plugins.siem-sentinel]
secret.client_secret.file = "secrets/api_key"
settings.tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"
settings.client_id = "8d6a1c0e-2a5b-4c7e-9a57-0c4d3f0b6a11"
settings.redact = ["Password"]

[grants.tester]
principals = ["local"]
tools = ["siem-sentinel_*"]
max_effect = "read"
scope.workspace = ["b438b3f6-912a-46d5-9cb1-b44069212ab4", "b438b3f6-912a-46d5-9cb1-b44069212abc"]
scope.table = ["SecurityEvent", "SigninLogs"]
scope.window = ["7d"]
"#;

fn house() -> House {
    let config = |upstreams: &Upstreams| {
        let mut config: toml::Table = CONFIG.parse().unwrap();
        let at = |name: &str| {
            let origin = upstreams.origin(name);
            format!("origin = \"{origin}\"\nallow_private = [\"127.0.0.1/32\"]").parse::<toml::Table>().unwrap()
        };
        let upstream = ["siem-sentinel", "entra"].map(|name| (name.to_owned(), at(name).into()));
        let upstream: toml::Table = upstream.into_iter().collect();
        config["plugins"]["siem-sentinel"].as_table_mut().unwrap().insert("upstream".to_owned(), upstream.into());
        config
    };
    let house = House::of_plugin("siem-sentinel", config);
    house.upstreams().order("siem-sentinel", &json!({ "key": house.secret().value() }));
    house
}

fn whole() -> Value {
    json!({ "workspace": WORKSPACE, "table": "SecurityEvent", "window": "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z" })
}

fn arguments(query: &str) -> Value {
    let mut arguments = whole();
    arguments["query"] = json!(query);
    arguments
}

/// The queries that have reached the service since.
fn sent(house: &House) -> Vec<Value> {
    let received = house.upstreams().received_by("siem-sentinel");
    let body = |request: &Value| STANDARD.decode(request["body_base64"].as_str().unwrap()).unwrap();
    received.iter().map(|request| serde_json::from_slice(&body(&request.0)).unwrap()).collect()
}

#[test]
fn a_table_is_searched_with_a_token_that_the_host_has() {
    let house = house().serve();
    let found =
        house.call("search_logs", arguments("where EventID == 4625 | project TimeGenerated, Account | take 2")).done(&["2 rows"]);
    let results = &found.structured()["results"];
    assert_eq!(results["rows"][0], json!(["2026-11-22T00:00:00Z", "CORP\\user0"]));
    assert_eq!(results["cut"], false);
    house.call("search_logs", arguments("SecurityEvent | summarize count() by Computer")).done(&["Computer=host-0 count_=80"]);
    let sent = sent(&house);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0]["timespan"], "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z");
    let received = house.upstreams().received_by("siem-sentinel");
    assert!(received.iter().all(|request| request.headers("authorization") == ["Bearer entra-1"]), "a token is kept");
    assert!(received.iter().all(|request| request.headers("prefer") == ["wait=50"]));
    let tokens = house.upstreams().received_by("entra");
    assert_eq!(tokens.len(), 1);
    house.upstreams().order("siem-sentinel", &json!("revoke"));
    house.call("search_logs", arguments("count")).done(&["Count=240"]);
}

#[test]
fn rows_are_bounded_and_it_is_said() {
    let house = house().serve();
    let mut all = whole();
    let cut = house.call("search_logs", all.clone()).done(&["100 rows; there are more"]);
    assert_eq!(cut.structured()["results"]["rows"].as_array().map(Vec::len), Some(100));
    all["limit"] = json!(240);
    house.call("search_logs", all.clone()).done(&["240 rows\n"]).silent(&["there are more", "Unused"]);
    // Nothing outside of the span is looked at, whatever the query says.
    all["window"] = json!("2026-11-22T00:00:00Z/2026-11-22T00:09:00Z");
    all["query"] = json!("where TimeGenerated > datetime(2020-01-01)");
    house.call("search_logs", all).done(&["10 rows\n"]);
}

#[test]
fn no_query_reads_another_table() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }").serve();
    for query in [
        "union Secrets",
        "Secrets",
        "SecurityEvent | join Secrets on TimeGenerated",
        "where Account in (Secrets)",
        "where Account in ((Secrets | project Value))",
        "where Account has_any (Secrets)",
        "extend x = toscalar(Secrets | take 1)",
        "let x = Secrets; x",
        "take 1; Secrets",
        "where Account == @\"\\\" | union Secrets | where Account == \"\\\\\"",
        "where Account == \"\\\\\" | union Secrets",
        "search in (Secrets) \"may\"",
        "evaluate bag_unpack(Properties)",
        "workspace(\"other\").Secrets",
        "take 1 // | union Secrets\n| union Secrets",
        "take 1 \u{ff5c} union Secrets",
        ".show tables",
    ] {
        let reply = house.call_fresh("search_logs", arguments(query)).ended("error", "invalid-arguments", &["refused at byte"]);
        reply.silent(&[SECRET]);
        assert!(house.reached().is_empty(), "{query}");
    }
    // What only looks like it is a text, and is sent as one.
    let text = "where Account == \"x\\\" | union Secrets; //\"";
    house.call_fresh("search_logs", arguments(text)).done(&["0 rows"]).silent(&[SECRET]);
    assert_eq!(sent(&house)[0]["query"].as_str().map(|query| query.lines().count()), Some(5));
}

/// What a component that lies would have to get past: the pattern that the gate holds a query against, as it is signed.
#[test]
fn the_gate_lets_no_query_through_that_is_not_of_the_shape() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins");
    let manifest: toml::Table = fs::read_to_string(format!("{folder}/siem-sentinel/plugin.toml")).unwrap().parse().unwrap();
    let request = &manifest["upstream"]["siem-sentinel"]["request"][0];
    let gate = pattern::compile(request["require"]["body"]["/query"]["pattern"].as_str().unwrap()).unwrap();
    let sent = fs::read_to_string(format!("{folder}/siem/tests/corpus/kql-sent.txt")).unwrap();
    let sent: Vec<&str> = sent.split("\n---\n").filter(|query| !query.is_empty()).collect();
    assert!(sent.len() > 80);
    for query in &sent {
        assert!(gate.is_match(query), "{query}");
        for (from, to) in [
            ("\n| take", "\n| union Secrets\n| take"),
            ("\n| take", "\n| join (Secrets) on a\n| take"),
            ("\n| take", "\n| where a in (Secrets | project b)\n| take"),
            ("\n| take", "; Secrets\n| take"),
            ("\n| take", " // x\n| take"),
            ("\n| take", "\n| where a == 'x'\n| take"),
            ("\n| take", "\n| where a == \"x\"\"\n| take"),
            ("\n| take", "\n| where a == h@\"x\"\n| take"),
            ("\n| take", "\n| where $table == 1\n| take"),
            ("\n| take", "\n| evaluate python()\n| take"),
            ("\n| take 101", "\n| count"),
            ("\n| take 101", "\n| take 99999"),
            ("\n| take 101", "\n| take 101\n"),
            ("\n| where TimeGenerated between", "\n| where true or TimeGenerated between"),
            ("\n| where TimeGenerated between", "\n| union Secrets\n| where TimeGenerated between"),
            ("\n| where TimeGenerated between", "(\"x\").T\n| where TimeGenerated between"),
        ] {
            let other = match query.rfind(from) {
                Some(at) if from.starts_with("\n| take") => format!("{}{to}{}", &query[..at], &query[at + from.len()..]),
                _ => query.replacen(from, to, 1),
            };
            assert!(other != *query && !gate.is_match(&other), "{other}");
        }
        assert!(!gate.is_match(&format!("let x = 1;\n{query}")) && !gate.is_match(&format!(".show tables\n{query}")));
    }
}

/// What the gate holds against the grant is the table with which a query begins, whatever is behind it.
#[test]
fn the_table_that_is_read_is_what_the_gate_holds_against_the_grant() {
    let window = "| where TimeGenerated between (datetime(2026-11-21T00:00:00Z) .. datetime(2026-11-22T00:00:00Z))";
    for (sent, table) in [
        (format!("SecurityEvent\n{window}\n| take 101"), Some("SecurityEvent")),
        (format!("Secrets\n{window}\n| where Account == \"SecurityEvent\"\n| take 101"), Some("Secrets")),
        (format!("Secrets\n{window}\n| where a == \"\\nSecurityEvent\\n\"\n| take 101"), Some("Secrets")),
        (format!("SecurityEvent, Secrets\n{window}\n| take 101"), None),
        (format!("\nSecurityEvent\n{window}\n| take 101"), None),
        (format!("SecurityEvent | union Secrets\n{window}\n| take 101"), None),
    ] {
        assert_eq!(held("siem-sentinel", "siem-sentinel", "/query", "table", &sent).as_deref(), table, "{sent}");
    }
}

#[test]
fn what_is_not_granted_reaches_nobody() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }").serve();
    for (name, value, reason) in [
        ("table", json!("Secrets"), "out-of-scope"),
        ("table", json!("securityevent"), "out-of-scope"),
        ("table", json!("SecurityEvent | union Secrets"), "arguments-invalid"),
        ("table", json!("*"), "arguments-invalid"),
        ("table", json!(["SecurityEvent"]), "arguments-invalid"),
        ("workspace", json!("00000000-0000-4000-8000-000000000000"), "out-of-scope"),
        ("workspace", json!("../x"), "arguments-invalid"),
        ("window", json!("2026-11-01T00:00:00Z/2026-11-22T00:00:00Z"), "out-of-scope"),
        ("window", json!("P7D"), "arguments-invalid"),
        ("limit", json!(1_001), "arguments-invalid"),
        ("timespan", json!("P365D"), "arguments-invalid"),
        ("workspaces", json!([FORBIDDEN]), "arguments-invalid"),
    ] {
        let mut arguments = whole();
        arguments[name] = value;
        house.call_fresh("search_logs", arguments.clone()).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{arguments}");
    }
    for missing in ["table", "workspace", "window"] {
        let mut arguments = whole();
        arguments.as_object_mut().unwrap().remove(missing);
        house.call_fresh("search_logs", arguments).ended("denied", "arguments-invalid", &[]);
        assert!(house.reached().is_empty(), "{missing}");
    }
}

#[test]
fn what_is_kept_back_is_nowhere() {
    let house = house().serve();
    let all = house.call("search_logs", arguments("take 3")).done(&["Password=[redacted]"]);
    all.silent(&["pw-1", "nested-1"]);
    for query in
        ["where Password has \"pw\"", "project x = Password", "extend x = Properties.password", "project-rename x = Password"]
    {
        house.call_fresh("search_logs", arguments(query)).ended("error", "invalid-arguments", &["keeps"]);
        assert!(house.reached().is_empty(), "{query}");
    }
}

#[test]
fn what_sentinel_declines_is_told() {
    let house = house().serve();
    let mut forbidden = whole();
    forbidden["workspace"] = json!(FORBIDDEN);
    house.call("search_logs", forbidden).ended("error", "unauthorized", &["Log Analytics Reader"]);
    house
        .call("search_logs", arguments("where Nothing == 1"))
        .ended("error", "invalid-arguments", &["no `Nothing`"])
        .silent(&["Ignore"]);
    for (error, reason) in [
        ("SyntaxError", "invalid-arguments"),
        ("InsufficientAccessError", "unauthorized"),
        ("WorkspaceNotFoundError", "not-found"),
        ("ThrottledError", "rate-limited"),
        ("GatewayTimeout", "unavailable"),
        ("InternalServerError", "unavailable"),
    ] {
        house.scripted(QUERY, json!({ "error": error }));
        house.call_fresh("search_logs", arguments("count")).ended("error", reason, &[]).silent(&["ignore previous"]);
    }
    house.scripted(QUERY, json!({ "error": "PartialError" }));
    let partial = house.call_fresh("search_logs", arguments("count")).done(&["something may be missing"]);
    assert_eq!(partial.structured()["partial"], true);
}

#[test]
fn a_secret_that_entra_refuses_sends_no_search() {
    let house = house().serve();
    house.upstreams().order("siem-sentinel", &json!({ "key": "another-client-secret" }));
    let reply = house.call("search_logs", arguments("count"));
    assert!(reply.is_error(), "{reply:?}");
    assert!(house.reached().is_empty());
}

#[test]
fn a_sentinel_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("search_logs", &arguments("take 1"), QUERY);
}
