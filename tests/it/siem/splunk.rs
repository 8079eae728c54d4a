//! Splunk's plugin as it is packed: granted indexes are searched, in a span that is granted, and no query reaches past them.

use serde_json::{Value, json};

use super::held;
use crate::harness::House;

const DAY: &str = "2026-11-21T00:00:00Z/2026-11-22T00:00:00Z";
const JOBS: &str = "/services/search/v2/jobs";
/// What is only in the index that is not granted.
const SECRET: &str = "salary of the chief";
const ESCAPES: &str = include_str!("../../../plugins/siem/tests/corpus/spl-escapes.txt");

/// Two indexes are granted, a day at a time.
const CONFIG: &str = r#"
environment = "dev"

[plugins.siem-splunk]
secret.token.file = "secrets/api_key"

[grants.tester]
principals = ["local"]
tools = ["siem-splunk_*"]
max_effect = "read"
scope.index = ["web", "auth"]
scope.window = ["24h"]
"#;

fn house() -> House {
    House::beside("siem-splunk", CONFIG)
}

fn query(query: &str) -> Value {
    json!({ "index": ["web"], "window": DAY, "query": query })
}

/// The searches that have reached Splunk since, as they were sent.
fn searches(house: &House) -> Vec<String> {
    let received = house.upstreams().received_by("siem-splunk");
    let begun = received.iter().filter(|request| request.target() == JOBS);
    begun.filter_map(|request| request.form().into_iter().find(|(name, _)| name == "search").map(|(_, text)| text)).collect()
}

#[test]
fn granted_indexes_are_searched_and_searches_are_ended() {
    let house = house().serve();
    let found = house.call("search_logs", query("status=500 | stats count by host")).done(&["3 rows", "host=web-00 count=4"]);
    assert_eq!(found.structured()["rows"], json!([["web-00", "4"], ["web-01", "4"], ["web-02", "4"]]));
    assert_eq!(searches(&house), [r#"search index IN ("web") (status=500) | stats count BY host | head 101"#]);
    let reached = house.reached();
    assert!(reached.last().unwrap().ends_with("/control"), "{reached:?}");
    let both = json!({ "index": ["web", "auth"], "window": DAY, "query": "user=alice OR clientip=192.0.2.7", "limit": 5 });
    let found = house.call("search_logs", both).done(&["5 rows", "there is more"]);
    assert_eq!(found.structured()["events"], 6);
    // An hour has six events, whatever the query says.
    let hour = json!({ "index": ["web"], "window": "2026-11-21T01:00:00Z/2026-11-21T02:00:00Z", "query": "*" });
    house.call("search_logs", hour).done(&["6 rows"]);
    house.call("index_info", json!({ "index": "web" })).done(&["120 events"]);
    let token = format!("Bearer {}", house.secret().value());
    let sent = house.upstreams().received_by("siem-splunk");
    assert!(sent.iter().all(|request| request.headers("authorization") == [token.as_str()]), "{sent:?}");
}

#[test]
fn what_was_not_granted_reaches_nobody() {
    let house = house().serve();
    let arguments = |index: Value, window: &str| json!({ "index": index, "window": window, "query": "*" });
    for (arguments, reason) in [
        (arguments(json!(["hr"]), DAY), "out-of-scope"),
        (arguments(json!(["web", "hr"]), DAY), "out-of-scope"),
        (arguments(json!(["_internal"]), DAY), "arguments-invalid"),
        (arguments(json!(["*"]), DAY), "arguments-invalid"),
        (arguments(json!(["we*"]), DAY), "arguments-invalid"),
        (arguments(json!("web"), DAY), "arguments-invalid"),
        (arguments(json!(["web\", \"hr"]), DAY), "arguments-invalid"),
        (arguments(json!(["web"]), "2026-11-20T00:00:00Z/2026-11-22T00:00:00Z"), "out-of-scope"),
        (arguments(json!(["web"]), "-24h/now"), "arguments-invalid"),
        (json!({ "index": ["web"], "query": "*" }), "arguments-invalid"),
        (json!({ "window": DAY, "query": "*" }), "arguments-invalid"),
        (json!({ "index": ["web"], "window": DAY, "query": "*", "earliest_time": "0" }), "arguments-invalid"),
    ] {
        house.call_fresh("search_logs", arguments.clone()).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{arguments}");
    }
    let none = json!({ "index": [], "window": DAY, "query": "*" });
    assert!(house.call_fresh("search_logs", none).is_error() && house.reached().is_empty());
    house.call_fresh("index_info", json!({ "index": "hr" })).ended("denied", "out-of-scope", &[]);
    let ungranted = self::house().without("grants.tester.scope").serve();
    ungranted.call("search_logs", query("*")).ended("denied", "out-of-scope", &[]);
    assert!(house.reached().is_empty() && ungranted.reached().is_empty());
}

/// Splunk shows every index to whoever may search one: what is not named, and granted, is not asked for and not told.
#[test]
fn indexes_are_listed_by_their_names_and_no_others_are_told() {
    const LIST: &str = "/services/data/indexes";
    let house = house().serve();
    let listed = house.call("list_indexes", json!({ "index": ["web", "auth"] })).done(&["2 indexes", "index web, 120 events"]);
    assert_eq!(listed.structured()["indexes"][0]["events"], 40);
    assert_eq!(listed.structured()["indexes"].as_array().unwrap().len(), 2);
    let sent = house.upstreams().received_by("siem-splunk");
    let filter = "search=name%3D%22auth%22%20OR%20name%3D%22web%22";
    assert_eq!(sent.last().unwrap().target(), format!("{LIST}?output_mode=json&count=0&{filter}"));
    house.reached();
    for (arguments, reason) in [
        (json!({ "index": ["hr"] }), "out-of-scope"),
        (json!({ "index": ["web", "hr"] }), "out-of-scope"),
        (json!({ "index": [] }), "scope-missing"),
        (json!({}), "arguments-invalid"),
        (json!({ "index": "web" }), "arguments-invalid"),
        (json!({ "index": ["*"] }), "arguments-invalid"),
        (json!({ "index": ["we*"] }), "arguments-invalid"),
        (json!({ "index": ["_internal"] }), "arguments-invalid"),
        (json!({ "index": ["web\" OR name=\"hr"] }), "arguments-invalid"),
        (json!({ "index": ["web"], "count": 0 }), "arguments-invalid"),
    ] {
        house.call_fresh("list_indexes", arguments.clone()).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{arguments}");
    }
    // One that is granted and is not there.
    let with_more = self::house().with("[grants.tester]\nscope.index = [\"web\", \"dns\"]").serve();
    with_more.call("list_indexes", json!({ "index": ["dns", "web"] })).done(&["1 indexes", "no index dns"]);
    // A Splunk that tells more than it is asked for, and one that says no.
    let entry = |name: &str| json!({ "name": name, "content": { "totalEventCount": 7 } });
    house.answers(
        &format!("GET {LIST}"),
        &json!({ "status": 200, "body": { "entry": [entry("hr"), entry("web"), entry("web_hr")] } }),
    );
    let told = house.call_fresh("list_indexes", json!({ "index": ["web"] })).done(&["1 indexes", "7 events"]);
    assert_eq!(told.structured(), &json!({ "indexes": [{ "index": "web", "disabled": false, "events": 7 }] }));
    for (error, reason) in [("capability", "unauthorized"), ("token", "unauthorized"), ("quota", "unavailable")] {
        house.scripted(&format!("GET {LIST}"), json!({ "error": error }));
        house.call_fresh("list_indexes", json!({ "index": ["web"] })).ended("error", reason, &[]);
    }
}

/// The gate's own view of the filter, whatever the component writes.
#[test]
fn the_filter_of_a_list_has_one_form() {
    let filter = |text: &str| held("siem-splunk", "siem-splunk", "?search", "index", text);
    assert_eq!(filter(r#"name="web""#).as_deref(), Some("web"));
    assert_eq!(filter(r#"name="web" OR name="auth-2""#).as_deref(), Some(r#"web" OR name="auth-2"#));
    let many = [r#"name="web""#; 11].join(" OR ");
    for text in [
        "",
        "*",
        "name=*",
        r#"name="*""#,
        r#"name="we*""#,
        r#"name="_internal""#,
        "name=web",
        r#"name!="web""#,
        r#"NOT name="web""#,
        r#"name="web" AND name="auth""#,
        r#"name="web" OR "#,
        r#"name="web" OR disabled="0""#,
        r#"name="web" OR isInternal=1"#,
        r#"(name="web")"#,
        "name=\"web\"\n",
        r#" name="web""#,
        r#"name="web" or name="auth""#,
        &many,
    ] {
        assert_eq!(filter(text), None, "{text:?}");
    }
}

/// A query as the corpus has it, in which `␤` is a line break, `␀` nothing's character, and `<U+0085>` that character.
fn spelled(case: &str) -> String {
    let mut query = case.replace('␀', "\0").replace('␤', "\n");
    while let Some((before, rest)) = query.split_once("<U+") {
        let (code, after) = rest.split_once('>').unwrap();
        query = format!("{before}{}{after}", char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
    }
    query
}

/// Every escape of the corpus that the schema lets through, against a Splunk that reads whatever index is named.
#[test]
fn no_query_reaches_past_its_indexes() {
    let house = house().serve();
    let mut refused = 0;
    for case in ESCAPES.split("\n---\n").filter(|case| !case.is_empty()) {
        let escape = spelled(case.split_once('\n').unwrap().1);
        if refused % 20 == 0 {
            // So many refusals in a row would pause whoever gets them.
            house.forget();
            house.call("search_logs", query("nothing")).done(&["0 rows"]);
            house.forget();
        }
        let reply = house.call("search_logs", query(&escape.replace("secret", "hr")));
        assert!(reply.is_error(), "{escape}: {reply:#?}");
        reply.silent(&[SECRET]);
        assert!(house.reached().is_empty(), "{escape}");
        refused += 1;
    }
    assert!(refused > 180, "{refused}");
    // What is let through names an index only where it means nothing: as a text.
    house.forget();
    let told = house.call("search_logs", query(r#""index=hr" OR message="a) OR (index=hr" | table _raw"#)).done(&["0 rows"]);
    told.silent(&[SECRET]);
}

#[test]
fn what_the_operator_keeps_back_is_not_told() {
    let house = house().with("[plugins.siem-splunk.settings]\nredact = [\"clientip\"]").serve();
    let found = house.call("search_logs", query("status=500 | table host, clientip, _raw")).done(&["[redacted]", "web-00"]);
    found.silent(&["192.0.2."]);
    for escape in
        ["* | rename clientip AS x", "* | eval x=clientip", "* | rex \"(?<x>.*)\"", "clientip=192*", "* | stats values(*)"]
    {
        house.call_fresh("search_logs", query(escape)).ended("error", "invalid-arguments", &["keeps"]);
        assert!(house.reached().is_empty(), "{escape}");
    }
}

#[test]
fn what_splunk_declines_is_told() {
    let house = house().serve();
    for (error, reason) in
        [("quota", "unavailable"), ("capability", "unauthorized"), ("token", "unauthorized"), ("parse", "invalid-arguments")]
    {
        house.scripted(&format!("POST {JOBS}"), json!({ "error": error }));
        house.call_fresh("search_logs", query("*")).ended("error", reason, &[]);
    }
    // Nothing of the search that it names is asked for.
    for sid in ["../../data/indexes/hr", "scheduler__admin__search__x_at_1_2"] {
        house.answers(&format!("POST {JOBS}"), &json!({ "status": 201, "body": { "sid": sid } }));
        house.call_fresh("search_logs", query("*")).ended("error", "upstream", &[]);
        assert_eq!(house.reached().len(), 1, "{sid}");
    }
}

#[test]
fn a_hostile_splunk_is_borne() {
    let house = house().serve();
    house.bears("index_info", &json!({ "index": "web" }), "GET /services/data/indexes/web");
    house.bears("list_indexes", &json!({ "index": ["web"] }), "GET /services/data/indexes");
}
