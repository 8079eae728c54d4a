//! Log messages about one's own calls, in the revisions that have them.

use serde_json::{Value, json};

use super::{client::Client, house, shared};
use crate::harness::{Guest, House};

fn denied(client: &mut Client, id: u32) -> Vec<Value> {
    let params = json!({ "name": "nobody_knows", "arguments": { "password": "hunter2" } });
    client.raw().send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
    client.raw().send(&json!({ "jsonrpc": "2.0", "id": id + 1, "method": "ping" }));
    let mut messages = Vec::new();
    let (mut answered, mut patience) = (0, 3);
    while answered < 2 || (messages.is_empty() && patience > 0) {
        let message = client.raw().receive();
        if message["id"].is_u64() {
            answered += 1;
            if answered == 2 && messages.is_empty() {
                // What is told of a call may come after its answer.
                client.raw().send(&json!({ "jsonrpc": "2.0", "id": id + 2, "method": "ping" }));
                patience -= 1;
                std::thread::sleep(std::time::Duration::from_millis(100));
                answered = 1;
                if patience == 0 {
                    break;
                }
            }
        } else {
            messages.push(message);
        }
    }
    messages
}

#[test]
fn a_client_is_told_of_its_refusals_once_it_asked_to_be() {
    let house = house();
    let mut client = Client::stdio(&house, "2025-11-25");
    assert_eq!(denied(&mut client, 100), Vec::<Value>::new(), "nothing was asked for");
    client.result("logging/setLevel", json!({ "level": "warning" }));
    let messages = denied(&mut client, 200);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let params = &messages[0]["params"];
    assert_eq!(
        (&messages[0]["method"], &params["level"], &params["logger"]),
        (&json!("notifications/message"), &json!("warning"), &json!("casemate"))
    );
    assert_eq!(
        (&params["data"]["decision"], &params["data"]["reason"]),
        (&json!("denied"), &json!("unknown-tool")),
        "{params:#}"
    );
    assert!(params["data"]["audit_id"].is_string() && !params.to_string().contains("hunter2"), "{params:#}");
    client.result("logging/setLevel", json!({ "level": "error" }));
    assert_eq!(denied(&mut client, 300), Vec::<Value>::new(), "less than what was asked for");
    client.fault("logging/setLevel", json!({ "level": "loud" }), -32602);
}

#[test]
fn there_are_none_where_they_are_deprecated() {
    let house = house();
    let token = house.token("ann");
    for mut client in [Client::stdio(&house, "2026-07-28"), Client::http(&house, "2026-07-28", &token)] {
        client.fault("logging/setLevel", json!({ "level": "debug" }), -32601);
    }
}

/// A house whose plugin says things while it runs.
fn talking(more: &str) -> House {
    shared(House::new(&Guest::new("talker")).with(more))
}

const HEARD: &str = "[mcp]\nlog_lines = true";

/// What is told of one call, and its answer.
fn told(client: &mut Client, params: Value) -> (Vec<Value>, Value) {
    let (messages, answer) = client.whole("tools/call", params);
    let lines = messages.into_iter().filter(|message| message["method"] == "notifications/message");
    let lines = lines.map(|message| message["params"].clone()).filter(|params| params["logger"] != "casemate");
    (lines.collect(), answer)
}

fn line(level: &str, text: &str) -> Value {
    json!({ "level": level, "logger": "talker", "data": text })
}

#[test]
fn a_caller_hears_what_a_plugin_said_before_the_answer() {
    let house = talking(HEARD);
    let (token, run) = (house.token("ann"), json!({ "name": house.served("run"), "arguments": {} }));
    let all = [line("debug", "a detail"), line("info", "looking\\u{1b}[2J\\u{200b}"), line("warning", "nearly done")];
    // Over HTTP a session of 2025 is told on a stream of its own, which the conformance suite opens and this client does not.
    let clients = [
        Client::stdio(&house, "2025-06-18"),
        Client::stdio(&house, "2025-11-25"),
        Client::stdio(&house, "2026-07-28"),
        Client::http(&house, "2026-07-28", &token),
    ];
    for mut client in clients {
        assert_eq!(told(&mut client, run.clone()).0, Vec::<Value>::new(), "nothing was asked for");
        for (level, from) in [("debug", 0), ("info", 1), ("warning", 2), ("error", 3)] {
            let mut run = run.clone();
            if client.is_modern() {
                run["_meta"] = json!({ "io.modelcontextprotocol/logLevel": level });
            } else {
                client.result("logging/setLevel", json!({ "level": level }));
            }
            let (lines, answer) = told(&mut client, run);
            assert_eq!(lines, all[from..], "{level}");
            assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("\ndone\n"), "{answer:#}");
        }
    }
}

#[test]
fn a_plugin_whose_result_is_withheld_says_nothing() {
    let house = talking(HEARD);
    let mut client = Client::stdio(&house, "2025-11-25");
    client.result("logging/setLevel", json!({ "level": "debug" }));
    let mut run = |case: &str| told(&mut client, json!({ "name": house.served("run"), "arguments": { "case": case } }));
    let (lines, answer) = run("withheld");
    assert_eq!((lines.len(), &answer["result"]["structuredContent"]["reason"]), (0, &json!("image-not-allowed")), "{answer:#}");
    let (lines, answer) = run("failed");
    assert_eq!((lines.len(), &answer["result"]["isError"]), (3, &json!(true)), "{answer:#}");
}

#[test]
fn nobody_hears_a_plugin_unless_the_operator_says_so() {
    for more in ["", "[mcp]\nlog_lines = false"] {
        let house = talking(more);
        let (token, run) = (house.token("ann"), json!({ "name": house.served("run"), "arguments": {} }));
        for mut client in Client::all(&house, &token) {
            let mut run = run.clone();
            if client.is_modern() {
                run["_meta"] = json!({ "io.modelcontextprotocol/logLevel": "debug" });
            } else {
                client.result("logging/setLevel", json!({ "level": "debug" }));
            }
            let (lines, answer) = told(&mut client, run);
            assert!(lines.is_empty() && answer["result"]["isError"] == false, "{lines:#?} {answer:#}");
        }
    }
}
