//! An approval is of one call: nothing else is made under it.

use serde_json::json;

use super::{WRITES, asked, by_operator, enrol, guarded, lab, made, say, waiting_house, waits, writes};
use crate::harness::{Guest, House, Http};

#[test]
fn other_arguments_wait_for_an_approval_of_their_own() {
    // It sends the same, whatever the case is called.
    let house = enrol(guarded(&Guest::new("changing_plan"), by_operator()), "alice").serve();
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    for other in [json!({ "group": "lab", "case": "lab " }), json!({ "group": "lab" }), json!({ "group": "lab", "case": "LAB" })]
    {
        assert_ne!(waits(house.call("change", other.clone())), id, "{other}");
    }
    assert_eq!(writes(&house), 0);
    made(&house);
}

#[test]
fn another_grant_waits_for_an_approval_of_its_own() {
    let mut house = waiting_house(by_operator());
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    house.close();
    let tools = vec![house.served("*")];
    let house = house
        .set("grants.another.principals", vec!["local"])
        .set("grants.another.tools", tools)
        .set("grants.another.max_effect", "write")
        .set("grants.another.scope.group", vec!["lab"])
        .set("grants.tester.principals", vec!["token:ann"])
        .open();
    assert_ne!(asked(&house), id);
}

#[test]
fn other_bytes_of_the_plugin_wait_for_an_approval_of_their_own() {
    let mut house = waiting_house(by_operator());
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    house.close();
    upgrade(&house);
    let house = house.open();
    assert_ne!(asked(&house), id);
}

/// Install the same guest with one section more.
pub(super) fn upgrade(house: &House) {
    let next = Guest::new(WRITES).section("note", b"other bytes").with("plugin", "release", 2).with("plugin", "version", "0.2.0");
    let next = house.sign(&next);
    house.write_package(&next);
    let file = house.package_file().display().to_string();
    house.casemate(&["install", &file, "--yes", "--approve", &next.approval.to_string()]).done();
}

/// A token, and the principal that it is.
pub(super) fn token(house: &House, name: &str) -> String {
    let made = house.casemate(&["token", "new", name]).done().stdout;
    made.split_whitespace().find(|word| word.starts_with("casemate_")).unwrap().to_owned()
}

#[test]
fn another_principal_waits_for_an_approval_of_its_own() {
    let house = guarded(&Guest::new(WRITES), by_operator());
    let house = enrol(house, "alice").set("grants.tester.principals", vec!["token:ann", "token:ben"]);
    house.install().done();
    let (ann, ben) = (token(&house, "ann"), token(&house, "ben"));
    let mut http = Http::start(&mut house.command(), &ann);
    let tool = house.served("change");
    let id =
        |http: &Http| http.call(&tool, lab()).next()["result"]["structuredContent"]["approval_id"].as_str().map(str::to_owned);
    let anns = id(&http).unwrap();
    say(&house, "approve", &anns, "alice").done();
    http.speak_as(&ben);
    assert_ne!(id(&http).unwrap(), anns);
    assert!(house.received().is_empty());
    http.speak_as(&ann);
    assert_eq!(id(&http), None, "it was made");
    assert_eq!(house.received().len(), 1);
}

#[test]
fn a_call_that_turns_out_otherwise_is_ended_before_it_is_sent() {
    let house = guarded(&Guest::new("changing_plan"), by_operator());
    let house = enrol(house, "alice").serve();
    let call = json!({ "group": "lab", "case": "more" });
    let id = waits(house.call("change", call.clone()));
    say(&house, "approve", &id, "alice").done();
    house.upstreams().script(json!({ "answer": { "status": 404 } }));
    let reply = house.call("change", call.clone()).ended("denied", "plan-mismatch", &["The approval is used up"]);
    assert_eq!(writes(&house), 0, "{reply:#?}");
    // What differed is the plugin's choice, and perhaps the upstream's: it is for the operator, not for the model.
    assert!(!format!("{reply:?}").contains("/note"), "{reply:#?}");
    // The upstream is what it was: asked about anew, and made.
    let id = waits(house.call("change", call.clone()));
    say(&house, "approve", &id, "alice").done();
    house.call("change", call).done(&["200"]);
}

#[test]
fn what_needs_no_person_any_more_is_made_and_what_needs_one_again_waits() {
    let mut house = waiting_house(by_operator());
    let id = asked(&house);
    house.close();
    let mut house = house.set("plugins.@.tools.change.approval", "none").open();
    made(&house);
    house.close();
    let house = house.set("plugins.@.tools.change.approval", by_operator()).open();
    assert_eq!(asked(&house), id, "it still waits");
}
