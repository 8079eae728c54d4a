//! `kill -9` while calls run: after the next start every call was answered, or is on record as unknown, and what was approved still is.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;

use super::{house, tell};
use crate::harness::{Http, said};

/// Clients that call, one call after the other.
const CLIENTS: usize = 12;
/// How often the server is killed, each time a little later.
const KILLS: u64 = 4;

#[test]
fn every_call_of_a_killed_server_was_answered_or_is_unknown() {
    let house = house("plain_request")
        .set("plugins.@.tools.change.approval", "operator")
        .set("breaker.burst", false)
        .set("breaker.denials", false);
    let key = house.folder().join("alice.key").display().to_string();
    let made = house.casemate(&["approver", "new", "alice", "--key", &key, "--no-passphrase", "--format", "json"]).done();
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let house = house.set("approvers.alice.key", made["key"].as_str().unwrap());
    let (token, run) = (house.token("ann"), house.served("run"));
    let answered = Mutex::new(BTreeSet::new());
    let mut asked = 0;
    for kill in 0..KILLS {
        let http = Http::start(&mut house.command(), &token);
        // Something that waits for a person, to be there afterwards.
        let waits = http.call(&house.served("change"), json!({ "group": "lab", "case": "lab" })).next();
        assert!(!waits["result"]["structuredContent"]["approval_id"].is_null(), "{waits}");
        let killed = AtomicBool::new(false);
        asked += thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut asked = 0;
                        while !killed.load(Ordering::SeqCst) {
                            asked += 1;
                            let Some(answer) = http.try_call(&run, json!({ "case": "lab" })) else { break };
                            let id =
                                answer["result"]["_meta"]["casemate.dev/audit-id"].as_str().unwrap_or_else(|| panic!("{answer}"));
                            answered.lock().unwrap().insert(id.to_owned());
                        }
                        asked
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(400 + 150 * kill));
            killed.store(true, Ordering::SeqCst);
            tell(http.id(), Signal::KILL);
            clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
        });
    }
    // The next start puts right what was left.
    drop(Http::start(&mut house.command(), &token));
    let (intents, outcomes) = (house.records("intent"), house.records("outcome"));
    let begun: BTreeSet<_> = intents.iter().map(|record| record["event_id"].as_str().unwrap()).collect();
    let over: BTreeSet<_> = outcomes.iter().map(|record| said(record, "intent").as_str().unwrap()).collect();
    assert_eq!((begun.len(), outcomes.len()), (intents.len(), intents.len()), "every call that was begun has one end");
    assert_eq!(begun, over);
    let (unknown, known): (Vec<_>, Vec<_>) = outcomes.iter().partition(|record| *said(record, "ending") == "interrupted");
    assert!(unknown.iter().all(|record| record["outcome"] == "unknown"), "{unknown:?}");
    // Who was answered is on record as answered, and what was not recorded was not answered.
    let known: BTreeSet<_> = known.into_iter().map(|record| said(record, "intent").as_str().unwrap().to_owned()).collect();
    let answered = answered.into_inner().unwrap();
    assert!(!answered.is_empty() && asked >= answered.len());
    let lost: Vec<_> = answered.difference(&known).collect();
    assert!(lost.is_empty(), "{} of {} answered calls are not on record, such as {:?}", lost.len(), answered.len(), lost.first());
    house.casemate(&["audit", "verify"]).done();
    let listed = house.casemate(&["approvals", "list", "--format", "json"]).done().stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let id = listed[0]["id"].as_str().or_else(|| listed[0]["approval_id"].as_str()).unwrap_or_else(|| panic!("{listed}"));
    house.casemate(&["approvals", "approve", id, "--key", &key, "--yes"]).done();
}
