//! MISP's plugin as it is packed: it reads granted organisations without what is red, adds for the own one only, and publishes what a person
//! has agreed to.

use serde_json::{Value, json};

use crate::harness::House;

const OURS: &str = "5e6f1c2a-0b3d-4c4e-9f5a-6b7c8d9e0f10";
const PARTNER: &str = "55f6ea5e-2c60-40e5-964f-47a8950d210f";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

const EVENTS: &str = "POST /events/restSearch";
const ATTRIBUTES: &str = "POST /attributes/restSearch";
const VIEW: &str = "GET /events/view";
const LISTS: &str = "POST /warninglists/checkValue";
const ADD: &str = "POST /attributes/add";
const SIGHT: &str = "POST /sightings/add";
const PUBLISH: &str = "POST /events/publish";

/// Two organisations, events of a month, three events; changing is on, for real, and nobody is asked.
const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.api_key.file = "secrets/api_key"

[plugins.@.tools.add_attribute]
enabled = true
dry_run = false

[plugins.@.tools.add_sighting]
enabled = true
dry_run = false

[plugins.@.tools.publish_event]
enabled = true
dry_run = false
approval = "none"

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "destructive"
scope.org = ["5e6f1c2a-0b3d-4c4e-9f5a-6b7c8d9e0f10", "55f6ea5e-2c60-40e5-964f-47a8950d210f"]
scope.window = ["30d"]
scope.event = ["1", "2", "5"]
"#;

fn house() -> House {
    House::beside("misp", CONFIG)
}

fn search(orgs: &[&str], last: &str) -> Value {
    json!({ "orgs": orgs, "last": last })
}

fn with(arguments: &Value, name: &str, value: Value) -> Value {
    let mut arguments = arguments.clone();
    arguments[name] = value;
    arguments
}

fn addition() -> Value {
    json!({ "event_id": "5", "org": OURS, "type": "domain", "category": "Network activity", "value": "login.acme.example" })
}

fn sighting() -> Value {
    json!({ "attribute_id": "11", "event_id": "1", "org": OURS, "kind": "seen", "source": "proxy" })
}

fn publication() -> Value {
    json!({ "event_id": "5", "org": OURS, "info": "Draft about a loader", "distribution": "connected-communities" })
}

/// What MISP itself says of a place, without the plugin.
fn there(house: &House, path: &str) -> Value {
    let key = format!("authorization: {}\r\naccept: application/json\r\n", house.secret().value());
    house.upstreams().ask("misp", ("GET", path), &key, "")
}

#[test]
fn what_granted_organisations_published_is_found() {
    let house = house().serve();
    let events = house.call("search_events", search(&[OURS, PARTNER], "30d")).done(&[
        "2 events",
        "Phishing against our customers",
        "Partner's campaign",
    ]);
    events.silent(&["under investigation", "Somebody else", "TLP:RED"]);
    house.call("search_events", search(&[OURS], "30d")).done(&["1 event\n"]).silent(&["Partner"]);
    house.call("search_events", search(&[PARTNER], "3d")).done(&["no event"]);
    house
        .call("search_events", with(&search(&[OURS, PARTNER], "30d"), "tag", json!("tlp:clear")))
        .done(&["Partner's campaign"])
        .silent(&["Phishing"]);
    house.call("search_events", with(&search(&[OURS], "30d"), "type", json!("sha256"))).done(&["1 event\n"]);
    let first =
        house.call("search_events", with(&search(&[OURS, PARTNER], "30d"), "limit", json!(1))).done(&["more: ask for page 2"]);
    assert_eq!(first.structured()["next_page"], 2);
    let second = with(&with(&search(&[OURS, PARTNER], "30d"), "limit", json!(1)), "page", json!(2));
    house.call("search_events", second).done(&["Partner's campaign"]);

    let hits = house.call("search_attributes", with(&search(&[OURS, PARTNER], "30d"), "value", json!("198.51.100.7"))).done(&[
        "2 attributes",
        "11 ip-dst",
        "31 ip-dst",
    ]);
    hits.silent(&["\"21\"", "\"41\""]);
    house.call("search_attributes", with(&search(&[OURS], "30d"), "value", json!("203.0.113.66"))).done(&["no attribute"]);

    let event = house.call("get_event", json!({ "event": "1", "org": OURS })).done(&["198.51.100.7", "275a021bbfb6"]);
    assert_eq!(event.structured()["attributes"].as_array().unwrap().len(), 3);
    event.silent(&["203.0.113.66"]);
    house
        .call("get_event", json!({ "event": "5b000000-0000-4000-8000-000000000003", "org": PARTNER }))
        .done(&["Partner's campaign"]);

    house.call("check_warninglists", json!({ "value": "8.8.8.8" })).done(&["public DNS resolvers"]);
    house.call("check_warninglists", json!({ "value": "198.51.100.7" })).done(&["on no list"]);

    let key = house.secret().value().to_owned();
    let sent = house.upstreams().received_by("misp");
    assert!(sent.iter().all(|request| request.headers("authorization") == [key.as_str()]), "{sent:?}");
}

#[test]
fn what_is_red_or_of_others_is_not_there() {
    let house = house().serve();
    for (event, org) in [("2", OURS), ("3", OURS), ("4", OURS), ("1", PARTNER), ("99", OURS)] {
        let reply = house.call_fresh("get_event", json!({ "event": event, "org": org })).ended("error", "not-found", &[]);
        reply.silent(&["under investigation", "Partner's", "Somebody", "Phishing", "TLP"]);
    }
    // A MISP that finds what it was asked not to.
    let red = there(&house, "/events/view/2");
    let other = there(&house, "/events/view/4");
    house.answers(EVENTS, &json!({ "body": { "response": [red, other] } }));
    house.call_fresh("search_events", search(&[OURS], "30d")).done(&["no event"]).silent(&["under investigation", "Somebody"]);
    let attribute =
        json!({ "id": "21", "event_id": "2", "type": "ip-dst", "value": "198.51.100.7", "Tag": [{ "name": "Tlp:Red" }] });
    house.answers(ATTRIBUTES, &json!({ "body": { "response": { "Attribute": [attribute] } } }));
    house.call_fresh("search_attributes", search(&[OURS], "30d")).done(&["no attribute"]).silent(&["198.51.100.7"]);
    // Nor can it be added to, seen or published, though its number is granted.
    house.call_fresh("add_attribute", with(&addition(), "event_id", json!("2"))).ended("error", "not-found", &[]);
    let sighted = with(&with(&sighting(), "attribute_id", json!("21")), "event_id", json!("2"));
    house.call_fresh("add_sighting", sighted).ended("error", "not-found", &[]);
    house.call_fresh("add_sighting", with(&sighting(), "attribute_id", json!("13"))).ended("error", "not-found", &[]);
    house.call_fresh("publish_event", with(&publication(), "event_id", json!("2"))).ended("error", "not-found", &[]);
    assert!(house.changes().is_empty());
}

#[test]
fn what_is_outside_the_grant_reaches_nobody() {
    let house = house().serve();
    for (tool, arguments, reason) in [
        ("search_events", search(&[OTHER], "7d"), "out-of-scope"),
        ("search_events", search(&[OURS, OTHER], "7d"), "out-of-scope"),
        ("search_events", search(&[OURS], "31d"), "out-of-scope"),
        ("search_attributes", search(&[OTHER], "7d"), "out-of-scope"),
        ("search_attributes", search(&[OURS], "9999d"), "out-of-scope"),
        ("get_event", json!({ "event": "4", "org": OTHER }), "out-of-scope"),
        ("add_attribute", with(&addition(), "event_id", json!("3")), "out-of-scope"),
        ("add_attribute", with(&addition(), "org", json!(OTHER)), "out-of-scope"),
        ("add_attribute", with(&addition(), "event_id", json!("*")), "arguments-invalid"),
        ("add_attribute", with(&addition(), "distribution", json!(3)), "arguments-invalid"),
        ("add_sighting", with(&sighting(), "event_id", json!("3")), "out-of-scope"),
        ("publish_event", with(&publication(), "event_id", json!("3")), "out-of-scope"),
        ("search_events", json!({ "orgs": ["%"], "last": "7d" }), "arguments-invalid"),
        ("search_events", with(&search(&[OURS], "7d"), "tag", json!("!tlp:green")), "arguments-invalid"),
        ("search_events", with(&search(&[OURS], "7d"), "org", json!("CIRCL")), "arguments-invalid"),
    ] {
        house.call_fresh(tool, arguments.clone()).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{tool} {arguments}");
    }
    // No organisation is every organisation to MISP: that is no search at all.
    assert!(house.call_fresh("search_events", search(&[], "7d")).is_error());
    assert!(house.reached().is_empty());
}

#[test]
fn an_attribute_is_added_for_the_own_organisation_only() {
    let house = house().serve();
    let added = house
        .call_fresh("add_attribute", with(&addition(), "comment", json!("seen by the proxy")))
        .done(&["for the own organisation only"]);
    let body = json!({ "type": "domain", "category": "Network activity", "value": "login.acme.example", "comment": "seen by the proxy",
        "to_ids": false, "distribution": 0 });
    assert_eq!(house.changes(), [body]);
    let id = added.structured()["attribute_id"].as_str().unwrap().to_owned();
    assert_eq!(there(&house, &format!("/attributes/view/{id}"))["Attribute"]["distribution"], "0");
    house.call_fresh("add_attribute", addition()).ended("error", "invalid-arguments", &["MISP does not accept this"]);
    house.call_fresh("add_attribute", with(&addition(), "type", json!("ip-dst"))).ended("error", "invalid-arguments", &[]);
    let key = format!("AKIA{}", "A1B2C3D4".repeat(2));
    house
        .call_fresh("add_attribute", with(&addition(), "value", json!(key)))
        .ended("error", "invalid-arguments", &["nothing was added"])
        .silent(&[&key]);
    assert!(house.reached().is_empty());
}

/// The number of an event is granted, and the event is of another organisation: the gate has read that, whatever the plugin was told.
#[test]
fn an_event_is_of_whom_misp_says() {
    let house = house().set("grants.tester.scope.event", vec!["*"]).serve();
    house.call_fresh("add_attribute", with(&with(&addition(), "event_id", json!("4")), "org", json!(OURS))).ended(
        "error",
        "not-found",
        &[],
    );
    let published = with(&with(&publication(), "event_id", json!("4")), "info", json!("Somebody else's"));
    house.call_fresh("publish_event", published).ended("error", "not-found", &[]);
    assert!(house.changes().is_empty());
    // Of a granted partner, MISP itself says no.
    let partner = with(&with(&addition(), "event_id", json!("3")), "org", json!(PARTNER));
    house.call_fresh("add_attribute", partner).ended("error", "unauthorized", &[]);
}

#[test]
fn an_attribute_is_sighted_by_its_number() {
    let house = house().serve();
    house.call_fresh("add_sighting", sighting()).done(&["attribute 11 of event 1 is said to be seen"]);
    assert_eq!(house.changes(), [json!({ "type": "0", "source": "proxy" })]);
    for (kind, number) in [("false-positive", "1"), ("expired", "2")] {
        house.call_fresh("add_sighting", with(&sighting(), "kind", json!(kind))).done(&[]);
        assert_eq!(house.changes()[0]["type"], number);
    }
    // Of another event than the one that is named, and by a value, which would be for everybody's attributes.
    house.call_fresh("add_sighting", with(&sighting(), "attribute_id", json!("31"))).ended("error", "not-found", &[]);
    house.call_fresh("add_sighting", with(&sighting(), "value", json!("198.51.100.7"))).ended("denied", "arguments-invalid", &[]);
    assert!(house.changes().is_empty());
}

#[test]
fn an_event_is_published_to_whom_was_said() {
    let house = house().serve();
    for (name, value, part) in [
        ("info", json!("Something else"), "is called `Draft about a loader`"),
        ("distribution", json!("this-community-only"), "the event's distribution is connected-communities"),
    ] {
        house.call_fresh("publish_event", with(&publication(), name, value)).ended(
            "error",
            "invalid-arguments",
            &["nothing was published", part],
        );
        assert!(house.changes().is_empty());
    }
    house.call_fresh("publish_event", publication()).done(&["event 5 is published, to connected-communities"]);
    assert_eq!(house.changes(), [json!({})]);
    assert_eq!(there(&house, "/events/view/5")["Event"]["published"], true);
    house.call_fresh("publish_event", publication()).ended("error", "invalid-arguments", &["published already"]);
}

#[test]
fn changing_is_off_dry_and_publishing_for_a_person_to_agree_to() {
    for (tool, arguments) in [("add_attribute", addition()), ("add_sighting", sighting()), ("publish_event", publication())] {
        let at = |name: &str| format!("plugins.@.tools.{tool}.{name}");
        let off = house().set(&at("enabled"), false).serve();
        off.call(tool, arguments.clone()).ended("denied", "disabled", &[]);
        let dry = house().without(&at("dry_run")).serve();
        let planned = dry.call(tool, arguments.clone()).done(&["‹secret api_key›"]);
        assert_eq!(planned.decision(), "planned", "{tool}");
        let targets = &planned.structured()["plan"]["requests"][0]["targets"];
        assert_eq!(targets["event"], json!([arguments["event_id"]]), "{tool}: {targets}");
        assert!(off.reached().is_empty() && dry.changes().is_empty(), "{tool}");
    }
    let low = house().set("grants.tester.max_effect", "write").serve();
    low.call("publish_event", publication()).ended("denied", "effect-above-grant", &[]);
    let asked = house().without("plugins.@.tools.publish_event.approval").serve();
    let waiting = asked.call("publish_event", publication());
    assert_eq!((waiting.is_error(), waiting.decision()), (true, "deferred"), "{waiting:#?}");
    assert!(low.reached().is_empty() && asked.changes().is_empty());
    // And where nobody has to be asked, whoever has read something has to ask all the same.
    let read = house().serve();
    read.call("search_events", search(&[OURS], "7d")).done(&[]);
    read.call("publish_event", publication()).ended("deferred", "flow-needs-approval", &[]);
    assert!(!read.reached().iter().any(|request| request.starts_with(PUBLISH)), "{:?}", read.reached());
}

#[test]
fn what_misp_declines_is_told() {
    let house = house().serve();
    for (tool, arguments, at) in [
        ("search_events", search(&[OURS], "7d"), EVENTS),
        ("search_attributes", search(&[OURS], "7d"), ATTRIBUTES),
        ("get_event", json!({ "event": "1", "org": OURS }), VIEW),
        ("check_warninglists", json!({ "value": "x" }), LISTS),
        ("add_attribute", addition(), ADD),
        ("add_sighting", sighting(), SIGHT),
        ("publish_event", publication(), PUBLISH),
    ] {
        for (error, reason) in [
            ("unauthorized", "unauthorized"),
            ("not-allowed", "unauthorized"),
            ("not-found", "not-found"),
            ("invalid", "invalid-arguments"),
            ("too-many", "rate-limited"),
        ] {
            house.scripted(at, json!({ "error": error }));
            house.call_fresh(tool, arguments.clone()).ended("error", reason, &[]);
        }
    }
    for (tool, arguments, at) in
        [("add_attribute", addition(), ADD), ("add_sighting", sighting(), SIGHT), ("publish_event", publication(), PUBLISH)]
    {
        for (script, reason) in [
            (json!({ "error": "broken" }), "outcome-unknown"),
            (json!({ "answer": { "body": {} } }), "upstream"),
            // The last one, since it was done.
            (json!({ "misbehave": { "kind": "close" } }), "outcome-unknown"),
        ] {
            house.scripted(at, script);
            house.call_fresh(tool, arguments.clone()).ended("error", reason, &["outcome unknown"]);
            assert_eq!(house.changes().len(), 1, "it is not tried again");
        }
    }
    let wider = json!({ "Attribute": { "id": "1008", "event_id": "5", "distribution": "3" } });
    house.answers(ADD, &json!({ "body": wider }));
    house.call_fresh("add_attribute", with(&addition(), "value", json!("x.example"))).ended(
        "error",
        "upstream",
        &["somebody has to look"],
    );
}

#[test]
fn a_misp_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("search_events", &search(&[OURS, PARTNER], "30d"), EVENTS);
    house.bears("search_attributes", &search(&[OURS, PARTNER], "30d"), ATTRIBUTES);
    house.bears("get_event", &json!({ "event": "1", "org": OURS }), VIEW);
    house.bears("check_warninglists", &json!({ "value": "8.8.8.8" }), LISTS);
}

#[test]
fn misp_answers_whatever_it_is_asked() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }");
    house.install().done();
    crate::arguments::every_call_is_answered(&house);
}
