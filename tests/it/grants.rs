//! What a grant gives, and when it ends: also while a call runs.

use std::{fs, process::Command, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Http, Ran, said};

/// A grant's end takes effect within this time.
const PROMISE: Duration = Duration::from_secs(1);

fn house() -> House {
    House::new(&Guest::new("errands").limit("deadline_ms", 30_000)).with(
        "[grants.tester]\nmax_effect = 'write'\nscope.range = ['1h']\n[plugins.@.tools]\npost = { enabled = true, dry_run = false }",
    )
}

/// The next answer of the upstream takes so long.
fn slow(house: &House, ms: u64) {
    house.upstreams().script(json!({ "misbehave": { "kind": "slow-headers", "ms": ms } }));
}

/// So many seconds from now, as TOML has it.
fn in_seconds(seconds: u32) -> String {
    let date = Ran::of(Command::new("date").args(["-u", "-d", &format!("{seconds} seconds"), "+%FT%T.%3NZ"]));
    date.done().stdout.trim().to_owned()
}

/// How the last call ended, by the log.
fn last_ending(house: &House) -> (Value, Value) {
    let outcome = house.records("outcome").pop().unwrap();
    (outcome["outcome"].clone(), said(&outcome, "ending").clone())
}

#[test]
fn a_grant_that_expires_ends_its_calls() {
    let house = house().with(&format!("[grants.tester]\nexpires = {}", in_seconds(3))).serve();
    slow(&house, 20_000);
    let started = std::time::Instant::now();
    house.call("look", json!({ "group": "lab" })).ended("error", "grant-ended", &["the grant ended while the call ran"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(last_ending(&house), (json!("error"), json!("grant-ended")));
    let reply = house.call("ping", json!({})).ended("denied", "grant-expired", &["ask the operator to renew the grant"]);
    assert!(said(&house.record(&reply), "operator").as_str().unwrap().contains("set a later `expires` under `[grants.tester]`"));
    assert_eq!(house.runtime().block_on(house.server().tools()).len(), 0, "nor is anything listed");
}

#[test]
fn a_grant_that_is_taken_back_or_changed_ends_its_calls_and_no_others() {
    let other = "[grants.other]\nprincipals = ['token:ann']\ntools = ['@_ping']\nmax_effect = 'read'";
    let mut house = house().with(other).serve();
    // Narrower: the call that runs was decided by what no longer holds.
    slow(&house, 20_000);
    let narrower = fs::read_to_string(house.folder().join("casemate.toml")).unwrap().replace("[\"lab\"]", "[\"moon\"]");
    let (reply, late) = house.during("look", json!({ "group": "lab" }), || {
        house.write_whole("casemate.toml", &narrower);
        house.hang_up();
    });
    reply.ended("error", "grant-ended", &["Ask the operator for another grant"]);
    assert!(late < PROMISE, "{late:?}");
    assert_eq!(last_ending(&house), (json!("error"), json!("grant-ended")));
    house.call("look", json!({ "group": "lab" })).ended("denied", "out-of-scope", &[]);

    // A write that is on its way is not called undone.
    house = house.with("[grants.tester]\nscope.group = ['lab']");
    house.reload();
    slow(&house, 20_000);
    let gone = fs::read_to_string(house.folder().join("casemate.toml")).unwrap().replace("\"local\"", "\"token:nobody\"");
    let (reply, late) = house.during("post", json!({ "group": "lab" }), || {
        house.write_whole("casemate.toml", &gone);
        house.hang_up();
    });
    reply.ended("error", "outcome-unknown", &["whether it happened is not known"]);
    assert!(late < PROMISE, "{late:?}");
    assert_eq!(last_ending(&house), (json!("unknown"), json!("grant-ended")));
    house.call("ping", json!({})).ended("denied", "no-grant", &["ask the operator for a grant"]);

    // What changes another grant, or nothing, leaves a call alone.
    house = house.with("[grants.tester]\nprincipals = ['local']");
    house.reload();
    slow(&house, 1500);
    let another = fs::read_to_string(house.folder().join("casemate.toml")).unwrap().replace("token:ann", "token:bob");
    let (reply, _) = house.during("look", json!({ "group": "lab" }), || {
        house.write_whole("casemate.toml", &another);
        house.hang_up();
    });
    reply.done(&["200"]);
}

#[test]
fn a_session_ends_when_it_is_over_and_not_by_coming_back() {
    let mut house = house().with("[grants.tester]\nsession = '2500ms'").serve();
    let begun = std::time::Instant::now();
    house.goes_on();
    slow(&house, 20_000);
    house.call("look", json!({ "group": "lab" })).ended("error", "grant-ended", &[]);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let reply =
        house.call("ping", json!({})).ended("denied", "session-ended", &["lasted 2500ms", "ask the operator for a new session"]);
    assert!(said(&house.record(&reply), "operator").as_str().unwrap().contains("casemate sessions clear local tester"));
    house.close();
    house = house.open();
    house.call("ping", json!({})).ended("denied", "session-ended", &[]);
    let ran = house.casemate(&["call", "errands_ping", "{}"]);
    assert_eq!(ran.code, 2, "{ran:#?}");
    house.casemate(&["sessions", "clear", "local", "tester"]).done();
    house.goes_on();
}

#[test]
fn a_tool_is_for_those_whose_grant_has_its_role() {
    let mut house = house()
        .with("[plugins.@.tools.look]\nroles = ['duty', 'lead']\n[grants.tester]\nprincipals = ['local', 'token:ann']\nroles = ['guest']")
        .with("[grants.watch]\nprincipals = ['token:bob']\ntools = ['@_*']\nmax_effect = 'read'\nscope.group = ['lab']\nroles = ['duty']")
        .serve();
    let look = json!({ "group": "lab" });
    let reply = house.call("look", look.clone()).ended("denied", "role-missing", &["duty, lead"]);
    assert!(said(&house.record(&reply), "operator").as_str().unwrap().contains("`roles` under `[grants.tester]`"));
    let listed = house.runtime().block_on(house.server().tools());
    assert!(!listed.iter().any(|tool| tool["name"] == "errands_look"));
    // A role is the grant's, and nothing that a caller says of itself.
    house.call("look", json!({ "group": "lab", "role": "duty" })).ended("denied", "role-missing", &[]);
    let (ann, bob) = (house.token("ann"), house.token("bob"));
    let mut http = Http::start(&mut house.command(), &bob);
    http.reply("errands_look", look.clone()).done(&["200"]);
    http.speak_as(&ann);
    http.reply("errands_look", look.clone()).ended("denied", "role-missing", &[]);
    drop(http);
    house = house.with("[grants.tester]\nroles = ['guest', 'lead']");
    house.reload();
    house.call("look", look).done(&["200"]);
}

#[test]
fn a_result_is_no_larger_than_the_grant_says() {
    let house = house().with("[grants.tester]\nmax_result_kib = 2").serve();
    let answer = |house: &House, bytes: usize| house.upstreams().script(json!({ "answer": { "body": "b".repeat(bytes) } }));
    answer(&house, 1900);
    house.call("hosts", json!({})).done(&["bbbb"]);
    answer(&house, 2100);
    house.call("hosts", json!({})).withheld("output-too-large").silent(&["bbbb"]);
    let house = house.without("grants.tester.max_result_kib");
    house.reload();
    answer(&house, 2100);
    house.call("hosts", json!({})).done(&["bbbb"]);
}

#[test]
fn a_range_of_time_is_no_longer_than_the_grant_says() {
    let house = house().serve();
    let history = |range: &str| house.call("history", json!({ "range": range }));
    for range in [
        "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z",
        "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z",
        "2025-12-31T23:30:00Z/2026-01-01T00:29:59.999Z",
    ] {
        history(range).done(&["200"]);
    }
    let sent = house.received().len();
    for (range, reason) in [
        ("2026-01-01T00:00:00Z/2026-01-01T01:00:00.001Z", "out-of-scope"),
        ("2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "out-of-scope"),
        ("2026-01-01T00:00:00+05:00/2026-01-01T01:00:00Z", "out-of-scope"),
        ("2026-01-01T00:00:00Z/2026-01-01T00:30:00-12:00", "out-of-scope"),
        ("2026-01-01T01:00:00Z/2026-01-01T00:00:00Z", "scope-malformed"),
        ("2026-01-01T00:00:00Z/PT1H", "scope-malformed"),
        ("2026-01-01T00:00:00Z/..", "scope-malformed"),
        ("../2026-01-01T00:00:00Z", "scope-malformed"),
        ("2026-01-01T00:00:00Z", "scope-malformed"),
        ("2026-01-01T00:00:00Z/2026-01-01T01:00:00Z/2027-01-01T00:00:00Z", "scope-malformed"),
        ("2026-01-01T00:00:00Z--2026-01-01T01:00:00Z", "scope-malformed"),
        ("2026-01-01/2026-01-01", "scope-malformed"),
        (" 2026-01-01T00:00:00Z/2026-01-01T01:00:00Z", "scope-malformed"),
        ("2026-02-30T00:00:00Z/2026-02-30T01:00:00Z", "scope-malformed"),
        ("1h", "scope-malformed"),
    ] {
        history(range).ended("denied", reason, &[]);
    }
    assert_eq!(house.received().len(), sent);
    let house = house.without("grants.tester.scope.range");
    house.reload();
    house.call("history", json!({ "range": "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z" })).ended("denied", "out-of-scope", &[]);
}

/// The same configuration in production: nothing destroys unasked, and nothing of the other environment counts.
#[test]
fn production_asks_and_shares_nothing_with_development() {
    let wide = "without_flows = ['untrusted-then-execute']
        [grants.tester]\nprincipals = ['local', 'token:ann']\nmax_effect = 'destructive'
        [plugins.@.tools.wipe]\nenabled = true\ndry_run = false\napproval = 'none'";
    let mut house = house().with(wide).serve();
    house.call("vault", json!({})).done(&["200"]);
    house.call("wipe", json!({ "group": "lab" })).ended("deferred", "flow-needs-approval", &[]);
    let token = house.token("ann");
    house.close();
    house = house.set_environment("prod");
    house.install().refused(&["environment-not-served"]);
    house.trust_in("prod");
    house = house.serve();
    house.call("wipe", json!({ "group": "lab" })).ended(
        "denied",
        "approval-needed-in-prod",
        &["in production an approver must agree"],
    );
    house = house.set("plugins.@.tools.wipe.approval", "operator");
    house.reload();
    house.call("wipe", json!({ "group": "lab" })).ended("deferred", "approval-required", &[]);
    house.call("post", json!({ "group": "lab" })).done(&["200"]);
    let http = Http::start(&mut house.command(), &token);
    assert!(http.refuses(), "a token of development opens nothing here");
    drop(http);
    assert!(house.received().iter().all(|request| request.target() != "/wipes"));
}
