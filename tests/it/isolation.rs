//! What is one caller's is no other's: each thing that a caller has, and another caller who reaches for it, over HTTP with two tokens.
//!
//! Ann and ben are served by one process. Where it makes the attack stronger, they hold the same grant.

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    harness::{Guest, House, Http, said, until},
    surface::{client::Client, guest},
};

/// There is no such thing.
const INVALID: i64 = -32602;

/// Two callers of one server.
struct Two {
    house: House,
    client: Client,
    tokens: [String; 2],
}

#[derive(Clone, Copy)]
enum Who {
    Ann,
    Ben,
}
use Who::{Ann, Ben};

impl Two {
    /// Under one grant.
    fn sharing(house: House) -> Self {
        Self::of(house.set("grants.tester.principals", vec!["token:ann", "token:ben"]))
    }

    fn of(house: House) -> Self {
        house.install().done();
        let tokens = ["ann", "ben"].map(|name| house.token(name));
        let client = Client::http(&house, "2026-07-28", &tokens[0]);
        Self { house, client, tokens }
    }

    fn speak(&mut self, who: Who) -> &mut Client {
        self.client.server().speak_as(&self.tokens[who as usize]);
        &mut self.client
    }

    /// A session of 2025 with the same server: the headers that name it.
    fn session(&mut self, who: Who) -> String {
        let http = self.speak(who).server();
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let mut answer = http.send("", &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }));
        let headers = format!("mcp-session-id: {}\r\nmcp-protocol-version: 2025-11-25\r\n", answer.header("mcp-session-id"));
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let _ = http.send(&headers, &ready).header("content-length");
        headers
    }

    fn http(&mut self, who: Who) -> &Http {
        self.speak(who).server()
    }
}

/// A house whose tool `change` waits for somebody.
fn waiting(mode: &str) -> House {
    House::new(&Guest::new("effect_above_tool"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("plugins.@.tools.change.approval", mode)
        .set("grants.tester.max_effect", "write")
}

fn change(two: &Two) -> Value {
    json!({ "name": two.house.served("change"), "arguments": { "group": "lab", "case": "lab" } })
}

/// A request of a client that can do more than the plain one.
fn able(http: &Http, capabilities: &Value, method: &str, name: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let headers = format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\nmcp-name: {name}\r\n");
    http.send(&headers, &json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params })).next()
}

#[test]
fn a_session_of_another_does_not_exist() {
    let mut two = Two::sharing(House::new(&guest()));
    let of_ann = two.session(Ann);
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {} });
    assert_eq!(two.http(Ben).send(&of_ann, &list).status(), 404);
    let answer = two.http(Ann).send(&of_ann, &list).next();
    assert!(!answer["result"]["tools"].as_array().unwrap().is_empty(), "{answer:#}");
}

#[test]
fn a_task_of_another_is_not_seen_answered_or_cancelled() {
    let mut two = Two::sharing(waiting("operator"));
    let tasks = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
    let (call, name) = (change(&two), two.house.served("change"));
    let task = able(two.http(Ann), &tasks, "tools/call", &name, call)["result"]["taskId"].as_str().unwrap().to_owned();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let params = json!({ "taskId": task, "inputResponses": {} });
        let of_ben = able(two.http(Ben), &tasks, method, &task, params);
        let made_up = able(two.http(Ben), &tasks, method, "0", json!({ "taskId": "0", "inputResponses": {} }));
        assert_eq!(of_ben["error"]["code"], INVALID, "{method}: {of_ben:#}");
        assert_eq!(of_ben["error"], made_up["error"], "whether there is one is not said");
    }
    let looked = able(two.http(Ann), &tasks, "tasks/get", &task, json!({ "taskId": task }));
    assert_eq!(looked["result"]["status"], "working", "{looked:#}");
}

#[test]
fn a_question_of_another_is_not_answered() {
    let mut two = Two::sharing(waiting("in-band"));
    let forms = json!({ "elicitation": { "form": {} } });
    let (call, name) = (change(&two), two.house.served("change"));
    let asked = able(two.http(Ann), &forms, "tools/call", &name, call.clone())["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked:#}");
    let answer = |state: &Value| {
        let mut call = call.clone();
        call["requestState"] = state.clone();
        call["inputResponses"] = json!({ "approval": { "action": "accept", "content": { "approve": true } } });
        call
    };
    let forged = able(two.http(Ben), &forms, "tools/call", &name, answer(&asked["requestState"]));
    assert_eq!(forged["error"]["data"]["reason"], "answer-forged", "{forged:#}");
    assert!(two.house.received().is_empty());
    let made = able(two.http(Ann), &forms, "tools/call", &name, answer(&asked["requestState"]));
    assert_ne!(made["result"]["isError"], true, "{made:#}");
}

#[test]
fn an_approval_of_another_is_not_used() {
    let house = waiting("operator");
    let key = house.folder().join("alice.key").display().to_string();
    let made = house.casemate(&["approver", "new", "alice", "--key", &key, "--no-passphrase", "--format", "json"]).done();
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let mut two = Two::sharing(house.set("approvers.alice.key", made["key"].as_str().unwrap()));
    let call = change(&two);
    let ask = |two: &mut Two, who| two.speak(who).result("tools/call", call.clone());
    let waits = ask(&mut two, Ann)["structuredContent"]["approval_id"].as_str().unwrap().to_owned();
    two.house.casemate(&["approvals", "approve", &waits, "--key", &key, "--yes"]).done();
    let of_ben = ask(&mut two, Ben);
    assert_eq!(of_ben["structuredContent"]["decision"], "deferred", "{of_ben:#}");
    assert_ne!(of_ben["structuredContent"]["approval_id"], waits);
    assert!(two.house.received().is_empty());
    let of_ann = ask(&mut two, Ann);
    assert_ne!(of_ann["isError"], true, "{of_ann:#}");
}

#[test]
fn the_audit_trail_of_another_is_not_read() {
    let mut two = Two::sharing(House::new(&guest()));
    let ping = two.house.served("ping");
    let called = two.speak(Ann).call(&ping, json!({}));
    let id = called["_meta"]["casemate.dev/audit-id"].as_str().unwrap().to_owned();
    let own = format!("casemate://audit/self/{id}");
    let read = two.speak(Ben).read("casemate://audit/self");
    assert_eq!(serde_json::from_str::<Value>(read["text"].as_str().unwrap()).unwrap(), json!({ "records": [] }));
    two.speak(Ben).finds_nothing(&own);
    for uri in ["casemate://audit/token:ann", "casemate://audit/self?principal=token:ann", "casemate://audit"] {
        two.speak(Ben).finds_nothing(uri);
    }
    assert!(two.speak(Ann).read(&own)["text"].as_str().unwrap().contains(&id));
}

#[test]
fn what_another_does_is_not_told_to_who_watches() {
    let mut two = Two::sharing(House::new(&guest()));
    let ping = two.house.served("ping");
    let listen = json!({ "notifications": { "resourceSubscriptions": ["casemate://audit/self"] } });
    let mut stream = two.http(Ben).post("subscriptions/listen", None, listen);
    stream.next();
    for _ in 0..3 {
        two.speak(Ann).call(&ping, json!({}));
    }
    thread::sleep(Duration::from_millis(2500));
    // The first thing that ben hears is of his own call: it comes after all of ann's.
    let before = two.house.records("outcome").len();
    two.speak(Ben).call(&ping, json!({}));
    let told = stream.next();
    assert_eq!(told["params"]["uri"], "casemate://audit/self", "{told:#}");
    assert_eq!(two.house.records("outcome").len(), before + 1);
    let (seen, rest) = std::sync::mpsc::channel();
    thread::spawn(move || seen.send(stream.next()));
    two.speak(Ann).call(&ping, json!({}));
    assert!(rest.recv_timeout(Duration::from_millis(2500)).is_err(), "told of ann's call");
}

#[test]
fn progress_of_another_is_not_heard() {
    let mut two = Two::sharing(House::new(&Guest::new("progress_flood").limit("deadline_ms", 60_000)));
    let (run, ping) = (two.house.served("run"), two.house.served("ping"));
    let call = |name: &str| json!({ "name": name, "arguments": {}, "_meta": { "progressToken": "p" } });
    let headers = two.session(Ann);
    let of_ben = two.session(Ben);
    let request = |id: u32, name: &str| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call(name) });
    let mut flood = two.http(Ann).send(&headers, &request(7, &run));
    let answer = two.http(Ben).send(&of_ben, &request(7, &ping)).next();
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(7), &json!("pong")), "{answer:#}");
    let first = flood.next();
    assert!(first["method"] == "notifications/progress" || first["id"] == 7, "{first:#}");
}

#[test]
fn a_call_of_another_is_not_cancelled() {
    let mut two = Two::sharing(House::new(&Guest::new("endless_wait").limit("deadline_ms", 60_000)));
    let run = two.house.served("run");
    let (of_ann, of_ben) = (two.session(Ann), two.session(Ben));
    let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": run, "arguments": {} } });
    let _held = two.http(Ann).send(&of_ann, &call);
    until("the call is under way", || two.house.records("intent").len() == 1);
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
    for (headers, status) in [(of_ben.as_str(), 202), (of_ann.as_str(), 404)] {
        assert_eq!(two.http(Ben).send(headers, &cancel).status(), status);
    }
    thread::sleep(Duration::from_millis(700));
    assert!(two.house.records("outcome").is_empty(), "{:?}", two.house.records("outcome"));
    assert_eq!(two.http(Ann).send(&of_ann, &cancel).status(), 202);
    until("its own caller ends it", || two.house.records("outcome").len() == 1);
    assert_eq!(said(&two.house.records("outcome")[0], "ending"), "cancelled");
}

/// Ben may do less, under a grant of his own.
fn apart() -> Two {
    let house = House::new(&guest())
        .set("grants.tester.principals", vec!["token:ann"])
        .set("grants.tester.scope.group", vec!["lab"])
        .with("[sources.auth]\npath = \"auth.log\"\ndescription = \"A\"\n[grants.tester]\nsources = [\"auth\"]")
        .with(
            "[grants.other]\nprincipals = [\"token:ben\"]\ntools = [\"@_*\"]\nmax_effect = \"read\"\nscope.group = [\"office\"]",
        );
    fs::write(house.folder().join("auth.log"), "ann's\n").unwrap();
    Two::of(house)
}

#[test]
fn values_of_anothers_grant_complete_nothing() {
    let mut two = apart();
    let name = two.house.served("triage");
    let ask = |two: &mut Two, who, reference: Value, argument: &str| {
        let params = json!({ "ref": reference, "argument": { "name": argument, "value": "" } });
        two.speak(who).result("completion/complete", params)["completion"]["values"].clone()
    };
    let prompt = json!({ "type": "ref/prompt", "name": name });
    assert_eq!(ask(&mut two, Ann, prompt.clone(), "group"), json!(["lab"]));
    assert_eq!(ask(&mut two, Ben, prompt, "group"), json!(["office"]));
    let logs = json!({ "type": "ref/resource", "uri": "casemate://logs/{source}/tail/{lines}" });
    assert_eq!(ask(&mut two, Ann, logs.clone(), "source"), json!(["auth"]));
    assert_eq!(ask(&mut two, Ben, logs, "source"), json!([]));
    let ping = two.house.served("ping");
    two.speak(Ann).call(&ping, json!({}));
    let records = json!({ "type": "ref/resource", "uri": "casemate://audit/self/{audit_id}" });
    assert_eq!(ask(&mut two, Ben, records, "audit_id"), json!([]));
}

#[test]
fn a_log_of_anothers_grant_is_not_there() {
    let mut two = apart();
    let uri = "casemate://logs/auth";
    assert!(two.speak(Ann).read(uri)["text"].as_str().unwrap().contains("ann's"));
    two.speak(Ben).finds_nothing(uri);
    two.speak(Ben).finds_nothing("casemate://logs/auth/tail/1");
    assert!(!two.speak(Ben).listed("resources/list", "resources", "uri").contains(&uri.to_owned()));
    let listen = json!({ "notifications": { "resourceSubscriptions": [uri] } });
    let accepted = two.http(Ben).post("subscriptions/listen", None, listen).next();
    assert_eq!(accepted["params"]["notifications"], json!({}), "{accepted:#}");
}

#[test]
fn prompts_and_sheets_of_anothers_plugins_are_not_there() {
    let mut two = Two::of(House::new(&guest()).set("grants.tester.principals", vec!["token:ann"]));
    let name = two.house.served("triage");
    assert_eq!(two.speak(Ann).listed("prompts/list", "prompts", "name"), [name.as_str()]);
    assert!(two.speak(Ben).listed("prompts/list", "prompts", "name").is_empty());
    two.speak(Ben).fault("prompts/get", json!({ "name": name, "arguments": { "group": "lab" } }), INVALID);
    two.speak(Ann).read("casemate://plugins/plain-request");
    two.speak(Ben).finds_nothing("casemate://plugins/plain-request");
}

/// A cursor names a place in a list, and opens nothing: `tools-after:a`, and the same of prompts.
#[test]
fn a_cursor_of_another_gives_what_one_may_see_anyway() {
    let mut two = Two::of(House::new(&guest()).set("grants.tester.principals", vec!["token:ann"]));
    let tools = json!({ "cursor": "dG9vbHMtYWZ0ZXI6YQ" });
    assert!(!two.speak(Ann).result("tools/list", tools.clone())["tools"].as_array().unwrap().is_empty());
    assert_eq!(two.speak(Ben).result("tools/list", tools.clone())["tools"], json!([]));
    two.speak(Ben).fault("prompts/list", tools, INVALID);
}
