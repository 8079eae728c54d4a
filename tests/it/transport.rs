//! The running program's transport: how it starts, is told things, stops and is killed, and what became of the calls.

mod killed;
mod killed_at_work;
mod service;

use std::{
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Guest, House, Http, Raw, UNDER_WAY, only_json_rpc, said, until};

/// A server that ends ends within this time.
const ENDS: Duration = Duration::from_secs(20);

fn tell(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(id.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// A house for ann, with this guest, which may take its time.
fn house(guest: &str) -> House {
    let house = House::new(&Guest::new(guest).limit("deadline_ms", 60_000).limit("fuel_millions", 50_000))
        .set("grants.tester.principals", vec!["local", "token:ann", "token:ben"])
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write");
    house.install().done();
    house
}

/// Wait for a process to end by itself.
#[track_caller]
fn ended(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < ENDS, "the server goes on");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_call_that_runs_when_the_server_is_told_to_stop_is_answered() {
    let house = house("wait_then_send");
    let mut http = Http::start(&mut house.command(), &house.token("ann"));
    let change = house.served("change");
    thread::scope(|scope| {
        let call = scope.spawn(|| http.reply(&change, json!({ "group": "lab" })));
        thread::sleep(UNDER_WAY);
        tell(http.id(), Signal::TERM);
        thread::sleep(Duration::from_millis(100));
        assert!(!http.accepts(), "it still listens");
        call.join().unwrap().done(&["200"]);
    });
    assert!(ended(http.child()).success());
    assert_eq!(house.records("outcome").len(), 1);
    assert_eq!(house.records("host.stopped").len(), 1);
    assert_eq!(house.received().len(), 1);
}

#[test]
fn a_call_that_outlasts_the_drain_is_cancelled_and_on_record() {
    let house = house("endless_wait").set("http.drain", "1s");
    let mut http = Http::start(&mut house.command(), &house.token("ann"));
    let _call = http.call(&house.served("run"), json!({}));
    thread::sleep(UNDER_WAY);
    tell(http.id(), Signal::TERM);
    assert!(ended(http.child()).success());
    let outcomes = house.records("outcome");
    assert!(outcomes.len() == 1 && said(&outcomes[0], "ending") == "cancelled", "{outcomes:?}");
    assert_eq!(house.records("host.stopped").len(), 1);
}

#[test]
fn a_second_signal_does_not_wait() {
    let house = house("endless_wait").set("http.drain", "50s");
    let mut http = Http::start(&mut house.command(), &house.token("ann"));
    let _call = http.call(&house.served("run"), json!({}));
    thread::sleep(UNDER_WAY);
    tell(http.id(), Signal::TERM);
    thread::sleep(Duration::from_millis(500));
    assert!(http.child().try_wait().unwrap().is_none(), "it does not wait for the call");
    tell(http.id(), Signal::INT);
    assert!(ended(http.child()).success());
    assert_eq!(*said(&house.records("outcome")[0], "ending"), "cancelled");
}

#[test]
fn over_stdio_a_call_that_runs_is_answered_too() {
    let house = house("wait_then_send");
    let mut raw = Raw::initialized(house.command().arg("serve"));
    raw.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": house.served("change"), "arguments": { "group": "lab" } } }));
    thread::sleep(UNDER_WAY);
    tell(raw.id(), Signal::TERM);
    let answer = raw.receive();
    assert!(answer["id"] == 1 && answer["result"]["isError"] != true, "{answer}");
    let remains = raw.wait();
    assert!(remains.status.success(), "{remains:?}");
    only_json_rpc(&remains.stdout);
    assert_eq!(house.records("outcome").len(), 1);
}

#[test]
fn new_settings_are_taken_up_while_a_call_runs() {
    let mut house = house("wait_then_send");
    let http = Http::start(&mut house.command(), &house.token("ann"));
    let (change, ping) = (house.served("change"), house.served("ping"));
    assert_eq!(http.status_for("mcp.example", &ping), 403);
    thread::scope(|scope| {
        let call = scope.spawn(|| http.reply(&change, json!({ "group": "lab" })));
        thread::sleep(UNDER_WAY);
        house = std::mem::replace(&mut house, House::new(&Guest::new("empty_answer"))).set("http.hosts", vec!["mcp.example"]);
        tell(http.id(), Signal::HUP);
        until("the name is known", || http.status_for("mcp.example", &ping) == 200);
        call.join().unwrap().done(&["200"]);
    });
    // What only a start can take up is refused whole.
    let good = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    house.write_whole("casemate.toml", &good.replace("[http]", "[http]\nplaintext = true"));
    tell(http.id(), Signal::HUP);
    until("it is refused", || house.records("config.refused").len() == 1);
    assert!(house.records("config.refused")[0].to_string().contains("http.plaintext"));
    assert_eq!(http.status_for("mcp.example", &ping), 200);
}

#[test]
fn what_other_machines_reach_is_not_served_in_the_clear() {
    let house = house("empty_answer");
    let serve = ["serve", "--http", "0.0.0.0:0"];
    house.casemate(&serve).faulty(&["plaintext = true", "[http.tls]"]);
    let house = house.set("http.plaintext", true);
    let mut child = house.command().args(serve).spawn().unwrap();
    thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "it does not serve");
    tell(child.id(), Signal::TERM);
    assert!(ended(&mut child).success());
}

/// The approval of a call that finds no place is there for the next try.
#[test]
fn a_call_that_finds_no_place_uses_nothing_up() {
    let house = house("wait_then_send")
        .set("calls.running", 1)
        .set("calls.wait", "100ms")
        .set("plugins.@.tools.change.approval", "operator")
        .set(
            "grants.tester.budget",
            toml::Value::Array(vec![
                toml::toml! { calls = 3
                per = "1h" }
                .into(),
            ]),
        );
    let key = house.folder().join("alice.key").display().to_string();
    let made = house.casemate(&["approver", "new", "alice", "--key", &key, "--no-passphrase", "--format", "json"]).done();
    let made: serde_json::Value = serde_json::from_str(&made.stdout).unwrap();
    let house = house.set("approvers.alice.key", made["key"].as_str().unwrap()).open();
    let lab = json!({ "group": "lab" });
    // One of three calls of the budget: the plan.
    let waiting = house.call("change", lab.clone()).ended("deferred", "approval-required", &[]);
    let id = waiting.structured()["approval_id"].as_str().unwrap().to_owned();
    house.casemate(&["approvals", "approve", &id, "--key", &key, "--yes"]).done();
    // The second of three takes the only place.
    let (_, _) = house.during("run", json!({ "case": "lab" }), || {
        for _ in 0..3 {
            let busy = house.call("change", lab.clone()).ended("error", "busy", &["1 of your own places"]);
            assert!(busy.structured()["retry_after_ms"].as_u64().is_some());
        }
    });
    let before = house.received().len();
    // The third, under the approval.
    house.call("change", lab.clone()).done(&["200"]);
    assert_eq!(house.received().len(), before + 1);
    assert_eq!(house.call("run", json!({ "case": "lab" })).decision(), "denied", "the budget is spent now");
}

/// Whatever one principal has running, another is served.
#[test]
fn a_principal_with_many_calls_does_not_keep_another_waiting() {
    let house = house("endless_wait").set("calls.running", 4).set("calls.wait", "1s");
    let mut http = Http::start(&mut house.command(), &house.token("ann"));
    let (run, ping, ben) = (house.served("run"), house.served("ping"), house.token("ben"));
    let mut calls: Vec<_> = (0..32).map(|_| http.call(&run, json!({}))).collect();
    thread::sleep(UNDER_WAY);
    let own = http.reply(&ping, json!({}));
    assert_eq!(own.structured()["reason"], "busy", "{own:?}");
    http.speak_as(&ben);
    http.reply(&ping, json!({})).done(&["pong"]);
    let answer = calls.pop().unwrap().next();
    assert_eq!(answer["result"]["structuredContent"]["reason"], "busy", "{answer}");
}

/// Run a shell script with the program as its arguments.
fn shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg("sh").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
}
