//! What is trusted, installed and configured changes while a server runs, and the server follows.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Http, Reply, UNDER_WAY, said, until};

/// The promise: a revocation takes effect within this time.
const PROMISE: Duration = Duration::from_secs(1);

fn tools(house: &House) -> Vec<Value> {
    house.runtime().block_on(house.server().tools())
}

/// A house whose guest may write, with its server running.
fn writing(guest: &str) -> House {
    House::new(&Guest::new(guest).limit("deadline_ms", 60_000))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve()
}

/// What a call is told that is under way while `change` happens, and how long after the change.
fn during(house: &House, tool: &str, change: impl FnOnce()) -> (Reply, Duration) {
    house.during(tool, json!({ "group": "lab" }), change)
}

#[test]
fn a_revoked_key_ends_what_it_signed_and_trusting_it_again_brings_it_back() {
    let mut house = writing("endless_wait");
    let before = tools(&house).len();
    let (reply, late) = during(&house, "change", || house.revoke());
    reply.ended("error", "plugin-unloaded", &["taken out of service"]).silent(&["revoked", "key"]);
    assert!(late < PROMISE, "{late:?}");
    until("the list is empty", || tools(&house).is_empty());
    until("the client is told", || house.server().changes() == 1);
    assert_eq!(house.call("ping", json!({})).decision(), "denied");

    house.trust_again();
    until("the tools are back", || tools(&house).len() == before);
    until("the client is told again", || house.server().changes() == 2);
    house.goes_on();
    house.close();

    let outcomes = house.records("outcome");
    assert_eq!(
        (said(&outcomes[0], "ending").as_str(), outcomes[0]["outcome"].as_str()),
        (Some("revoked"), Some("error")),
        "{outcomes:?}"
    );
    let failed = house.records("plugin.load-failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(said(&failed[0], "fields")["reason"].as_str().unwrap().contains("revoked"), "{failed:?}");
    assert_eq!(house.records("plugin.loaded").len(), 2);
}

#[test]
fn a_revoked_plugin_is_gone_over_http_too() {
    let mut house = House::new(&Guest::new("endless_wait").limit("deadline_ms", 60_000))
        .set("grants.tester.principals", vec!["local", "token:ann"]);
    house.install().done();
    let http = Http::start(&mut house.command(), &house.token("ann"));
    let (run, ping) = (house.served("run"), house.served("ping"));
    assert_eq!(http.call(&ping, json!({})).next()["result"]["content"][0]["text"], "pong");
    let mut changes = http.post("subscriptions/listen", None, json!({ "notifications": { "toolsListChanged": true } }));
    assert_eq!(changes.next()["method"], "notifications/subscriptions/acknowledged");

    let mut call = http.call(&run, json!({}));
    std::thread::sleep(UNDER_WAY);
    house.revoke();
    let revoked = Instant::now();
    let answer = call.next();
    assert!(revoked.elapsed() < PROMISE, "{:?}", revoked.elapsed());
    assert_eq!(answer["result"]["structuredContent"]["reason"], "plugin-unloaded", "{answer}");
    assert_eq!(changes.next()["method"], "notifications/tools/list_changed");
    assert_eq!(http.ask("tools/list")["tools"], json!([]));
    assert_eq!(http.call(&ping, json!({})).next()["result"]["structuredContent"]["decision"], "denied");

    house.trust_again();
    assert_eq!(changes.next()["method"], "notifications/tools/list_changed");
    assert_eq!(http.call(&ping, json!({})).next()["result"]["content"][0]["text"], "pong");
    drop(http);
    house.close();
}

/// A guest that is only waiting has sent nothing, and will not.
#[test]
fn what_waits_to_send_sends_nothing_once_revoked() {
    let house = writing("wait_then_send");
    let (reply, _) = during(&house, "change", || house.revoke());
    reply.ended("error", "plugin-unloaded", &[]);
    std::thread::sleep(Duration::from_secs(3));
    assert!(house.received().is_empty() && house.upstreams().connections() == 0, "{:?}", house.received());
    let outcome = house.records("outcome").pop().unwrap();
    assert_eq!(*said(&outcome, "requests"), json!([]), "{outcome}");
}

#[test]
fn a_write_that_was_on_its_way_is_not_called_undone() {
    let house = writing("write_then_stray");
    house.upstreams().script(json!({ "misbehave": { "kind": "slow-headers" } }));
    let (reply, late) = during(&house, "change", || house.revoke());
    reply.ended("error", "outcome-unknown", &["whether it happened is not known"]);
    assert!(late < PROMISE, "{late:?}");
    let outcome = house.records("outcome").pop().unwrap();
    assert_eq!((outcome["outcome"].as_str(), said(&outcome, "ending").as_str()), (Some("unknown"), Some("revoked")), "{outcome}");
    assert_eq!(said(&outcome, "requests")[0]["state"], "pending", "{outcome}");
}

#[test]
fn a_removed_plugin_is_gone_and_an_installed_one_is_there() {
    let house = writing("endless_wait");
    let (reply, late) = during(&house, "change", || fs::remove_file(house.folder().join("casemate.lock")).unwrap());
    reply.ended("error", "plugin-unloaded", &[]);
    assert!(late < PROMISE, "{late:?}");
    until("the list is empty", || tools(&house).is_empty());
    assert_eq!(house.call("ping", json!({})).decision(), "denied");
    house.install().done();
    until("the tools are back", || !tools(&house).is_empty());
    house.goes_on();
    assert_eq!(*said(&house.records("outcome")[0], "ending"), "removed");
    assert_eq!(house.records("plugin.removed").len(), 1);
}

#[test]
fn an_update_takes_the_place_of_what_ran_before() {
    let guest = Guest::new("endless_wait").limit("deadline_ms", 60_000);
    let house = writing("endless_wait");
    let newer = house.sign(&guest.with("plugin", "release", 2).saying("Answers with a pong.", "Answers."));
    house.write_package(&newer);
    let (file, approve) = (house.package_file().display().to_string(), newer.approval.to_string());
    let install = ["install", &file, "--yes", "--approve", &approve];
    let (reply, late) = during(&house, "change", || drop(house.casemate(&install).done()));
    reply.ended("error", "plugin-unloaded", &[]);
    assert!(late < PROMISE, "{late:?}");
    until("the newer one is served", || tools(&house).iter().any(|tool| tool["description"] == "Answers."));
    house.goes_on();
    let ending = said(&house.records("outcome")[0], "ending").clone();
    assert!(ending == "replaced" || ending == "revoked", "{ending}");
}

#[test]
fn what_cannot_be_read_vouches_for_nothing() {
    for file in ["trust.toml", "casemate.lock", "state/dev/packages.state"] {
        let mut house = House::serving(&Guest::new("empty_answer"));
        house.goes_on();
        let whole = fs::read(house.folder().join(file)).unwrap();
        // In place, as a full disk would have it: what is left is the first part.
        fs::write(house.folder().join(file), &whole[..whole.len() - 20]).unwrap();
        until(file, || tools(&house).is_empty());
        assert_eq!(house.call("ping", json!({})).decision(), "denied", "{file}");
        fs::write(house.folder().join(file), &whole).unwrap();
        until(file, || !tools(&house).is_empty());
        house.goes_on();
        house.close();
        let failed = house.records("plugin.load-failed");
        assert!(failed.iter().any(|record| record.to_string().contains(file.rsplit('/').next().unwrap())), "{failed:?}");
    }
}

#[test]
fn a_file_that_changes_nothing_disturbs_nobody() {
    let house = writing("wait_then_send");
    let (reply, _) = during(&house, "change", || {
        house.trust_again();
        std::thread::sleep(Duration::from_millis(600));
    });
    reply.done(&["200"]);
    assert_eq!((house.server().changes(), house.records("plugin.loaded").len()), (0, 1));
}

#[test]
fn the_configuration_is_taken_up_when_the_server_is_told_to() {
    let mut house = House::serving(&Guest::new("empty_answer")).set("plugins.@.tools.ping.enabled", false);
    std::thread::sleep(Duration::from_millis(600));
    house.goes_on();
    house.hang_up();
    until("the tool is off", || !tools(&house).iter().any(|tool| tool["name"] == house.served("ping")));
    assert_eq!(house.call("ping", json!({})).decision(), "denied");
    until("the client is told", || house.server().changes() == 1);

    // What makes no sense is not taken up, and neither is what only a start can.
    let good = fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    let bad = [
        ("no sense", "environment = 5".to_owned()),
        ("no such tool", good.replace("empty-answer_*", "nothing_*")),
        ("environment", good.replace("environment = \"dev\"", "environment = \"prod\"")),
        ("limits", format!("{good}\n[limits]\nmemory_mib = 8\n")),
    ];
    for (count, (what, text)) in bad.iter().enumerate() {
        assert_ne!(*text, good, "{what}");
        house.write_whole("casemate.toml", text);
        house.hang_up();
        until(what, || house.records("config.refused").len() == count + 1);
        assert!(!tools(&house).is_empty(), "{what}");
        assert_eq!(house.call("ping", json!({})).decision(), "denied", "{what}");
    }

    house = house.set("plugins.@.tools.ping.enabled", true);
    house.hang_up();
    until("the tool is on again", || tools(&house).iter().any(|tool| tool["name"] == house.served("ping")));
    house.goes_on();
    house.close();
    assert_eq!(house.records("config.loaded").len(), 3, "once as it started");
}

/// A revocation does not wait for a good configuration.
#[test]
fn a_revocation_counts_beside_a_configuration_that_does_not() {
    let house = House::serving(&Guest::new("empty_answer"));
    let good = fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    house.write_whole("casemate.toml", "environment = 5");
    house.hang_up();
    until("it is refused", || house.records("config.refused").len() == 1);
    house.goes_on();
    // The command that revokes needs a configuration that can be read; the file does not.
    house.write_whole("trust.toml", "version = 1\n");
    until("the list is empty", || tools(&house).is_empty());
    assert_eq!(house.call("ping", json!({})).decision(), "denied");
    // What looks at the log as the house goes needs one too.
    house.write_whole("casemate.toml", &good);
}

/// Calls of two plugins, hundreds at once, while one of the two goes: it ends, the other notices nothing.
#[test]
fn calls_that_race_a_removal_run_before_it_or_not_at_all() {
    let other = Guest::new("empty_answer");
    let mut house = House::new(&Guest::new("plain_request"))
        .set("plugins.empty-answer.secret.api_key.file", "secrets/api_key")
        .set("grants.tester.tools", vec!["plain-request_*", "empty-answer_*"]);
    let origin = house.upstreams().origin("echo").to_owned();
    house = house.set("plugins.empty-answer.upstream.echo.origin", origin);
    house.install().done();
    let package = house.sign(&other);
    let file = house.folder().join("other-0.1.0.wasm");
    fs::write(&file, &package.component).unwrap();
    fs::write(file.with_extension("wasm.sigstore.json"), &package.bundle).unwrap();
    let approve = package.approval.to_string();
    let alone = fs::read_to_string(house.folder().join("casemate.lock")).unwrap();
    house.casemate(&["install", &file.display().to_string(), "--yes", "--approve", &approve]).done();
    let both = fs::read_to_string(house.folder().join("casemate.lock")).unwrap();
    // What the second installation added is its own entry.
    let head = alone.lines().take_while(|line| !line.starts_with('[')).collect::<Vec<_>>().join("\n");
    let entry = alone.strip_prefix(&head).unwrap().trim();
    assert!(both.contains(entry), "{both}");
    let house = house.open();
    house.goes_on();
    house.run("warm").done(&["200"]);

    let (going, staying) = (house.served("run"), "empty-answer_ping");
    let batch = |tool: &str, arguments: Value| house.runtime().block_on(house.server().at_once(tool, arguments, 20));
    let (gone, kept) = std::thread::scope(|scope| {
        // Until well after it is gone.
        let going = scope.spawn(|| {
            let mut replies = Vec::new();
            while replies.len() < 200 || replies.iter().rev().take(20).any(|reply: &Reply| reply.reason() != "unknown-tool") {
                replies.extend(batch(&going, json!({ "case": "one" })));
            }
            replies
        });
        let staying = scope.spawn(|| (0..10).flat_map(|_| batch(staying, json!({}))).collect::<Vec<_>>());
        house.write_whole("casemate.lock", &both.replace(entry, ""));
        (going.join().unwrap(), staying.join().unwrap())
    });
    assert_eq!(kept.len(), 200);
    for reply in kept {
        reply.done(&["pong"]);
    }
    let ran = gone.iter().filter(|reply| !reply.is_error()).count();
    assert!(ran > 0 && house.received().len() >= ran, "{ran} ran");
    for reply in gone {
        assert!(["", "plugin-unloaded", "unknown-tool"].contains(&reply.reason()), "{reply:?}");
    }
    until("it is gone", || tools(&house).iter().all(|tool| tool["name"] != house.served("run")));
    let reached = house.received().len();
    assert_eq!(house.run("late").decision(), "denied");
    assert_eq!(house.received().len(), reached);

    let all = house.written();
    let taken_up = all.iter().position(|record| record["event_type"] == "plugin.removed").unwrap();
    for intent in all[taken_up..]
        .iter()
        .filter(|record| record["event_type"] == "intent" && record["tool_name"] == house.served("run").as_str())
    {
        let outcome =
            all.iter().find(|record| record["event_type"] == "outcome" && *said(record, "intent") == intent["event_id"]);
        let outcome = outcome.unwrap_or_else(|| panic!("no outcome of {intent}"));
        assert_eq!((said(outcome, "ending").as_str(), said(outcome, "fuel").as_str()), (Some("removed"), Some("0")), "{outcome}");
    }
}

#[test]
fn how_far_the_log_has_come_is_kept_while_it_is_written() {
    let house = House::serving(&Guest::new("empty_answer"));
    let heads = || fs::read(house.folder().join("state/dev/audit.heads")).unwrap();
    house.goes_on();
    let before = heads();
    house.hang_up();
    until("it is kept", || heads() != before);
    house.casemate(&["audit", "verify"]).done();
}
