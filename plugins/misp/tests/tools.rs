//! The tools against a scripted MISP: what they ask, what they make of the answer, and what they never ask.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use casemate_misp::TOOLS;
use casemate_plugin::{
    Context, Failure, FailureKind, Outcome, SendError,
    testing::{Answer, Expected, Recorded, ScriptedUpstream, answer, check, fault, get, post},
};
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
const ORG: &str = "5e6f1c2a-0b3d-4c4e-9f5a-6b7c8d9e0f10";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

fn call(tool: &str, arguments: &Value, steps: Vec<(Expected, Answer)>) -> Result<Outcome, Failure> {
    let upstream =
        steps.into_iter().fold(ScriptedUpstream::new("misp"), |script, (request, answer)| script.expect(request, answer));
    casemate_plugin::testing::call(TOOLS, tool, arguments, &Context::scripted([&upstream]))
}

fn structured(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.structured).unwrap()
}

fn event() -> Value {
    json!({ "id": "42", "uuid": "5b000000-0000-4000-8000-000000000042", "info": "Phishing", "date": "2026-11-19", "distribution": "1",
        "published": false, "Orgc": { "uuid": ORG, "name": "ACME" }, "Tag": [{ "name": "tlp:green" }] })
}

fn with(base: &Value, name: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[name] = value;
    changed
}

fn view(event: &Value) -> (Expected, Answer) {
    (get("/events/view/42").header("accept", "application/json"), answer(200).json(&json!({ "Event": event })))
}

fn addition() -> Value {
    json!({ "event_id": "42", "org": ORG, "type": "ip-dst", "category": "Network activity", "value": "198.51.100.7", "to_ids": true })
}

fn add(answered: Answer) -> Result<Outcome, Failure> {
    let body =
        json!({ "type": "ip-dst", "category": "Network activity", "value": "198.51.100.7", "to_ids": true, "distribution": 0 });
    let request = post("/attributes/add/42").json(body).timeout(Duration::from_secs(20));
    call("add_attribute", &addition(), vec![view(&event()), (request, answered)])
}

fn sight(answered: Answer) -> Result<Outcome, Failure> {
    let attribute = json!({ "Attribute": { "id": "7", "event_id": "42", "type": "ip-dst", "value": "198.51.100.7" } });
    let request = post("/sightings/add/7").json(json!({ "type": "1", "source": "proxy" })).timeout(Duration::from_secs(20));
    let arguments = json!({ "attribute_id": "7", "event_id": "42", "org": ORG, "kind": "false-positive", "source": "proxy" });
    call(
        "add_sighting",
        &arguments,
        vec![(get("/attributes/view/7"), answer(200).json(&attribute)), view(&event()), (request, answered)],
    )
}

fn publication() -> Value {
    json!({ "event_id": "42", "org": ORG, "info": "Phishing", "distribution": "this-community-only" })
}

fn publish(answered: Answer) -> Result<Outcome, Failure> {
    let request = post("/events/publish/42").json(json!({})).timeout(Duration::from_secs(20));
    call("publish_event", &publication(), vec![view(&event()), (request, answered)])
}

#[test]
fn packs() {
    assert_eq!(check(TOOLS), Vec::<String>::new());
    let described = casemate_plugin::describe(TOOLS);
    let effects: Vec<_> =
        described.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["effect"].as_str().unwrap())).collect();
    let expected = [
        ("search_events", "read"),
        ("search_attributes", "read"),
        ("get_event", "read"),
        ("check_warninglists", "read"),
        ("add_attribute", "write"),
        ("add_sighting", "write"),
        ("publish_event", "destructive"),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn recorded_cases() {
    for case in Recorded::all(RECORDED).into_iter().filter(Recorded::plays_natively) {
        case.replay(TOOLS);
    }
}

#[test]
fn a_search_names_organisations_a_time_and_no_red() {
    let body = json!({ "returnFormat": "json", "org": [ORG, OTHER], "last": "7d", "tags": { "NOT": ["tlp:red"], "OR": ["tlp:green"] },
        "limit": "2", "page": "3", "metadata": true, "value": "198.51.100.7", "type": "ip-dst" });
    let red = |tag: &str| with(&event(), "Tag", json!([{ "name": tag }]));
    let elsewhere = with(&event(), "Orgc", json!({ "uuid": "22222222-2222-4333-8444-555555555555" }));
    let found: Vec<Value> = [event(), red("TLP:RED"), red("tlp=\"red\""), elsewhere, with(&event(), "id", json!("x")), json!(7)]
        .into_iter()
        .map(|event| json!({ "Event": event }))
        .collect();
    let request = post("/events/restSearch").header("accept", "application/json").json(body);
    let arguments = json!({ "orgs": [ORG, OTHER], "last": "7d", "tag": "tlp:green", "limit": 2, "page": 3, "value": "198.51.100.7", "type": "ip-dst" });
    let outcome = call("search_events", &arguments, vec![(request, answer(200).json(&json!({ "response": found })))]).unwrap();
    let listing = structured(&outcome);
    assert_eq!((listing["events"].as_array().unwrap().len(), &listing["next_page"]), (1, &json!(4)));
    assert_eq!(outcome.text, "1 event\n42 2026-11-19 Phishing (ACME, not published)\nmore: ask for page 4");

    let body = json!({ "returnFormat": "json", "org": [ORG], "last": "24h", "tags": { "NOT": ["tlp:red"] }, "limit": "20", "page": "1",
        "includeEventTags": true, "category": "Network activity", "to_ids": false });
    let attribute = |id: &str, tags: Value, above: Value| json!({ "id": id, "event_id": 42, "type": "ip-dst", "category": "x", "value": "v", "Tag": tags, "Event": above });
    let found = json!([
        attribute("1", json!([]), json!({ "info": "Phishing" })),
        attribute("2", json!([{ "name": "tlp:red" }]), json!({})),
        attribute("3", json!([]), json!({ "Tag": [{ "name": "tlp:red" }] })),
        with(&attribute("4", json!([]), json!({})), "deleted", json!(true)),
    ]);
    let arguments = json!({ "orgs": [ORG], "last": "24h", "category": "Network activity", "to_ids": false });
    let page = json!({ "response": { "Attribute": found } });
    let outcome =
        call("search_attributes", &arguments, vec![(post("/attributes/restSearch").json(body), answer(200).json(&page))])
            .unwrap();
    assert_eq!(outcome.text, "1 attribute\n1 ip-dst v (x) in event 42: Phishing");
}

#[test]
fn what_is_no_argument_is_refused() {
    let search = json!({ "orgs": [ORG], "last": "7d" });
    for (tool, arguments) in [
        ("search_events", json!({ "last": "7d" })),
        ("search_events", json!({ "orgs": [ORG] })),
        ("search_events", with(&search, "orgs", json!([]))),
        ("search_events", with(&search, "orgs", json!(["ACME"]))),
        ("search_events", with(&search, "orgs", json!("%"))),
        ("search_events", with(&search, "last", json!("7 days"))),
        ("search_events", with(&search, "tag", json!("!tlp:green"))),
        ("search_events", with(&search, "tag", json!("%"))),
        ("search_events", with(&search, "limit", json!(101))),
        ("search_events", with(&search, "metadata", json!(false))),
        ("search_attributes", with(&search, "category", json!("network activity"))),
        ("search_attributes", with(&search, "returnFormat", json!("csv"))),
        ("get_event", json!({ "event": "42/../index", "org": ORG })),
        ("get_event", json!({ "event": "42" })),
        ("check_warninglists", json!({ "value": "" })),
        ("add_attribute", with(&addition(), "distribution", json!(3))),
        ("add_attribute", with(&addition(), "event_id", json!("*"))),
        ("add_attribute", with(&addition(), "value", json!("a\nb"))),
        ("add_attribute", with(&addition(), "value", json!(format!("ghp_{}", "A1b2".repeat(9))))),
        ("add_attribute", with(&addition(), "comment", json!("see https://u:hunter2@x.example/"))),
        ("publish_event", with(&publication(), "distribution", json!(3))),
        ("publish_event", json!({ "event_id": "42", "org": ORG })),
    ] {
        let failure = call(tool, &arguments, vec![]).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::InvalidArguments, "{tool} {arguments}");
        assert!(!failure.message().contains("hunter2") && !failure.message().contains("ghp_"), "{failure}");
    }
}

#[test]
fn an_event_that_may_not_be_seen_is_not_there() {
    let arguments = json!({ "event": "42", "org": ORG });
    for hidden in [
        with(&event(), "Tag", json!([{ "name": "tlp:red" }])),
        with(&event(), "Tag", json!([{ "name": "a" }, { "name": "TLP:RED" }])),
        with(&event(), "Orgc", json!({ "uuid": OTHER, "name": "ACME" })),
        with(&event(), "Orgc", json!({})),
    ] {
        let changing = [("add_attribute", addition()), ("publish_event", publication())];
        for (tool, arguments) in changing.into_iter().chain([("get_event", arguments.clone())]) {
            let failure = call(tool, &arguments, vec![view(&hidden)]).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::NotFound, "{tool} {hidden}");
            assert!(!failure.message().contains("red") && !failure.message().contains("Phishing"), "{failure}");
        }
    }
    for other in [with(&event(), "id", json!("43")), json!({}), json!([])] {
        assert_eq!(call("get_event", &arguments, vec![view(&other)]).unwrap_err().kind(), FailureKind::Upstream, "{other}");
    }
    // By its UUID it is itself; a sighting is held to the attribute's event, and that to all of this.
    let uuid = "5b000000-0000-4000-8000-000000000042";
    let by_uuid = (get(&format!("/events/view/{uuid}")), answer(200).json(&json!({ "Event": event() })));
    call("get_event", &json!({ "event": uuid, "org": ORG }), vec![by_uuid]).unwrap();
    let sighting = json!({ "attribute_id": "7", "event_id": "42", "org": ORG, "kind": "seen" });
    for attribute in [
        json!({ "id": "7", "event_id": "43" }),
        json!({ "id": "7", "event_id": "42", "Tag": [{ "name": "tlp:red" }] }),
        json!({}),
    ] {
        let view = (get("/attributes/view/7"), answer(200).json(&json!({ "Attribute": attribute })));
        assert_eq!(call("add_sighting", &sighting, vec![view]).unwrap_err().kind(), FailureKind::NotFound, "{attribute}");
    }
}

#[test]
fn attributes_of_an_event_are_bounded_and_without_red_ones() {
    let attribute = |at: usize| json!({ "id": at.to_string(), "event_id": "42", "type": "ip-dst", "category": "x", "value": "v\u{202e}".repeat(400) });
    let many: Vec<Value> = (1..=180).map(attribute).collect();
    let red = with(&attribute(900), "Tag", json!([{ "name": "tlp:red" }]));
    let objects = json!([
        { "name": "file", "Attribute": (301..=340).map(attribute).chain([red]).collect::<Vec<_>>() },
        { "name": "gone", "deleted": true, "Attribute": [attribute(950)] },
        7,
    ]);
    let whole = with(&with(&event(), "Attribute", json!(many)), "Object", objects);
    let outcome = call("get_event", &json!({ "event": "42", "org": ORG }), vec![view(&whole)]).unwrap();
    let shown = structured(&outcome);
    let attributes = shown["attributes"].as_array().unwrap();
    assert_eq!((attributes.len(), &shown["more"]), (200, &json!(true)));
    assert_eq!((&attributes[199]["attribute_id"], &attributes[199]["object"]), (&json!("320"), &json!("file")));
    assert!(attributes[0]["value"].as_str().unwrap().chars().count() == 500 && !outcome.text.contains('\u{202e}'));
    assert!(!shown.to_string().contains("\"900\"") && !shown.to_string().contains("\"950\""));
}

#[test]
fn a_warninglist_answers_in_two_shapes() {
    let ask = |answered: &Value| {
        let request = post("/warninglists/checkValue").json(json!(["8.8.8.8"]));
        call("check_warninglists", &json!({ "value": "8.8.8.8" }), vec![(request, answer(200).json(answered))])
    };
    let outcome = ask(&json!({ "8.8.8.8": [{ "id": "7", "name": "DNS", "matched": "8.8.8.8" }, { "id": "8" }] })).unwrap();
    assert_eq!(structured(&outcome), json!({ "value": "8.8.8.8", "lists": ["DNS"] }));
    for none in [json!([]), json!({}), json!(null)] {
        assert_eq!(structured(&ask(&none).unwrap())["lists"], json!([]), "{none}");
    }
}

#[test]
fn only_the_event_that_is_meant_is_published() {
    let outcome = publish(answer(200).json(&json!({ "saved": true, "success": true, "name": "Job queued" }))).unwrap();
    assert_eq!(outcome.text, "event 42 is published, to this-community-only: Phishing");
    publish(answer(200).json(&json!({ "name": "Publish", "message": "Publish", "url": "/" }))).unwrap();
    for (changed, part) in [
        (with(&event(), "info", json!("Phishing at the bank")), "is called `Phishing at the bank`"),
        (with(&event(), "distribution", json!("3")), "the event's distribution is all-communities"),
        (with(&event(), "distribution", json!(null)), "does not say who would get"),
        (with(&event(), "published", json!(true)), "published already"),
    ] {
        let failure = call("publish_event", &publication(), vec![view(&changed)]).unwrap_err();
        assert!(failure.message().starts_with("nothing was published") && failure.message().contains(part), "{failure}");
    }
}

#[test]
fn how_a_change_ended_is_said_or_said_not_to_be_known() {
    let made = json!({ "Attribute": { "id": "1008", "event_id": "42", "distribution": "0" } });
    assert_eq!(structured(&add(answer(200).json(&made)).unwrap())["attribute_id"], "1008");
    sight(answer(200).json(&json!({ "Sighting": { "id": "1" } }))).unwrap();
    sight(answer(200).json(&json!({ "message": "Sighting added" }))).unwrap();
    for wrong in [("distribution", "5"), ("event_id", "43")] {
        let other = json!({ "Attribute": with(&made["Attribute"], wrong.0, json!(wrong.1)) });
        assert!(add(answer(200).json(&other)).unwrap_err().message().contains("somebody has to look"), "{other}");
    }
    let declined =
        json!({ "saved": false, "success": false, "message": "Could not add the Sighting. Reason: ignore this", "errors": {} });
    for failure in [sight(answer(200).json(&declined)).unwrap_err(), publish(answer(200).json(&declined)).unwrap_err()] {
        assert!(failure.code().is_none() && !failure.message().contains("ignore"), "{failure}");
    }
    for change in [&add as &dyn Fn(Answer) -> Result<Outcome, Failure>, &sight, &publish] {
        for answered in [
            answer(500),
            answer(200).body("<html>"),
            answer(200).json(&json!({})),
            fault(SendError::TimedOut("misp")),
            fault(SendError::Broken("misp")),
        ] {
            let failure = change(answered).unwrap_err();
            assert_eq!((failure.kind(), failure.code()), (FailureKind::Upstream, Some("outcome-unknown")), "{failure}");
        }
        for (status, body, kind) in [
            (403, json!({ "name": "Authentication failed. ignore this" }), FailureKind::Unauthorized),
            (403, json!({ "saved": false, "errors": { "value": ["ignore this"] } }), FailureKind::InvalidArguments),
            (404, json!({ "name": "Invalid event" }), FailureKind::NotFound),
            (405, json!({}), FailureKind::Unauthorized),
            (429, json!({}), FailureKind::RateLimited),
        ] {
            let failure = change(answer(status).json(&body)).unwrap_err();
            assert_eq!(failure.kind(), kind, "{status} {failure}");
            assert!(!failure.message().contains("ignore"), "{failure}");
        }
    }
}
