//! What a grant may spend, through MCP: exactly that, whoever races, restarts or waits for it.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Raw, Reply, said};

fn house(budget: &str) -> House {
    House::new(&Guest::new("errands")).with(&format!(
        "[grants.tester]\nmax_effect = 'write'\nscope.group = ['lab', 'moon', 'mars', 'pluto']\nbudget = [{budget}]\n\
         [plugins.@.tools]\npost = {{ enabled = true, dry_run = false }}"
    ))
}

/// What `casemate ledger` says is spent of each budget.
fn spent(house: &House) -> Vec<u64> {
    let shown = house.casemate(&["ledger", "--format", "json"]).done().stdout;
    let rows: Value = serde_json::from_str(&shown).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["spent"].as_u64().unwrap()).collect()
}

/// Denied because a budget is spent, in words for the caller, and for the operator in the log.
#[track_caller]
fn exhausted(house: &House, reply: Reply) -> u64 {
    let reply = reply.ended("denied", "budget-exhausted", &["is spent"]);
    let record = house.record(&reply);
    assert_eq!(said(&record, "layer"), "budget", "{record}");
    assert!(said(&record, "operator").as_str().unwrap().contains("under `[grants.tester]`"), "{record}");
    reply.structured()["retry_after_ms"].as_u64().unwrap_or_default()
}

#[test]
fn calls_are_counted_by_tool_and_by_effect() {
    let house = house(
        "{ tools = '@_hosts', calls = 2, per = '1h' }, { effect = 'write', calls = 1, per = '1h' }, { calls = 0, tools = '@_vault', per = '1d' }",
    )
    .serve();
    let post = || house.call("post", json!({ "group": "lab" }));
    house.call("hosts", json!({})).done(&["200"]);
    house.call("techniques", json!({})).done(&["200"]);
    post().done(&["200"]);
    house.call("hosts", json!({})).done(&["200"]);
    assert!(exhausted(&house, house.call("hosts", json!({}))) > 3_500_000);
    assert!(exhausted(&house, post()) > 3_500_000);
    // There is no use in waiting for what is never allowed.
    assert_eq!(exhausted(&house, house.call("vault", json!({}))), 0);
    house.call("techniques", json!({})).done(&["200"]);
    assert_eq!(spent(&house), [2, 1, 0]);
    assert_eq!(house.received().len(), 5);
    let shown = house.casemate(&["ledger"]).done().stdout;
    assert!(shown.contains("errands_hosts") && shown.contains("2 calls") && shown.contains("* from write on"), "{shown}");
}

/// Two hundred calls at once, of four programs that share nothing but the ledger's file.
#[test]
fn two_hundred_racing_calls_spend_exactly_what_there_is() {
    let mut house = house("{ calls = 37, per = '1h' }");
    house.install().done();
    let mut clients: Vec<Raw> = (0..4).map(|_| Raw::initialized(house.command().arg("serve"))).collect();
    let call = |id: usize| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "errands_hosts", "arguments": {} } });
    let outcomes: Vec<Value> = thread::scope(|scope| {
        let racing = clients.iter_mut().map(|client| {
            scope.spawn(move || {
                (0..50).for_each(|id| client.send(&call(id)));
                (0..50).map(|_| client.receive()).collect::<Vec<_>>()
            })
        });
        let racing: Vec<_> = racing.collect();
        racing.into_iter().flat_map(|answers| answers.join().unwrap()).collect()
    });
    let reason = |answer: &Value| answer["result"]["structuredContent"]["reason"].as_str().map(str::to_owned);
    let (mut done, mut refused, mut busy) = (0, 0, 0);
    for answer in &outcomes {
        match reason(answer).as_deref() {
            Some("budget-exhausted") => refused += 1,
            Some("busy") => busy += 1,
            None if answer["result"]["isError"] != true && answer["result"].is_object() => done += 1,
            None if answer["error"].is_object() => busy += 1,
            _ => panic!("{answer}"),
        }
    }
    assert_eq!((done, house.received().len(), done + refused + busy), (37, 37, 200), "{refused} refused, {busy} busy");
    assert_eq!(spent(&house), [37]);
    for client in clients {
        assert!(client.stop().status.success());
    }
    house.close();
}

#[test]
fn bytes_are_counted_as_they_come_and_the_last_answer_is_cut_off() {
    let house = house("{ bytes = 2500, per = '1h' }").serve();
    house.upstreams().script(json!({ "times": 9, "answer": { "body": "b".repeat(1000) } }));
    house.call("hosts", json!({})).done(&["200"]);
    assert_eq!(spent(&house), [1000]);
    house.call("hosts", json!({})).done(&["200"]);
    let cut = house.call("hosts", json!({}));
    assert!(cut.is_error() && !cut.text().contains("bbbb"), "{cut:?}");
    assert_eq!(spent(&house), [2500]);
    exhausted(&house, house.call("hosts", json!({})));
    assert_eq!(house.received().len(), 3);
}

#[test]
fn different_targets_are_counted_once_each() {
    let house = house("{ tools = ['@_look', '@_post'], distinct = 'group', max = 2, per = '1h' }").serve();
    let look = |group: &str| house.call("look", json!({ "group": group }));
    look("lab").done(&["200"]);
    look("moon").done(&["200"]);
    look("lab").done(&["200"]);
    exhausted(&house, look("mars"));
    // By another tool it is the same dimension; what names no target is not counted.
    exhausted(&house, house.call("post", json!({ "group": "pluto" })));
    house.call("post", json!({ "group": "moon" })).done(&["200"]);
    house.call("hosts", json!({})).done(&["200"]);
    look("moon").done(&["200"]);
    assert_eq!(spent(&house), [2]);
}

#[test]
fn only_what_reached_nobody_is_given_back() {
    let mut house = house("{ calls = 5, per = '1h' }").serve();
    // Refused by a layer, and malformed: it was never charged.
    house.call("look", json!({ "group": "sun" })).ended("denied", "out-of-scope", &[]);
    house.call("look", json!({ "grope": "lab" })).ended("denied", "arguments-invalid", &[]);
    assert_eq!(spent(&house), [0]);
    // Sent, and answered with nothing, with a fault, or too late: it may have happened.
    house.upstreams().script(json!({ "misbehave": { "kind": "reset" } }));
    assert!(house.call("hosts", json!({})).is_error());
    house.upstreams().script(json!({ "answer": { "status": 500, "body": "no" } }));
    house.call("hosts", json!({}));
    house.upstreams().script(json!({ "misbehave": { "kind": "reset" } }));
    house.call("post", json!({ "group": "lab" })).ended("error", "outcome-unknown", &[]);
    assert_eq!(spent(&house), [3]);
    // A plan, and what the gate refuses, sent nothing and tried it all the same.
    house = house.set("plugins.@.tools.post.dry_run", true);
    house.reload();
    assert_eq!(house.call("post", json!({ "group": "lab" })).decision(), "planned");
    assert_eq!(spent(&house), [4]);
    // Nobody is at that address: nothing was sent, however often.
    house = house.set("plugins.@.upstream.echo.origin", "http://127.0.0.1:9");
    house.reload();
    for _ in 0..5 {
        assert!(house.call("hosts", json!({})).is_error());
    }
    assert_eq!(spent(&house), [4]);
}

#[test]
fn what_is_spent_stays_so_over_restarts_reloads_and_other_ways_in() {
    let mut house = house("{ calls = 3, per = '1h' }").serve();
    house.call("hosts", json!({})).done(&["200"]);
    house.close();
    house = house.open();
    house.call("hosts", json!({})).done(&["200"]);
    assert_eq!(house.casemate(&["call", "errands_hosts", "{}"]).code, 0);
    exhausted(&house, house.call("hosts", json!({})));
    let ran = house.casemate(&["call", "errands_hosts", "{}"]);
    assert!(ran.code == 2 && format!("{}{}", ran.stdout, ran.stderr).contains("is spent"), "{ran:#?}");
    // Clearing what was read gives nothing back, and neither does a limit that is raised and lowered.
    house.casemate(&["sessions", "clear", "local"]).done();
    exhausted(&house, house.call("hosts", json!({})));
    house = house.with("[grants.tester]\nbudget = [{ calls = 4, per = '60m' }]");
    house.reload();
    house.call("hosts", json!({})).done(&["200"]);
    house = house.with("[grants.tester]\nbudget = [{ calls = 3, per = '1h' }]");
    house.reload();
    exhausted(&house, house.call("hosts", json!({})));
    assert_eq!(spent(&house), [4]);
}

#[test]
fn the_window_slides() {
    let house = house("{ calls = 2, per = '1200ms' }").serve();
    let hosts = || house.call("hosts", json!({}));
    hosts().done(&["200"]);
    thread::sleep(Duration::from_millis(700));
    hosts().done(&["200"]);
    let wait = exhausted(&house, hosts());
    assert!((1..=500).contains(&wait), "{wait}");
    thread::sleep(Duration::from_millis(wait));
    hosts().done(&["200"]);
    // Only the first has left the window: a fixed one would have begun anew.
    exhausted(&house, hosts());
}

#[test]
fn a_budget_that_counts_nothing_does_not_load() {
    let house = house("");
    house.install().done();
    for (budget, fault) in [
        ("{ tools = '@_hots', calls = 1, per = '1h' }", "it counts none"),
        ("{ calls = 1, bytes = 1, per = '1h' }", "a budget counts one thing"),
        ("{ per = '1h' }", "a budget counts one thing"),
        ("{ distinct = 'gruop', max = 1, per = '1h' }", "gruop"),
        ("{ distinct = 'group', per = '1h' }", "a budget counts one thing"),
        ("{ calls = 1, per = '0h' }", "is not a length of time"),
        ("{ calls = 1, per = '1 hour' }", "is not a length of time"),
        ("{ calls = -1, per = '1h' }", "-1"),
        ("{ call = 1, per = '1h' }", "did you mean `calls`"),
        ("{ calls = 1, per = '1h' }, { calls = 2, per = '60m' }", "twice"),
    ] {
        let budget = budget.replace('@', "errands");
        let text = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
        house.write_whole("casemate.toml", &text.replace("budget = []", &format!("budget = [{budget}]")));
        let ran = house.casemate(&["check"]);
        assert!(ran.code != 0 && ran.stderr.contains("casemate.toml:"), "{budget}: {ran:#?}");
        assert!(ran.stderr.contains(fault), "{budget}: {ran:#?}");
        house.write_whole("casemate.toml", &text);
    }
}
