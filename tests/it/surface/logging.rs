//! Log messages about one's own calls, in the revisions that have them.

use serde_json::{Value, json};

use super::{client::Client, house};

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
