//! Guests that use more than they may: each call ends with the name and the value of the limit, and the next one is served.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Guest, House};

#[test]
pub(super) fn busy_loop() {
    let house = House::serving(&Guest::new("busy_loop").limit("deadline_ms", 500).limit("fuel_millions", 50_000));
    let started = Instant::now();
    house.run("").limited("deadline_ms", "500 ms");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    house.goes_on();
}

#[test]
fn busy_loop_without_fuel() {
    let house = House::serving(&Guest::new("busy_loop").limit("fuel_millions", 20));
    house.run("").limited("fuel_millions", "20 million units");
    house.goes_on();
}

#[test]
fn the_operators_maximum_wins() {
    let house = House::new(&Guest::new("busy_loop").limit("deadline_ms", 60_000).limit("fuel_millions", 50_000))
        .set("limits.deadline_ms", 300)
        .serve();
    house.run("").limited("deadline_ms", "300 ms");
    house.goes_on();
}

#[test]
pub(super) fn endless_wait() {
    let house = House::serving(&Guest::new("endless_wait").limit("deadline_ms", 500));
    let started = Instant::now();
    house.run("").limited("deadline_ms", "500 ms");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    house.goes_on();
}

#[test]
fn a_plugin_whose_places_are_taken_says_so() {
    let house = House::serving(&Guest::new("endless_wait").limit("deadline_ms", 7000));
    let (busy, others): (Vec<_>, Vec<_>) = house.at_once("run", 200).into_iter().partition(|reply| reply.reason() == "busy");
    assert_eq!((busy.len(), others.len()), (8, 192));
    for reply in busy {
        assert!(reply.structured()["retry_after_ms"].as_u64().is_some(), "{reply:?}");
        reply.ended("error", "busy", &["192 of the plugin's places"]);
    }
    for reply in others {
        reply.limited("deadline_ms", "7000 ms");
    }
    house.goes_on();
}

#[test]
fn a_call_takes_a_place_for_each_of_its_memories() {
    // What is closed has a memory of its own beside the guest's.
    let house = House::serving(&Guest::new("endless_wait").closing("wasi:cli").limit("deadline_ms", 7000));
    let (busy, others): (Vec<_>, Vec<_>) = house.at_once("run", 100).into_iter().partition(|reply| reply.reason() == "busy");
    assert_eq!((busy.len(), others.len()), (4, 96));
    for reply in others {
        reply.limited("deadline_ms", "7000 ms");
    }
    house.goes_on();
}

#[test]
pub(super) fn recursion() {
    let house = House::serving(&Guest::new("recursion"));
    house.run("").limited("stack", "call stack");
    house.goes_on();
}

#[test]
pub(super) fn memory_growth() {
    let house = House::serving(&Guest::new("memory_growth"));
    house.run("").limited("memory_mib", "16 MiB");
    house.goes_on();
}

#[test]
fn memory_is_what_the_manifest_asks_for_and_no_more() {
    let house = House::serving(&Guest::new("memory_growth").limit("memory_mib", 4));
    house.run("").limited("memory_mib", "4 MiB");
    house.goes_on();
}

#[test]
pub(super) fn table_growth() {
    let house = House::serving(&Guest::new("table_growth"));
    house.run("").limited("table", "10000 elements");
    house.goes_on();
}

#[test]
pub(super) fn huge_output() {
    let house = House::serving(&Guest::new("huge_output"));
    house.run("200").done(&["xxxx"]);
    house.run("257").withheld("output-too-large");
    // More than one transfer to the host may hold: it ends before the host has copied it.
    house.run("4096").limited("output_kib", "KiB for one transfer");
    house.run("pieces 300").withheld("output-too-large");
    house.goes_on();
}

#[test]
pub(super) fn huge_log() {
    let house = House::serving(&Guest::new("huge_log"));
    house.run("").done(&["logged"]);
    house.goes_on();
}

#[test]
pub(super) fn long_log_line() {
    let house = House::serving(&Guest::new("long_log_line"));
    house.run("512").done(&["logged"]);
    house.run("3072").limited("output_kib", "KiB for one transfer");
    house.goes_on();
}

#[test]
pub(super) fn handle_flood() {
    let house = House::serving(&Guest::new("handle_flood"));
    for case in ["pollables", "fields"] {
        house.run(case).limited("handles", "256 open handles");
        house.goes_on();
    }
}

#[test]
pub(super) fn request_flood() {
    let house = House::serving(&Guest::new("request_flood"));
    house.run("in-turn 8").done(&["8 answers"]);
    assert_eq!(house.received().len(), 8);
    house.upstreams().forget();

    house.run("in-turn 9").limited("requests", "8 requests");
    assert_eq!(house.received().len(), 8, "the ninth was not sent");
    house.goes_on();
}

#[test]
fn four_requests_at_once_and_no_more() {
    let house = House::serving(&Guest::new("request_flood"));
    house.upstreams().script(json!({ "misbehave": { "kind": "slow-headers", "ms": 700 }, "times": 8 }));
    let started = Instant::now();
    house.run("at-once 8").done(&["8 answers"]);
    let taken = started.elapsed();
    assert!(taken >= Duration::from_millis(1400), "eight that take 700 ms each, in two rounds of four: {taken:?}");
    assert_eq!(house.received().len(), 8);
    assert!(house.upstreams().connections() <= 4, "{} connections", house.upstreams().connections());
    house.goes_on();
}

#[test]
pub(super) fn oversized_request() {
    let house = House::serving(&Guest::new("oversized_request"));
    house.run("1024").done(&["answered 200"]);
    assert_eq!(house.received()[0].body_bytes(), 1 << 20);
    house.upstreams().forget();

    house.run("1025").limited("request_kib", "1024 KiB");
    assert!(house.received().is_empty(), "nothing of it was sent");
    house.goes_on();
}

#[test]
pub(super) fn unfinished_request() {
    let house = House::serving(&Guest::new("unfinished_request").limit("deadline_ms", 500));
    house.run("").limited("deadline_ms", "500 ms");
    assert!(house.received().is_empty());
    assert_eq!(house.upstreams().connections(), 0);
    house.goes_on();
}

#[test]
pub(super) fn random_flood() {
    let house = House::serving(&Guest::new("random_flood").limit("deadline_ms", 500));
    house.run("one GiB").ended("error", "plugin-fault", &[]);
    house.run("for ever").ended("error", "limit-reached", &[]);
    house.goes_on();
}

#[test]
pub(super) fn progress_flood() {
    let house = House::serving(&Guest::new("progress_flood"));
    house.run("").done(&["reported"]);
    let reports = house.server().progress();
    assert!(reports.len() <= 256, "{} reports", reports.len());
    for report in &reports {
        let message = report.message.as_deref().unwrap_or_default();
        assert!(message.len() <= 1024, "{} bytes", message.len());
        assert!(!message.contains(['\u{1b}', '\u{202e}', '\n']), "{message:?}");
    }
    house.goes_on();
}
