//! The console, from its door to what is done in it: who comes in, what they see, and what they may do.

mod chromium;
mod door;
mod looking;
mod voting;

use serde_json::Value;
use toml::{Table, toml};

use crate::{
    approvals::{enrol, guarded},
    harness::{Console, Guest, House, said},
};

/// Every page that somebody who has come in can look at.
const PAGES: [&str; 7] = [
    "/console",
    "/console/approvals",
    "/console/audit",
    "/console/plugins",
    "/console/grants",
    "/console/callers",
    "/console/posture",
];

/// A house whose tool `change` waits for so many people, with approvers alice and bob; and its console.
fn waiting(quorum: i64) -> (House, Console) {
    let mut rule: Table = toml! { mode = "operator" };
    rule.insert("quorum".to_owned(), quorum.into());
    let house = guarded(&Guest::new("effect_above_tool"), rule);
    let house = enrol(enrol(house, "alice"), "bob").serve();
    let console = Console::start(&house);
    (house, console)
}

/// The records of an event.
fn records(house: &House, event: &str) -> Vec<Value> {
    house.audit().into_iter().filter(|record| record["event_type"] == event).collect()
}

/// The facts of a record that is not about a call.
fn facts(record: &Value) -> &Value {
    said(record, "fields")
}
