//! Calls that only read and wait all the same: nothing of them is run before somebody agreed.

use serde_json::{Value, json};

use super::{by_operator, enrol, guarded, recorded, say, shown};
use crate::harness::{Guest, House, Reply};

/// Its tools are on, and alice is on duty.
fn errands(config: &str) -> House {
    enrol(House::new(&Guest::new("errands")).with(config), "alice").serve()
}

fn lab() -> Value {
    json!({ "group": "lab" })
}

#[track_caller]
fn waits(reply: Reply, reason: &str) -> String {
    let reply = reply.ended("deferred", reason, &["waits as approval"]);
    reply.structured()["approval_id"].as_str().unwrap().to_owned()
}

/// It waits with nothing sent, is made once when somebody agreed, and then waits again.
#[track_caller]
fn is_asked_about_before_it_reads(house: &House, reason: &str) {
    let before = house.received().len();
    let id = waits(house.call("look", lab()), reason);
    assert_eq!(waits(house.call("look", lab()), reason), id);
    assert_eq!(house.received().len(), before, "it was run before anybody agreed");
    let sheet = house.casemate(&["approvals", "show", &id]).done().stdout;
    assert!(sheet.contains("it only reads"), "{sheet}");
    say(house, "approve", &id, "alice").done();
    house.call("look", lab()).done(&["200"]);
    assert_eq!((house.received().len(), &shown(house, &id)["state"]), (before + 1, &json!("used")));
    waits(house.call("look", lab()), reason);
}

#[test]
fn a_reading_tool_that_waits_for_approval_reads_nothing_before() {
    let house = errands("[plugins.@.tools.look]\napproval = { mode = 'operator' }");
    is_asked_about_before_it_reads(&house, "approval-required");
}

#[test]
fn a_flow_rule_that_asks_holds_reading_tools_too() {
    let house =
        errands("[[flow]]\nname = 'nothing-after'\nafter = 'untrusted'\nforbid = { tools = ['@_look'] }\nunless = 'approval'");
    house.call("look", lab()).done(&["200"]);
    is_asked_about_before_it_reads(&house, "flow-needs-approval");
}

/// It changes nothing in this run. Its result is not handed out for that.
#[test]
fn a_planned_run_that_changes_nothing_hands_out_nothing() {
    let guest = Guest::new("empty_answer");
    let house = enrol(guarded(&guest, by_operator()), "alice").serve();
    let id = waits(house.call("change", lab()), "approval-required");
    assert_eq!(shown(&house, &id)["subject"]["plan"]["requests"], json!([]));
    assert_eq!(recorded(&house, "approval.voted"), 0);
}
