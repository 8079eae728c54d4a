//! How a caller behaves: who tries too much is paused, and only a person ends that.

use serde_json::{Value, json};

use crate::harness::{Guest, House, Http, Raw, Reply, said};

fn house(breaker: &str) -> House {
    House::new(&Guest::new("errands")).with(&format!(
        "[breaker]\n{breaker}\n[grants.tester]\nprincipals = ['local', 'token:ann', 'token:bob']\nmax_effect = 'write'\n\
         [plugins.@.tools]\npost = {{ enabled = true, dry_run = false }}"
    ))
}

fn note(text: &str) -> Value {
    json!({ "group": "lab", "note": text })
}

/// The caller is paused: it hears that a person has to resume it, and the log how.
#[track_caller]
fn paused(house: &House, reply: Reply, reason: &str) {
    let reply =
        reply.ended("denied", reason, &["stop calling tools and tell the user", "only the operator can resume this caller"]);
    let record = house.record(&reply);
    assert_eq!(said(&record, "layer"), "breaker", "{record}");
    assert!(said(&record, "operator").as_str().unwrap().contains("casemate breaker resume local"), "{record}");
}

fn written(house: &House) -> usize {
    house.received().iter().filter(|request| request.method() != "GET").count()
}

#[test]
fn repeated_refusals_pause_a_caller_until_a_person_resumes_it() {
    let mut house = house("denials = { count = 5, per = '1h' }").serve();
    let probe = |house: &House, n: usize| house.call("look", json!({ "group": format!("probe-{n}") }));
    for n in 0..5 {
        probe(&house, n).ended("denied", "out-of-scope", &[]);
    }
    paused(&house, house.call("ping", json!({})), "breaker-opened");
    // Every tool, also what it could do before; in every client and after a restart.
    for tool in ["ping", "hosts", "post"] {
        paused(&house, house.call(tool, if tool == "post" { note("a") } else { json!({}) }), "paused");
    }
    let ran = house.casemate(&["call", "errands_ping", "{}"]);
    assert!(ran.code == 2 && format!("{}{}", ran.stdout, ran.stderr).contains("paused"), "{ran:#?}");
    house.close();
    house = house.open();
    paused(&house, house.call("ping", json!({})), "paused");
    // Taking the rule away does not end what it began.
    house = house.with("breaker.denials = false");
    house.reload();
    paused(&house, house.call("ping", json!({})), "paused");
    assert!(house.received().is_empty());

    // Another caller goes on.
    let (ann, bob) = (house.token("ann"), house.token("bob"));
    let mut http = Http::start(&mut house.command(), &ann);
    http.reply("errands_ping", json!({})).done(&["pong"]);
    http.speak_as(&bob);
    http.reply("errands_hosts", json!({})).done(&["200"]);
    drop(http);

    let listed = house.casemate(&["breaker", "list", "--format", "json"]).done().stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!((&listed[0]["principal"], &listed[0]["why"]), (&json!("local"), &json!("5 refused calls within 1h")), "{listed}");
    house.casemate(&["breaker", "resume", "token:ann"]).faulty(&["is not paused", "casemate breaker list"]);
    house.casemate(&["breaker", "resume", "local", "--reason", "OPS-9"]).done();
    house.casemate(&["breaker", "resume", "local"]).faulty(&["is not paused"]);
    assert!(house.casemate(&["breaker", "list"]).done().stdout.contains("Nobody is paused"));
    house.goes_on();
    house.close();
    let opened = house.records("breaker.opened");
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["principal_id"], "local", "{opened:?}");
    assert_eq!(said(&opened[0], "fields")["limit"], "denials", "{opened:?}");
    let resumed = house.records("breaker.resumed");
    assert!(resumed.len() == 1 && resumed[0].to_string().contains("OPS-9"), "{resumed:?}");
}

/// The replay of one request with ever another payload, as a fuzzer does it.
#[test]
fn forty_seven_payloads_of_one_tool_are_too_many() {
    let house = house("").serve();
    for n in 0..47 {
        let reply = house.call("post", note(&format!("payload {n}")));
        match n {
            0..20 => drop(reply.done(&["200"])),
            20 => paused(&house, reply, "breaker-opened"),
            _ => paused(&house, reply, "paused"),
        }
    }
    assert_eq!(written(&house), 20);
    assert!(house.casemate(&["breaker", "list"]).done().stdout.contains("one tool called with 20 different payloads within 10m"));
    // A person lets it go on, and then it has as many again.
    house.casemate(&["breaker", "resume", "local"]).done();
    house.call("post", note("payload 46")).done(&["200"]);
}

/// All at once is no way around it: each is counted before it is decided what the next may do.
#[test]
fn racing_payloads_are_no_fewer() {
    let mut house = house("variants = { count = 5, per = '1h' }");
    house.install().done();
    let mut clients: Vec<Raw> = (0..2).map(|_| Raw::initialized(house.command().arg("serve"))).collect();
    let call = |id: usize| {
        let params = json!({ "name": "errands_post", "arguments": note(&format!("payload {id}")) });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    std::thread::scope(|scope| {
        for (at, client) in clients.iter_mut().enumerate() {
            scope.spawn(move || {
                (0..24).for_each(|id| client.send(&call(at * 100 + id)));
                (0..24).for_each(|_| drop(client.receive()));
            });
        }
    });
    assert_eq!(written(&house), 5);
    for client in clients {
        assert!(client.stop().status.success());
    }
    assert!(house.casemate(&["breaker", "list"]).done().stdout.contains("local"));
    house.close();
}

/// What is the same payload in other bytes is no other one; what is another in the same bytes does not exist.
#[test]
fn a_payload_is_what_it_means() {
    let house = house("variants = { count = 3, per = '1h' }");
    house.install().done();
    let mut raw = Raw::initialized(house.command().arg("serve"));
    let mut call = |id: u32, arguments: &str| {
        raw.write(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"errands_post\",\"arguments\":{arguments}}}}}\n").as_bytes());
        raw.receive()["result"]["structuredContent"]["reason"].as_str().unwrap_or("done").to_owned()
    };
    for (id, same) in (1..).zip([
        r#"{"group":"lab","note":"a"}"#,
        r#"{"note":"a","group":"lab"}"#,
        r#"{ "group" : "l\u0061b", "note":"\u0061" }"#,
        r#"{"note":"z","group":"lab","note":"a"}"#,
        r#"{"group":"lab","note":"a"}"#,
    ]) {
        assert_eq!(call(id, same), "done", "{same}");
    }
    assert_eq!(call(20, r#"{"group":"lab","note":"a","port":80}"#), "done");
    assert_eq!(call(21, r#"{"group":"lab","note":"a","port":80.0}"#), "done", "80 is 80.0");
    assert_eq!(call(22, r#"{"group":"lab","note":"a "}"#), "done");
    assert_eq!(call(23, r#"{"group":"lab","note":"a\u200b"}"#), "breaker-opened");
    assert_eq!(written(&house), 8);
    assert!(raw.stop().status.success());
}

/// Plans send nothing, and reading is what tools are for: neither is a replay.
#[test]
fn plans_and_reads_are_no_replays() {
    let house = house("variants = { count = 3, per = '1h' }\nburst = false")
        .with("[plugins.@.tools.post]\ndry_run = true\n[grants.tester]\nscope.group = ['g1', 'g2', 'g3', 'g4', 'g5', 'lab']")
        .serve();
    for n in 1..=5 {
        house.call("look", json!({ "group": format!("g{n}") })).done(&["200"]);
        assert_eq!(house.call("post", note(&format!("payload {n}"))).decision(), "planned");
    }
    house.goes_on();
}

#[test]
fn a_burst_pauses_whatever_it_calls() {
    let house = house("burst = { count = 12, per = '1h' }").serve();
    let replies = house.at_once("ping", 12);
    assert!(replies.iter().all(|reply| !reply.is_error()), "{replies:?}");
    let replies = house.at_once("ping", 8);
    assert!(replies.iter().all(|reply| ["breaker-opened", "paused"].contains(&reply.reason())), "{replies:?}");
    paused(&house, house.call("ping", json!({})), "paused");
    assert_eq!(house.records("breaker.opened").len(), 1);
    assert!(house.casemate(&["breaker", "list"]).done().stdout.contains("12 calls within 1h"));
    house.casemate(&["breaker", "resume", "local"]).done();
    house.goes_on();
}

/// What no tool is called, and a budget that is spent, are no misconduct: the caller does what it was told.
#[test]
fn who_waits_or_asks_for_what_is_not_there_is_not_paused() {
    let house = house("denials = { count = 3, per = '1h' }")
        .with("[grants.tester]\nbudget = [{ tools = '@_hosts', calls = 1, per = '1h' }]")
        .serve();
    house.call("hosts", json!({})).done(&["200"]);
    for _ in 0..6 {
        house.call("hosts", json!({})).ended("denied", "budget-exhausted", &[]);
        house.call("nothing", json!({})).ended("denied", "unknown-tool", &[]);
    }
    house.goes_on();
}

#[test]
fn a_breaker_that_says_nothing_does_not_load() {
    let house = house("");
    house.install().done();
    for (rate, fault) in [
        ("denials = true", "`true` says nothing"),
        ("denials = { count = 5 }", "per"),
        ("denials = { count = 5, per = 'soon' }", "is not a length of time"),
        ("denial = { count = 5, per = '1h' }", "did you mean `denials`"),
        ("burst = { count = 200000, per = '1h' }", "at most 100000"),
        ("variants = { count = 5, per = '2w' }", "at most `1w`"),
    ] {
        let text = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
        house.write_whole("casemate.toml", &text.replace("[breaker]", &format!("[breaker]\n{rate}")));
        let ran = house.casemate(&["check"]);
        let written = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
        let line = 1 + written.lines().position(|line| line == rate).unwrap();
        assert!(ran.code != 0 && ran.stderr.contains(fault), "{rate}: {ran:#?}");
        assert!(ran.stderr.contains(&format!("casemate.toml:{line}")), "{rate}, in line {line}: {ran:#?}");
        house.write_whole("casemate.toml", &text);
    }
}

/// The plugin acts on another group than it was given, and the gate refuses: that counts as any refusal does.
#[test]
fn what_the_gate_refuses_pauses_a_caller_too() {
    let house = house("denials = { count = 3, per = '1h' }").serve();
    for _ in 0..3 {
        house.call("post", json!({ "group": "lab", "instead": "prod" })).ended("denied", "egress-refused", &[]);
    }
    paused(&house, house.call("ping", json!({})), "breaker-opened");
    assert_eq!(written(&house), 0);
}

/// Who is paused hears of nothing else, whatever else is wrong with the call.
#[test]
fn a_paused_caller_is_told_that_first() {
    let house = house("denials = { count = 2, per = '1h' }").serve();
    for n in 0..2 {
        house.call("look", json!({ "group": format!("probe-{n}") })).ended("denied", "out-of-scope", &[]);
    }
    paused(&house, house.call("look", json!({ "group": "probe-2" })), "breaker-opened");
    paused(&house, house.call("look", json!({ "group": "probe-3" })), "paused");
}
