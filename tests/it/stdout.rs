//! Standard output belongs to the protocol: whatever a guest prints, a client sends or a log level says, there is no byte on it
//! that is not JSON-RPC.

use serde_json::json;

use crate::harness::{Guest, House, Raw, only_json_rpc};

fn installed(guest: &str) -> House {
    let house = House::new(&Guest::new(guest));
    house.install().done();
    house
}

#[test]
fn a_guest_that_prints_answers_is_not_heard() {
    let house = installed("standard_streams");
    let mut raw = Raw::initialized(house.command().args(["serve", "--log", "debug"]));
    for id in 1..=3 {
        let answer = raw.ask(id, "tools/call", json!({ "name": house.served("run"), "arguments": {} }));
        assert_eq!(answer["result"]["content"][0]["text"].as_str().map(|text| text.contains("printed")), Some(true), "{answer}");
    }
    let remains = raw.stop();
    assert!(remains.status.success(), "{remains:?}");
    only_json_rpc(&remains.stdout);
    assert!(!String::from_utf8(remains.stdout).unwrap().contains("forged"));
    // It went to the log, where a line break or an escape of its own is shown and not obeyed.
    let log = String::from_utf8(remains.stderr).unwrap();
    assert!(log.lines().all(|line| !line.trim_start().starts_with("{\"jsonrpc\"")), "{log}");
    house.secret().assert_not_in("the log", log.as_bytes());
}

#[test]
fn a_guest_that_logs_cannot_forge_the_log() {
    let house = installed("long_log_line");
    let mut raw = Raw::initialized(house.command().args(["serve", "--log", "debug"]));
    raw.ask(1, "tools/call", json!({ "name": house.served("run"), "arguments": { "case": "1" } }));
    let remains = raw.stop();
    only_json_rpc(&remains.stdout);
    let log = String::from_utf8(remains.stderr).unwrap();
    assert!(!log.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{log:?}");
    assert!(log.lines().all(|line| !line.starts_with("ERROR casemate")), "{log}");
}

#[test]
fn panicking_and_failing_guests_leave_it_clean() {
    for guest in ["panic", "trap", "exit", "recursion"] {
        let house = installed(guest);
        let mut raw = Raw::initialized(house.command().arg("serve"));
        for id in 1..=2 {
            let answer = raw.ask(id, "tools/call", json!({ "name": house.served("run"), "arguments": {} }));
            assert_eq!(answer["result"]["isError"], true, "{guest}: {answer}");
        }
        let remains = raw.stop();
        assert!(remains.status.success(), "{remains:?}");
        only_json_rpc(&remains.stdout);
    }
}

#[test]
fn lines_that_are_no_messages_are_answered_and_the_next_is_served() {
    let house = installed("plain_request");
    let mut raw = Raw::initialized(house.command().arg("serve"));
    for line in [&b"nonsense\n"[..], b"{\"jsonrpc\":\"2.0\",\n", b"\xff\xfe\n", b"[1,2\n"] {
        raw.write(line);
        let answer = raw.receive();
        assert_eq!(answer["error"]["code"], -32700, "{answer}");
    }
    let answer = raw.ask(7, "tools/call", json!({ "name": 7 }));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = raw.ask(8, "tools/call", json!({ "name": house.served("run"), "arguments": { "case": "one" } }));
    assert_ne!(answer["result"]["isError"], true, "{answer}");
    let remains = raw.stop();
    assert!(remains.status.success(), "{remains:?}");
    only_json_rpc(&remains.stdout);
}

#[test]
fn nothing_is_said_to_a_client_that_says_nothing() {
    let house = installed("plain_request");
    let remains = Raw::start(house.command().args(["serve", "--log", "debug"])).stop();
    assert!(remains.status.success(), "{remains:?}");
    assert!(remains.stdout.is_empty(), "{remains:?}");
}

#[test]
fn a_house_that_cannot_open_says_so_on_standard_error() {
    let house = installed("plain_request").set("plugins.@.upstream.echo.orgin", "https://example.com");
    let remains = Raw::start(house.command().arg("serve")).stop();
    assert!(!remains.status.success() && remains.stdout.is_empty(), "{remains:?}");
    assert!(String::from_utf8(remains.stderr).unwrap().contains("orgin"));
}
