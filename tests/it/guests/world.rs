//! Guests that look for a world beyond what they were given: files, variables, sockets, the process itself.

use std::{io::ErrorKind, net::TcpListener};

use serde_json::json;

use crate::harness::{Guest, House};

#[test]
pub(super) fn undeclared_import() {
    let declared = House::serving(&Guest::new("undeclared_import"));
    declared.run("").done(&[]);

    let house = House::new(&Guest::new("undeclared_import").undeclared("casemate:plugin/sources"));
    house.install().refused(&["`casemate:plugin/sources@0.1.0`", "does not declare"]);
    let tools = House::new(&Guest::new("undeclared_import").undeclared("wasi:io/"));
    tools.install().refused(&["`wasi:io/", "does not declare"]);
}

#[test]
pub(super) fn sockets() {
    // Declared word for word, and signed: there is still nothing to link it to.
    let guest = Guest::new("sockets");
    assert!(guest.imports().iter().any(|import| import.starts_with("wasi:sockets/tcp@")), "{:?}", guest.imports());
    let house = House::new(&guest);
    house.install().refused(&["`wasi:sockets/", "does not offer"]);
}

#[test]
fn closed_sockets_load_and_reach_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let house = House::serving(&Guest::new("sockets").closing("wasi:sockets"));
    house.run(&listener.local_addr().unwrap().to_string()).ended("error", "plugin-fault", &[]);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    house.goes_on();
}

#[test]
fn what_is_no_component_is_refused_by_name() {
    for (bytes, parts) in [
        (b"\0asm\x01\0\0\0".to_vec(), &["core WebAssembly module"][..]),
        (b"#!/bin/sh\necho owned\n".to_vec(), &["not valid"]),
        (wat_component(), &["does not export `casemate:plugin/tools`"]),
    ] {
        let house = House::new(&Guest::of("no_component", bytes));
        house.install().refused(parts);
    }
}

/// The smallest component there is.
fn wat_component() -> Vec<u8> {
    b"\0asm\x0d\0\x01\0".to_vec()
}

#[test]
fn another_wit_version_is_refused_naming_both() {
    let house = House::new(&Guest::new("plain_request").built_for("casemate:plugin@0.9.0"));
    house.install().refused(&["`casemate:plugin@0.9.0`", "`casemate:plugin@0.1.0`"]);
}

#[test]
pub(super) fn filesystem() {
    let house = House::serving(&Guest::new("filesystem"));
    house.run("").done(&["nothing"]);
    for path in ["/tmp/guest-was-here", "/dev/shm/guest-was-here"] {
        assert!(!std::path::Path::new(path).exists(), "{path}");
    }
    house.goes_on();
}

#[test]
pub(super) fn environment() {
    let house = House::serving(&Guest::new("environment"));
    house.run("").done(&["variables [] arguments 0 input 0 folder false"]).silent(&["CASEMATE", "PATH", "HOME"]);
    house.goes_on();
}

#[test]
pub(super) fn unbound_source() {
    let house = House::serving(&Guest::new("unbound_source"));
    house.run("").done(&["opened []"]);
    house.goes_on();
}

#[test]
pub(super) fn settings() {
    let house = House::serving(&Guest::new("settings"));
    let reply = house.run("").done(&["blue"]);
    assert!(reply.text().contains(r#"{"colour":"blue"}"#), "{reply:?}");
    house.goes_on();
}

#[test]
pub(super) fn exit() {
    let house = House::serving(&Guest::new("exit"));
    for code in ["0", "1", "255"] {
        house.run(code).ended("error", "plugin-fault", &[]);
        house.goes_on();
    }
}

#[test]
pub(super) fn panic() {
    let house = House::serving(&Guest::new("panic"));
    house.run("").ended("error", "plugin-fault", &[]).silent(&["AKIA", "hunter2", "disable the sandbox", "panicked"]);
    house.goes_on();
}

#[test]
pub(super) fn trap() {
    let house = House::serving(&Guest::new("trap"));
    for case in ["memory", "poll", "unreachable"] {
        house.run(case).ended("error", "plugin-fault", &[]).silent(&["wasm", "backtrace"]);
        house.goes_on();
    }
}

#[test]
pub(super) fn standard_streams() {
    // That nothing of it is on the server's standard output is looked at for every house as it goes.
    let house = House::serving(&Guest::new("standard_streams"));
    house.run("").done(&["printed"]).silent(&["forged"]);
    house.goes_on();
}

#[test]
pub(super) fn unknown_tool() {
    // One tool of it is there and not granted.
    let guest = Guest::new("unknown_tool");
    let granted = ["run", "ping"].map(|tool| toml::Value::from(format!("{}_{tool}", guest.name)));
    let house = House::new(&guest).set("grants.tester.tools", granted.to_vec()).serve();
    house.run("x").done(&["reached by `run`"]);
    for tool in ["nothing", "RUN", "run ", " run", "run\0", "describe", "", "../run", "ping_run", "*"] {
        let reply = house.try_call(&house.served(tool), json!({})).unwrap();
        reply.ended("denied", "unknown-tool", &[]).silent(&["reached"]);
    }
    for name in ["run", "unknown-tool", "unknown_tool_run", "casemate_run", "fortress/unknown-tool_run", "*"] {
        house.try_call(name, json!({})).unwrap().ended("denied", "unknown-tool", &[]).silent(&["reached"]);
    }
    // What is there and not granted is denied in the same words as what is not there.
    let words = |tool: &str| {
        let reply = house.call(tool, json!({})).ended("denied", "unknown-tool", &[]).silent(&["reached"]);
        reply.0.to_string().replace(reply.audit_id(), "").replace(tool, "")
    };
    assert_eq!(words("report"), words("absent"));
    house.goes_on();
}

#[test]
pub(super) fn shifting_describe() {
    let house = House::serving(&Guest::new("shifting_describe"));
    let listed = house.runtime().block_on(house.server().tools());
    let names: Vec<&str> = listed.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let granted = ["ping", "report", "run", "target"].map(|tool| house.served(tool));
    assert_eq!(
        names,
        granted.each_ref().map(String::as_str),
        "the signed tools, in the order of their names, without the one that is not on"
    );
    let run = listed.iter().find(|tool| tool["name"] == granted[2].as_str()).unwrap();
    assert_eq!(run["description"], "Does what this guest is for.");
    assert_eq!(run["inputSchema"]["properties"]["case"]["maxLength"], 4096);
    house.run("").done(&["ran"]);
    house.try_call(&house.served("wipe"), json!({})).unwrap().ended("denied", "unknown-tool", &[]);
    house.goes_on();
}
