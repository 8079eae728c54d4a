//! Calls that wait for people, from the first call to what became of it: asked, agreed to or not, used once.
//!
//! The guests write to group `lab`. Whatever a test does, what reached the upstream says whether the call was made.

mod in_band;
mod matching;
pub(crate) mod modern;
mod reads;
mod tasks;
mod votes;

use std::{path::PathBuf, thread, time::Duration};

use serde_json::{Value, json};
use toml::{Table, toml};

use crate::harness::{Guest, House, Ran, Reply};

/// An honest guest: it sends the one write that its tool may send.
pub(crate) const WRITES: &str = "effect_above_tool";

/// A house whose tool `change` is on, and waits.
pub(crate) fn guarded(guest: &Guest, approval: Table) -> House {
    House::new(guest)
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("plugins.@.tools.change.approval", approval)
        .set("grants.tester.max_effect", "write")
}

/// The same with approvers alice and bob, served.
fn waiting_house(approval: Table) -> House {
    let house = guarded(&Guest::new(WRITES), approval);
    enrol(enrol(house, "alice"), "bob").serve()
}

fn by_operator() -> Table {
    toml! { mode = "operator" }
}

/// Make an approver's key and put it into the configuration.
pub(crate) fn enrol(house: House, name: &str) -> House {
    let key = key(&house, name).display().to_string();
    let made = house.casemate(&["approver", "new", name, "--key", &key, "--no-passphrase", "--format", "json"]).done();
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    house.set(&format!("approvers.{name}.key"), made["key"].as_str().unwrap())
}

pub(crate) fn key(house: &House, name: &str) -> PathBuf {
    house.folder().join(format!("{name}.key"))
}

/// What an approver says of a call.
pub(crate) fn say(house: &House, word: &str, id: &str, who: &str) -> Ran {
    house.casemate(&["approvals", word, id, "--key", &key(house, who).display().to_string(), "--yes"])
}

pub(crate) fn lab() -> Value {
    json!({ "group": "lab", "case": "lab" })
}

/// The call waits, and this is the approval it waits for.
#[track_caller]
pub(crate) fn waits(reply: Reply) -> String {
    let reply = reply.ended("deferred", "approval-required", &["it waits as approval"]);
    reply.structured()["approval_id"].as_str().unwrap().to_owned()
}

/// How many requests that change something have reached the upstream.
pub(crate) fn writes(house: &House) -> usize {
    house.received().iter().filter(|request| request.method() == "POST").count()
}

/// Make the call, which waits.
#[track_caller]
pub(crate) fn asked(house: &House) -> String {
    let before = writes(house);
    let id = waits(house.call("change", lab()));
    assert_eq!(writes(house), before, "what waits was sent");
    id
}

/// Make the call, which is made.
#[track_caller]
pub(crate) fn made(house: &House) {
    let before = writes(house);
    house.call("change", lab()).done(&["200"]);
    assert_eq!(writes(house), before + 1);
}

/// One approval, for programs.
pub(crate) fn shown(house: &House, id: &str) -> Value {
    serde_json::from_str(&house.casemate(&["approvals", "show", id, "--format", "json"]).done().stdout).unwrap()
}

/// How often the audit log has an event.
pub(crate) fn recorded(house: &House, event: &str) -> usize {
    house.audit().iter().filter(|record| record["event_type"] == event).count()
}

#[test]
fn a_person_is_shown_the_whole_call_and_every_request_of_it() {
    let house = waiting_house(by_operator());
    let reply = house.call("change", lab());
    let origin = house.upstreams().origin("echo").to_owned();
    let url = format!("{origin}/changes");
    let id = waits(reply.clone().ended("deferred", "approval-required", &[&format!("POST {url} (write)")]));
    assert!(house.received().is_empty());

    let subject = shown(&house, &id)["subject"].clone();
    assert_eq!(
        (&subject["principal"], &subject["grant"], &subject["environment"]),
        (&json!("local"), &json!("tester"), &json!("dev"))
    );
    assert_eq!((&subject["tool"], &subject["arguments"]), (&json!(house.served("change")), &lab()));
    let [request] = subject["plan"]["requests"].as_array().unwrap().as_slice() else { panic!("one request: {subject:#}") };
    assert_eq!((&request["method"], &request["url"], &request["effect"]), (&json!("POST"), &json!(url), &json!("write")));
    assert_eq!(request["targets"]["group"], json!(["lab"]), "{request:#}");

    let text = house.casemate(&["approvals", "show", &id]).done().stdout;
    let digest = |name: &str| subject[name].as_str().unwrap().to_owned();
    for part in [
        id.as_str(),
        "by           local under grant tester",
        &format!("sha256:{}", digest("plugin_digest")),
        &format!("plan sha256:{}", digest("plan_digest")),
        &format!("1. POST {url}   [write]"),
        "needs a person's approval",
        "‹secret api_key›",
        "\"case\": \"lab\"",
        "agreed       0 of 1",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    // Every field of the request is in the text, as it is.
    for line in serde_json::to_string_pretty(request).unwrap().lines() {
        assert!(text.contains(line.trim()), "`{line}` is not in {text}");
    }
}

#[test]
fn what_cannot_be_seen_or_looks_like_something_else_is_shown() {
    let house = guarded(&Guest::new("dry_run_probe"), by_operator()).serve();
    let id = waits(
        house.call("change", json!({ "group": "lab", "case": "a\u{200b}b \u{202e}gpj p\u{430}ypal\u{1b}[2J\n2. GET /harmless" })),
    );
    let text = house.casemate(&["approvals", "show", &id]).done().stdout;
    assert!(text.contains(r"a\u{200b}b \u{202e}gpj"), "{text}");
    assert!(text.contains("characters that may look like others: а U+0430"), "{text}");
    assert!(!text.contains(['\u{200b}', '\u{202e}', '\u{1b}']), "{text}");
    assert!(
        !text.contains("\n2. GET /harmless") && !text.contains("\n  2. GET"),
        "a caller's words make no line of their own: {text}"
    );
}

#[test]
fn an_approved_call_is_made_once_and_asked_about_again() {
    let house = waiting_house(by_operator());
    let id = asked(&house);
    assert_eq!(asked(&house), id, "it waits as it waited before");
    say(&house, "approve", &id, "alice").done();
    made(&house);
    assert_eq!(shown(&house, &id)["state"], "used");
    let again = asked(&house);
    assert_ne!(again, id);
    say(&house, "approve", &id, "bob").refused(&["is used"]);
    assert_eq!(recorded(&house, "approval.voted"), 1);
}

#[test]
fn an_approval_is_good_after_a_restart() {
    let mut house = waiting_house(by_operator());
    let id = asked(&house);
    house.close();
    say(&house, "approve", &id, "alice").done();
    let mut house = house.open();
    house.close();
    let house = house.open();
    made(&house);
    asked(&house);
}

#[test]
fn a_denial_is_final() {
    let house = waiting_house(by_operator());
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    say(&house, "deny", &id, "bob").done();
    say(&house, "approve", &id, "alice").refused(&["is denied"]);
    assert_ne!(asked(&house), id);
}

#[test]
fn what_was_withdrawn_is_not_used() {
    let house = waiting_house(by_operator());
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    house.casemate(&["approvals", "withdraw", &id, "--reason", "the wrong window"]).done();
    say(&house, "approve", &id, "bob").refused(&["is withdrawn"]);
    assert_ne!(asked(&house), id);
    assert_eq!(recorded(&house, "approval.withdrawn"), 1);
}

#[test]
fn what_expired_is_not_used() {
    let house = waiting_house(toml! {
        mode = "operator"
        lasts = "2s"
    });
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    thread::sleep(Duration::from_secs(2));
    assert_ne!(asked(&house), id);
    assert_eq!(shown(&house, &id)["state"], "expired");
    say(&house, "approve", &id, "bob").refused(&["is expired"]);
}

#[test]
fn calls_that_race_for_one_approval_are_made_once() {
    let house = waiting_house(by_operator());
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    let tool = house.served("change");
    let replies = house.runtime().block_on(house.server().at_once(&tool, lab(), 8));
    let made = replies.iter().filter(|reply| !reply.is_error()).count();
    assert_eq!((made, house.received().len()), (1, 1), "{replies:#?}");
    for reply in replies.iter().filter(|reply| reply.is_error()) {
        assert!(matches!(reply.reason(), "approval-gone" | "approval-required"), "{reply:#?}");
    }
}
