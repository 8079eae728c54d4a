//! Which revisions are served, and what is announced in each.

use serde_json::{Value, json};

use super::{
    client::{Client, meta},
    house,
};
use crate::harness::{House, Http, Raw};

/// A revision that is not served.
const UNSUPPORTED: i64 = -32022;

fn hello(revision: &str) -> Value {
    let client = json!({ "name": "test", "version": "1" });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": revision, "capabilities": {}, "clientInfo": client } })
}

/// What `initialize` in this revision is answered over stdio and over HTTP.
fn initialized(house: &House, token: &str, revision: &str) -> [Value; 2] {
    let mut raw = Raw::start(house.command().arg("serve"));
    raw.send(&hello(revision));
    let http = Http::start(&mut house.command(), token);
    [raw.receive(), http.send("", &hello(revision)).next()]
}

fn discovered(house: &House, token: &str) -> [Value; 2] {
    [Client::stdio(house, "2026-07-28"), Client::http(house, "2026-07-28", token)]
        .map(|mut client| client.result("server/discover", json!({})))
}

#[test]
fn every_revision_is_served_where_nothing_is_said() {
    let house = house();
    let token = house.token("ann");
    for revision in ["2025-06-18", "2025-11-25"] {
        for answer in initialized(&house, &token, revision) {
            assert_eq!(answer["result"]["protocolVersion"], revision, "{answer:#}");
        }
    }
    for found in discovered(&house, &token) {
        assert_eq!(found["supportedVersions"], json!(["2025-06-18", "2025-11-25", "2026-07-28"]), "{found:#}");
    }
}

#[test]
fn the_oldest_revision_is_a_setting_that_initialize_and_discover_agree_on() {
    let house = house().set("mcp.oldest", "2025-11-25");
    let token = house.token("ann");
    for answer in initialized(&house, &token, "2025-06-18") {
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer:#}");
    }
    for found in discovered(&house, &token) {
        assert_eq!(found["supportedVersions"], json!(["2025-11-25", "2026-07-28"]), "{found:#}");
    }
    // Nor by naming it in a request.
    let mut client = Client::http(&house, "2026-07-28", &token);
    let params = json!({ "_meta": meta("2025-06-18") });
    let message = json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/list", "params": params });
    let headers = "mcp-protocol-version: 2025-06-18\r\nmcp-method: tools/list\r\n";
    let answer = client.server().send(headers, &message).next();
    assert!(answer["result"].is_null() && answer["error"].is_object(), "{answer:#}");
}

#[test]
fn without_the_revisions_of_2025_initialize_says_which_there_are() {
    let house = house().set("mcp.oldest", "2026-07-28");
    let token = house.token("ann");
    for revision in ["2025-06-18", "2025-11-25", "2024-11-05"] {
        for answer in initialized(&house, &token, revision) {
            assert_eq!(answer["error"]["code"], UNSUPPORTED, "{answer:#}");
            assert_eq!(answer["error"]["data"]["supported"], json!(["2026-07-28"]), "{answer:#}");
        }
    }
    for found in discovered(&house, &token) {
        assert_eq!(found["supportedVersions"], json!(["2026-07-28"]), "{found:#}");
    }
    let ping = house.served("ping");
    for mut client in [Client::stdio(&house, "2026-07-28"), Client::http(&house, "2026-07-28", &token)] {
        assert_eq!(client.call(&ping, json!({}))["content"][0]["text"], "pong");
    }
}

#[test]
fn a_revision_that_there_is_not_is_a_fault_of_the_configuration() {
    let house = house().set("mcp.oldest", "2024-11-05");
    house.casemate(&["check"]).refused(&["casemate.toml", "2024-11-05", "2025-06-18"]);
    let house = house.set("mcp.oldest", "2025-06-18").set("mcp.newest", "2026-07-28");
    house.casemate(&["check"]).refused(&["newest"]);
}

#[test]
fn what_is_announced_is_what_is_served() {
    let house = house();
    let token = house.token("ann");
    let lists = json!({ "listChanged": true });
    let resources = json!({ "listChanged": true, "subscribe": true });
    for answer in initialized(&house, &token, "2025-11-25") {
        let expected = json!({ "tools": lists, "prompts": lists, "resources": resources, "completions": {}, "logging": {} });
        assert_eq!(answer["result"]["capabilities"], expected, "{answer:#}");
    }
    for found in discovered(&house, &token) {
        let mut capabilities = found["capabilities"].clone();
        let extensions = capabilities.as_object_mut().unwrap().shift_remove("extensions").unwrap();
        assert!(extensions.get("io.modelcontextprotocol/tasks").is_some(), "{found:#}");
        assert_eq!(capabilities, json!({ "tools": lists, "prompts": lists, "resources": resources, "completions": {} }));
    }
    for mut client in Client::all(&house, &token) {
        for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
            client.result(method, json!({}));
            client.fault(method, json!({ "cursor": "2" }), -32602);
            client.fault(method, json!({ "cursor": 2 }), -32602);
        }
        let not_there = ["sampling/createMessage", "roots/list", "skills/list", "resources/directory/read", "logging/setlevel"];
        for method in not_there {
            client.fault(method, json!({}), -32601);
        }
        if client.is_modern() {
            for method in ["logging/setLevel", "resources/subscribe", "resources/unsubscribe", "ping"] {
                let params = json!({ "level": "info", "uri": "casemate://audit/self" });
                client.fault(method, params, -32601);
            }
        } else {
            client.result("ping", json!({}));
            client.fault("subscriptions/listen", json!({ "notifications": {} }), -32601);
        }
    }
}
