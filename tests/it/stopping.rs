//! Guests that do not stop are stopped: in time, alone, and whoever told them to.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Guest, House, Raw, only_json_rpc};

/// The promise: an endless guest ends at most this long after its deadline.
const LATE: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_millis(500);
/// Calls that go on meanwhile.
const OTHERS: usize = 100;
/// The machine that runs this may stand still for longer than `LATE`; the promise is about the host, so the median is held to it.
const ROUNDS: usize = 5;

#[test]
fn an_endless_guest_is_stopped_in_time_and_alone() {
    for guest in ["busy_loop", "endless_wait"] {
        let house = House::serving(&Guest::new(guest).limit("deadline_ms", 500).limit("fuel_millions", 50_000));
        let (run, ping) = (house.served("run"), house.served("ping"));
        // The first call of a process pays for what the others find ready.
        house.goes_on();
        let mut late: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                house.runtime().block_on(async {
                    let started = Instant::now();
                    let endless = async {
                        let reply = house.server().call(&run, json!({})).await.unwrap();
                        (started.elapsed(), reply)
                    };
                    let others = async {
                        for _ in 0..OTHERS {
                            house.server().call(&ping, json!({})).await.unwrap().done(&["pong"]);
                        }
                        started.elapsed()
                    };
                    let ((taken, reply), others) = tokio::join!(endless, others);
                    reply.limited("deadline_ms", "500 ms");
                    assert!(taken >= DEADLINE, "{guest} was stopped early: {taken:?}");
                    assert!(others < DEADLINE * 5, "{OTHERS} other calls took {others:?}");
                    taken - DEADLINE
                })
            })
            .collect();
        late.sort();
        assert!(late[ROUNDS / 2] <= LATE, "{guest}: stopped this long after its deadline: {late:?}");
        house.goes_on();
    }
}

#[test]
fn many_endless_guests_are_all_stopped() {
    let house = House::serving(&Guest::new("busy_loop").limit("deadline_ms", 700).limit("fuel_millions", 50_000));
    let started = Instant::now();
    for reply in house.at_once("run", 16) {
        reply.limited("deadline_ms", "700 ms");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    house.goes_on();
}

#[test]
fn a_cancelled_call_stops_its_guest() {
    for guest in ["busy_loop", "endless_wait"] {
        let house = House::new(&Guest::new(guest).limit("deadline_ms", 60_000).limit("fuel_millions", 50_000));
        house.install().done();
        let mut raw = Raw::initialized(house.command().arg("serve"));
        raw.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": house.served("run"), "arguments": {} } }));
        std::thread::sleep(Duration::from_millis(300));
        raw.send(
            &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1, "reason": "enough" } }),
        );
        let started = Instant::now();
        raw.ask(2, "tools/call", json!({ "name": house.served("ping"), "arguments": {} }));
        // The call has ended when its outcome is in the audit log.
        while !house.audit().iter().any(|record| record.to_string().contains("\"cancelled\"")) {
            assert!(started.elapsed() < Duration::from_secs(10), "the call goes on: {:?}", house.audit());
            std::thread::sleep(Duration::from_millis(50));
        }
        let remains = raw.stop();
        assert!(remains.status.success(), "{remains:?}");
        only_json_rpc(&remains.stdout);
    }
}

#[test]
fn a_client_that_hangs_up_stops_everything() {
    let house = House::new(&Guest::new("busy_loop").limit("deadline_ms", 60_000).limit("fuel_millions", 50_000));
    house.install().done();
    let mut raw = Raw::initialized(house.command().arg("serve"));
    raw.send(
        &json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": house.served("run"), "arguments": {} } }),
    );
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    let remains = raw.stop();
    assert!(remains.status.success(), "{remains:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    only_json_rpc(&remains.stdout);
    // What was begun has an end in the log, and the log is whole.
    house.casemate(&["audit", "verify"]).done();
}
