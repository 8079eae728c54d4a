//! SentinelOne's plugin as it is packed: it reads granted sites, its queries stay in them, and it acts on granted agents only.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    harness::{BAD, House},
    siem::held,
};

const THREATS: &str = "GET /web/api/v2.1/threats";
const AGENTS: &str = "GET /web/api/v2.1/agents";
const ISOLATE: &str = "POST /web/api/v2.1/agents/actions/disconnect";
const MITIGATE: &str = "POST /web/api/v2.1/threats/mitigate";
const LAUNCH: &str = "POST /sdl/v2/api/queries";
const POLL: &str = "GET /sdl/v2/api/queries";
const DELETE: &str = "DELETE /sdl/v2/api/queries";

/// One site of an account, one of its agents, two actions, a day at a time; acting is on, for real, and nobody is asked.
const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.api_token.file = "secrets/api_key"
settings.forbidden_patterns = ["src.process.user*ceo"]

[plugins.@.tools.isolate_agent]
enabled = true
dry_run = false
approval = "none"

[plugins.@.tools.mitigate_threat]
enabled = true
dry_run = false
approval = "none"

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "destructive"
scope.site = ["1001"]
scope.account = ["100"]
scope.window = ["24h"]
scope.agent = ["501"]
scope.mitigation = ["kill", "quarantine"]
"#;

/// Both upstreams are one console.
fn house() -> House {
    let house = House::beside("sentinelone", CONFIG);
    let origin = house.upstreams().origin("sentinelone").to_owned();
    house.with(&format!("[plugins.@.upstream.datalake]\norigin = \"{origin}\"\nallow_private = [\"127.0.0.1/32\"]"))
}

fn query(text: &str) -> Value {
    json!({ "account_id": "100", "site_id": "1001", "query": text, "interval": "2026-11-20T00:00:00Z/2026-11-21T00:00:00Z" })
}

fn with(arguments: &Value, name: &str, value: Value) -> Value {
    let mut arguments = arguments.clone();
    arguments[name] = value;
    arguments
}

fn isolation() -> Value {
    json!({ "site_id": "1001", "agent_id": "501", "computer_name": "WIN-7" })
}

fn mitigation() -> Value {
    json!({ "site_id": "1001", "threat_id": "9000", "agent_id": "501", "action": "quarantine" })
}

/// What SentinelOne itself says of a place, without the plugin.
fn there(house: &House, path: &str) -> Value {
    let token = format!("authorization: ApiToken {}\r\n", house.secret().value());
    house.upstreams().ask("sentinelone", ("GET", path), &token, "")
}

#[test]
fn threats_of_a_granted_site_are_listed_and_shown() {
    let house = house().serve();
    let listed = house.call("list_threats", json!({ "site_id": "1001", "limit": 20 })).done(&["20 of 31 threats", "on WIN-7"]);
    listed.silent(&["DC-1", "OTHER"]);
    let cursor =
        house.call("list_threats", json!({ "site_id": "1001", "limit": 20 })).done(&[]).structured()["next_cursor"].clone();
    let rest =
        house.call("list_threats", json!({ "site_id": "1001", "limit": 20, "cursor": cursor })).done(&["11 of 31 threats"]);
    assert_eq!(rest.structured()["next_cursor"], Value::Null);
    house.call("list_threats", json!({ "site_id": "1001", "computer_name": "WIN-8" })).done(&["1 of 1 threats"]);
    house.call("list_threats", json!({ "site_id": "1001", "mitigation_status": "mitigated" })).done(&["no threat"]);
    house.call("list_threats", json!({ "site_id": "1001", "since": "2026-11-20T00:00:00Z" })).done(&["no threat"]);
    let threat = house.call("get_threat", json!({ "site_id": "1001", "threat_id": "9000" })).done(&["agent: 501", "CORP\\ana"]);
    assert_eq!(threat.structured()["network_status"], "connected");
    let sent = house.upstreams().received_by("sentinelone");
    let token = format!("ApiToken {}", house.secret().value());
    assert!(sent.iter().all(|request| request.headers("authorization") == [token.as_str()]), "{sent:?}");
    assert!(sent.iter().all(|request| request.target().contains("siteIds=1001")), "{sent:?}");
}

#[test]
fn a_threat_of_another_site_is_not_there() {
    let house = house().serve();
    house.call("get_threat", json!({ "site_id": "1001", "threat_id": "9200" })).ended("error", "not-found", &["in this site"]);
    // Even where SentinelOne's filter lets it through.
    let other = there(&house, "/web/api/v2.1/threats?ids=9200");
    house.answers(THREATS, &json!({ "body": other }));
    house
        .call_fresh("get_threat", json!({ "site_id": "1001", "threat_id": "9200" }))
        .ended("error", "upstream", &[])
        .silent(&["DC-1"]);
    house.answers(THREATS, &json!({ "body": other }));
    house.call_fresh("list_threats", json!({ "site_id": "1001" })).done(&["no threat"]).silent(&["DC-1"]);
    house.forget();
    for (tool, arguments) in [
        ("list_threats", json!({ "site_id": "1002" })),
        ("get_threat", json!({ "site_id": "1002", "threat_id": "9200" })),
        ("create_power_query", with(&query("a = 1"), "site_id", json!("1002"))),
        ("create_power_query", with(&query("a = 1"), "account_id", json!("200"))),
        ("create_power_query", with(&query("a = 1"), "interval", json!("2026-11-20T00:00:00Z/2026-11-21T00:00:01Z"))),
        ("isolate_agent", with(&isolation(), "site_id", json!("1002"))),
        ("isolate_agent", with(&isolation(), "agent_id", json!("502"))),
        ("mitigate_threat", with(&mitigation(), "agent_id", json!("502"))),
        ("mitigate_threat", with(&mitigation(), "action", json!("rollback-remediation"))),
    ] {
        house.call(tool, arguments.clone()).ended("denied", "out-of-scope", &[]);
        assert!(house.reached().is_empty(), "{tool} {arguments}");
    }
    house.call("mitigate_threat", with(&mitigation(), "action", json!("un-quarantine"))).ended(
        "denied",
        "arguments-invalid",
        &[],
    );
    assert!(house.reached().is_empty());
}

#[test]
fn a_query_runs_in_its_site_and_leaves_nothing_behind() {
    let house = house().serve();
    let found = house
        .call("create_power_query", query("event.type = 'Process Creation' | sort -event.id // all of it"))
        .done(&["4 rows", "WIN-8"]);
    found.silent(&["DC-1", "OTHER"]);
    let sent = "(site.id = '1001') and (event.type = 'Process Creation') | sort -event.id | limit 100";
    let body = json!({ "queryType": "PQ", "tenant": false, "accountIds": ["100"], "startTime": "2026-11-20T00:00:00Z",
        "endTime": "2026-11-21T00:00:00Z", "queryPriority": "HIGH", "pq": { "query": sent, "resultType": "TABLE" } });
    let received = house.upstreams().received_by("sentinelone");
    let methods: Vec<_> = received.iter().map(|request| request.method().to_owned()).collect();
    assert_eq!(methods, ["POST", "GET", "GET", "DELETE"]);
    let launched = STANDARD.decode(received[0].0["body_base64"].as_str().unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&launched).unwrap(), body);
    let token = format!("Bearer {}", house.secret().value());
    assert!(received.iter().all(|request| request.headers("authorization") == [token.as_str()]), "{received:?}");
    assert!(
        received.iter().skip(1).all(|request| request.headers("x-dataset-query-forward-tag") == ["G/shard-1"]),
        "{received:?}"
    );
    // The other name of the steps, a query that is done at once, and fewer rows.
    house.upstreams().order("sentinelone", &json!({ "renamed": true, "polls": 1 }));
    house.call("create_power_query", query("a = 1")).done(&["4 rows"]);
    house.upstreams().order("sentinelone", &json!({ "polls": 0 }));
    house.forget();
    let cut = house.call("create_power_query", with(&query("a = 1"), "limit", json!(2))).done(&["2 rows, and there may be more"]);
    assert_eq!(cut.structured()["matches"], 4);
    assert_eq!(house.reached().len(), 2, "launched and deleted: {:?}", house.reached());
}

/// The escapes that are refused are in the plugin's own corpus, all of them. These are the ways in which the fake would show other sites.
#[test]
fn nothing_gets_a_query_out_of_its_site() {
    let house = house().serve();
    for text in [
        "a = 1 | union (b = 2)",
        "a = 1 | join (b = 2) on c",
        "| dataset 'config://datatables/users'",
        "a = 1 | lookup x from users by y = z",
        "a = 1) or (b = 2",
        "a in (b = 1 | columns a)",
        "a = 1 | savelookup 'mine'",
        "a = 1 | compare timeshift('-4w')",
        "a = 1 | nolimit",
        "src.process.user = 'CORP\\\\ceo'",
    ] {
        house.call("create_power_query", query(text)).ended("error", "invalid-arguments", &["the query was not sent"]);
        assert!(house.reached().is_empty(), "{text}");
    }
    // What looks like it and is text, and an `or` that stays where it is put.
    for text in [
        "a contains 'x) or (y | union (z)'",
        "a = 1 or true",
        "a = 1 or (b = 2) or (c = \"it's\")",
        "site.id = '1002' or site.id = '1001'",
    ] {
        house.call_fresh("create_power_query", query(text)).done(&["WIN-7"]).silent(&["DC-1", "OTHER"]);
    }
    // Granted longer than a week, it is a week all the same.
    let house = self::house().set("grants.tester.scope.window", vec!["30d"]).serve();
    let month = with(&query("a = 1"), "interval", json!("2026-10-20T00:00:00Z/2026-11-19T00:00:00Z"));
    house.call("create_power_query", month).ended("error", "invalid-arguments", &["longer than 7 days"]);
    assert!(house.reached().is_empty());
}

/// What the gate holds against the grant is the site in the filter with which a query begins, whatever is behind it.
#[test]
fn the_site_that_is_queried_is_what_the_gate_holds_against_the_grant() {
    for (sent, site) in [
        ("(site.id = '1001') | limit 100", Some("1001")),
        ("(site.id = '1002') and (site.id = '1001') | limit 100", Some("1002")),
        ("(site.id = '1002') and (a = '(site.id = \\'1001\\')') | limit 100", None),
        ("(site.id = '1002') and (a = \"(site.id = '1001')\") | limit 100", Some("1002")),
        ("(site.id = '1001' or site.id = '1002') | limit 100", None),
        ("(site.id = '1001') or (site.id = '1002') | limit 100", None),
        ("(site.id = '*') | limit 100", None),
        (" (site.id = '1001') | limit 100", None),
    ] {
        assert_eq!(held("sentinelone", "datalake", "/pq/query", "site", sent).as_deref(), site, "{sent}");
    }
}

#[test]
fn a_query_that_goes_wrong_is_deleted_and_told() {
    let house = house().serve();
    house.call_fresh("create_power_query", query("Unknown = 1")).ended(
        "error",
        "invalid-arguments",
        &["does not accept the query"],
    );
    for (at, gone) in [(LAUNCH, false), (POLL, true)] {
        for (error, reason) in [
            ("bad-request", "invalid-arguments"),
            ("unauthorized", "unauthorized"),
            ("forbidden", "unauthorized"),
            ("too-many", "rate-limited"),
            ("broken", "unavailable"),
        ] {
            house.scripted(at, json!({ "error": error }));
            house.call_fresh("create_power_query", query("a = 1")).ended("error", reason, &[]);
            assert_eq!(house.reached().iter().any(|request| request.starts_with(DELETE)), gone, "{at} {error}");
        }
    }
    for kind in BAD {
        house.scripted(POLL, json!({ "misbehave": { "kind": kind } }));
        let reply = house.call_fresh("create_power_query", query("a = 1"));
        assert!(reply.is_error() || ["wrong-shape", "deep-json"].contains(&kind), "{kind}: {reply:#?}");
        // Where the answer is more than the host takes, it ends the call, and the query goes away by itself.
        let deleted = house.reached().iter().any(|request| request.starts_with(DELETE));
        assert!(deleted || reply.reason() == "limit-reached", "{kind}: {:?} {reply:#?}", house.reached());
    }
    // What it holds goes away by itself: the answer stands.
    house.scripted(DELETE, json!({ "error": "broken" }));
    house.call_fresh("create_power_query", query("a = 1")).done(&["4 rows"]);
    // A query of a name that leads elsewhere is not asked for.
    house.answers(LAUNCH, &json!({ "body": { "id": "../../../web/api/v2.1/agents", "stepsTotal": 2 } }));
    house.call_fresh("create_power_query", query("a = 1")).ended("error", "upstream", &["did not say what it is called"]);
    assert_eq!(house.reached().len(), 1);
}

#[test]
fn an_agent_is_isolated_by_its_id_its_site_and_its_name() {
    let house = house().serve();
    house.call_fresh("isolate_agent", with(&isolation(), "computer_name", json!("DC-1"))).ended(
        "error",
        "invalid-arguments",
        &["is `WIN-7`"],
    );
    assert!(house.changes().is_empty());
    house.call_fresh("isolate_agent", isolation()).done(&["WIN-7 (agent 501) is told to leave the network; it was connected"]);
    assert_eq!(house.changes(), [json!({ "filter": { "ids": ["501"], "siteIds": ["1001"] } })]);
    let statuses: Vec<Value> = there(&house, "/web/api/v2.1/agents")
        .pointer("/data")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["networkStatus"].clone())
        .collect();
    assert_eq!(statuses, ["disconnected", "connected", "connected", "connected"], "and nobody else");
    house.call_fresh("isolate_agent", isolation()).ended("error", "invalid-arguments", &["already off the network"]);
    assert!(house.changes().is_empty());
}

/// A grant of every agent is one of the granted sites': what is of another is not there.
#[test]
fn every_agent_is_every_agent_of_the_site() {
    let house = house().set("grants.tester.scope.agent", vec!["*"]).serve();
    let other = json!({ "site_id": "1001", "agent_id": "503", "computer_name": "DC-1" });
    house.call_fresh("isolate_agent", other.clone()).ended("error", "not-found", &["no agent `503` in this site"]);
    // Were the plugin told that it is, SentinelOne would find none: the site is in the filter.
    let lie = json!({ "data": [{ "id": "503", "siteId": "1001", "computerName": "DC-1", "networkStatus": "connected" }] });
    house.answers(AGENTS, &json!({ "body": lie }));
    house.call_fresh("isolate_agent", other).ended("error", "not-found", &["nothing was done"]);
    assert_eq!(there(&house, "/web/api/v2.1/agents?ids=503")["data"][0]["networkStatus"], "connected");
    house.call_fresh("isolate_agent", json!({ "site_id": "1001", "agent_id": "502", "computer_name": "WIN-8" })).done(&[]);
    for id in ["*", "50*", "501,502", ""] {
        house.call_fresh("isolate_agent", with(&isolation(), "agent_id", json!(id))).ended("denied", "arguments-invalid", &[]);
        assert!(house.reached().is_empty(), "{id}");
    }
}

#[test]
fn a_threat_is_mitigated_on_its_own_agent() {
    let house = house().serve();
    house.call_fresh("mitigate_threat", mitigation()).done(&["quarantine is on its way for threat 9000"]);
    assert_eq!(house.changes(), [json!({ "filter": { "ids": ["9000"], "siteIds": ["1001"], "agentIds": ["501"] } })]);
    let threat =
        house.call_fresh("get_threat", json!({ "site_id": "1001", "threat_id": "9000" })).done(&["done: quarantine, success"]);
    assert_eq!(threat.structured()["mitigation_status"], "mitigated");
    assert_eq!(
        there(&house, "/web/api/v2.1/threats?mitigationStatuses=mitigated")["pagination"]["totalItems"],
        1,
        "and no other"
    );
    // A threat on an agent that is not granted, under the name of one that is.
    house.call_fresh("mitigate_threat", with(&mitigation(), "threat_id", json!("9100"))).ended(
        "error",
        "invalid-arguments",
        &["is not on the agent `501`"],
    );
    house.call_fresh("mitigate_threat", with(&mitigation(), "threat_id", json!("9200"))).ended("error", "not-found", &[]);
    assert!(house.changes().is_empty());
}

#[test]
fn acting_is_off_dry_and_for_a_person_to_agree_to() {
    for (tool, arguments) in [("isolate_agent", isolation()), ("mitigate_threat", mitigation())] {
        let at = |name: &str| format!("plugins.@.tools.{tool}.{name}");
        let off = house().set(&at("enabled"), false).serve();
        off.call(tool, arguments.clone()).ended("denied", "disabled", &[]);
        let low = house().set("grants.tester.max_effect", "execute").serve();
        low.call(tool, arguments.clone()).ended("denied", "effect-above-grant", &[]);
        assert!(off.reached().is_empty() && low.reached().is_empty());
        let dry = house().without(&at("dry_run")).serve();
        let planned = dry.call(tool, arguments.clone()).done(&["‹secret api_token›"]);
        assert_eq!(planned.decision(), "planned");
        let targets = &planned.structured()["plan"]["requests"][0]["targets"];
        assert_eq!((&targets["site"], &targets["agent"]), (&json!(["1001"]), &json!(["501"])), "{targets}");
        let asked = house().without(&at("approval")).serve();
        let waiting = asked.call(tool, arguments);
        assert_eq!((waiting.is_error(), waiting.decision()), (true, "deferred"), "{waiting:#?}");
        assert!(dry.changes().is_empty() && asked.changes().is_empty(), "{tool}");
    }
}

/// Whoever has read threats and command lines may have read what somebody wants done.
#[test]
fn what_was_read_is_not_acted_on_without_a_person() {
    let house = house().serve();
    house.call("list_threats", json!({ "site_id": "1001" })).done(&[]);
    house.call("isolate_agent", isolation()).ended("deferred", "flow-needs-approval", &[]);
    assert!(house.changes().is_empty());
}

#[test]
fn how_an_action_ended_is_told_or_told_not_to_be_known() {
    let house = house().serve();
    for (tool, arguments, at) in [("isolate_agent", isolation(), ISOLATE), ("mitigate_threat", mitigation(), MITIGATE)] {
        for (error, reason) in [
            ("unauthorized", "unauthorized"),
            ("forbidden", "unauthorized"),
            ("too-many", "rate-limited"),
            ("bad-request", "invalid-arguments"),
        ] {
            house.scripted(at, json!({ "error": error }));
            house.call_fresh(tool, arguments.clone()).ended("error", reason, &["says that it did not do it"]);
        }
        house.answers(at, &json!({ "body": { "data": { "affected": 2 } } }));
        house.call_fresh(tool, arguments.clone()).ended("error", "upstream", &["more than the one"]);
        for (script, reason) in [
            (json!({ "error": "broken" }), "outcome-unknown"),
            (json!({ "answer": { "body": { "data": {} } } }), "upstream"),
            // The last one, since it was done.
            (json!({ "misbehave": { "kind": "close" } }), "outcome-unknown"),
        ] {
            house.scripted(at, script);
            house.call_fresh(tool, arguments.clone()).ended("error", reason, &["outcome unknown"]);
            assert_eq!(house.changes().len(), 1, "it is not tried again");
        }
    }
}

#[test]
fn a_sentinelone_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("list_threats", &json!({ "site_id": "1001", "limit": 3 }), THREATS);
    house.bears("create_power_query", &query("a = 1"), LAUNCH);
}
