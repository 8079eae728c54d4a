//! The fake of Caldera: every surprise of its API, and an operation that runs to its results.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod client;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use casemate_upstreams::caldera::{BLUE_KEY, RED_KEY};
use client::{Answer, Fakes};

const DISCOVERY: &str = "0f4c3c67-845e-49a0-927e-90ed33c044e0";
const WHOAMI: &str = "c0da588f-79f0-4263-8998-7496b1a40596";

impl Fakes {
    fn ask(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("caldera", method, &format!("/api/v2/{path}"), &format!("KEY: {key}\r\n"), body.as_bytes())
    }

    fn red(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(RED_KEY, method, path, body)
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.red("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.red("POST", path, body);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    fn order(&self, order: &Value) -> u16 {
        self.send("control", "POST", "/_casemate/order?upstream=caldera", "", order.to_string().as_bytes()).status
    }

    /// A new operation on the lab, of an adversary with nothing to do, that stays open.
    fn operation(&self, state: &str) -> String {
        let body = json!({ "name": "x", "group": "red-lab", "state": state, "auto_close": false });
        self.post("operations", &body)["id"].as_str().unwrap().to_owned()
    }

    /// Sends a request for a link and leaves the connection open.
    fn pending(&self, operation: &str, body: &Value) -> TcpStream {
        let mut stream = self.connect("caldera");
        let body = body.to_string();
        write!(
            stream,
            "POST /api/v2/operations/{operation}/potential-links HTTP/1.1\r\nHost: x\r\nKEY: {RED_KEY}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    /// Asks until it is so, for at most five seconds.
    fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let found = self.get(path);
            if is_so(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "{path}: {found:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn whoami(paw: &str) -> Value {
    json!({ "paw": paw, "executor": { "name": "sh", "platform": "linux", "command": "whoami" }, "ability": { "ability_id": WHOAMI } })
}

/// Status and JSON of a refusal.
fn refusal(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json())
}

#[test]
fn a_key_is_for_its_team_and_without_one_the_answer_is_plain_text() {
    let fakes = Fakes::new();
    for header in ["", "KEY: \r\n", "KEY: admin123\r\n", "Authorization: Bearer ADMIN123\r\n"] {
        for (method, path) in [("GET", "/api/v2/agents"), ("POST", "/api/v2/operations"), ("GET", "/api/v2/config/main")] {
            let answer = fakes.send("caldera", method, path, header, b"");
            assert_eq!((answer.status, answer.body.as_slice()), (401, b"401: Unauthorized".as_slice()), "{header}{path}");
            assert!(answer.head.contains("content-type: text/plain; charset=utf-8"), "{}", answer.head);
        }
    }
    let paws = |key: &str| {
        let agents = fakes.ask(key, "GET", "agents?include=paw&sort=paw", &Value::Null).json();
        agents.as_array().unwrap().iter().map(|agent| agent["paw"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paws(RED_KEY), ["prodpaw1", "simpaw1", "simpaw2"]);
    assert_eq!(paws(BLUE_KEY), ["bluepaw1"]);
    let operation = fakes.operation("paused");
    let path = format!("operations/{operation}");
    let answer = fakes.ask(BLUE_KEY, "GET", &path, &Value::Null);
    let why = format!("Cannot view operation due to insufficient permissions: {operation}");
    assert_eq!(refusal(&answer), (403, json!({ "error": why })));
    assert_eq!(fakes.ask(BLUE_KEY, "POST", &format!("{path}/potential-links"), &whoami("simpaw1")).status, 403);
    assert_eq!(fakes.ask(BLUE_KEY, "PATCH", &path, &json!({ "state": "running" })).status, 404);
    assert_eq!(fakes.ask(BLUE_KEY, "DELETE", &path, &Value::Null).status, 404);
    assert_eq!(fakes.get(&path)["state"], "paused");
}

#[test]
fn an_operation_without_a_group_runs_on_every_agent() {
    let fakes = Fakes::new();
    for body in [json!({ "name": "x", "nofield": 1 }), json!({ "name": "x", "group": "" }), json!({ "name": "x", "group": null })]
    {
        let mut body = body;
        body["auto_close"] = json!(false);
        let operation = fakes.post("operations", &body);
        assert_eq!((&operation["state"], &operation["group"]), (&json!("running"), &json!("")), "{body}");
        assert_eq!(operation["host_group"].as_array().unwrap().len(), 4, "{body}");
    }
    let answer = fakes.red("POST", "operations", &json!({ "group": "red-lab" }));
    assert_eq!(refusal(&answer), (422, json!({ "json": { "name": ["Missing data for required field."] } })));
    let lab = fakes.post("operations", &json!({ "name": "x", "group": "red-lab", "state": "paused" }));
    assert_eq!(lab["host_group"].as_array().unwrap().len(), 2);
    let nobody = fakes.post("operations", &json!({ "name": "x", "group": "no-such-group", "state": "paused" }));
    assert_eq!((&nobody["group"], &nobody["host_group"]), (&json!("no-such-group"), &json!([])));
}

#[test]
fn what_an_operation_names_and_is_not_there_is_replaced_in_silence() {
    let fakes = Fakes::new();
    let body = json!({
        "name": "x", "group": "red-lab", "state": "paused", "adversary": { "adversary_id": "no-such" }, "planner": { "id": "no-such" },
        "source": { "id": "no-such" },
    });
    let operation = fakes.post("operations", &body);
    assert_eq!(operation["adversary"]["adversary_id"], "ad-hoc");
    assert_eq!(operation["adversary"]["atomic_ordering"], json!([]));
    assert_eq!((&operation["planner"]["name"], &operation["source"]["name"]), (&json!("atomic"), &json!("basic")));
    let batch = "788107d5-dc1e-4204-9269-38df0186d3e7";
    let body = json!({
        "name": "x", "group": "red-lab", "state": "paused", "adversary": { "adversary_id": DISCOVERY }, "planner": { "id": batch },
    });
    let operation = fakes.post("operations", &body);
    assert_eq!((&operation["adversary"]["adversary_id"], &operation["planner"]["id"]), (&json!(DISCOVERY), &json!(batch)));
    assert_eq!(operation["auto_close"], true);
}

#[test]
fn an_adversary_takes_abilities_that_do_not_exist() {
    let fakes = Fakes::new();
    let body = json!({ "name": "x", "description": "y", "atomic_ordering": ["no-such", WHOAMI] });
    let adversary = fakes.post("adversaries", &body);
    assert_eq!(adversary["atomic_ordering"], json!(["no-such", WHOAMI]));
    let id = adversary["adversary_id"].as_str().unwrap();
    assert_eq!(fakes.get(&format!("adversaries/{id}")), adversary);
    let answer = fakes.red("POST", "adversaries", &json!({ "name": "x", "adversary_id": id }));
    assert_eq!(refusal(&answer), (400, json!({ "error": format!("Adversary with given id already exists: {id}") })));
    assert_eq!(fakes.red("POST", "adversaries", &json!({ "atomic_ordering": "x" })).status, 422);
}

#[test]
fn a_link_is_refused_in_calderas_order_and_words() {
    let fakes = Fakes::new();
    let id = fakes.operation("running");
    let path = format!("operations/{id}/potential-links");
    let executor = json!({ "name": "sh", "platform": "linux", "command": "whoami" });
    let without = |name: &str| {
        let mut executor = executor.clone();
        executor.as_object_mut().unwrap().remove(name);
        executor
    };
    for (body, status, error) in [
        (json!({}), 400, "'executor' is a required field for link creation."),
        (json!({ "executor": without("name") }), 400, "'name' is a required field for link executor."),
        (json!({ "executor": without("command"), "paw": "simpaw1" }), 400, "'command' is a required field for link executor."),
        (json!({ "executor": executor }), 400, "'paw' is a required field for link creation."),
        (json!({ "executor": executor, "paw": "nope" }), 404, "Agent nope was not found."),
        (json!({ "executor": executor, "paw": "prodpaw1" }), 404, "Agent prodpaw1 was not found."),
        (
            json!({ "executor": { "name": "psh", "platform": "linux", "command": "x" }, "paw": "simpaw1" }),
            400,
            "Agent simpaw1 missing specified executor",
        ),
    ] {
        assert_eq!(refusal(&fakes.red("POST", &path, &body)), (status, json!({ "error": error })), "{body}");
    }
    let answer = fakes.red("POST", &path, &json!({ "executor": without("platform"), "paw": "nope" }));
    assert_eq!(answer.status, 500);
    assert_eq!(answer.body, b"500 Internal Server Error\n\nServer got itself in trouble");
    assert!(answer.head.contains("content-type: text/plain"), "{}", answer.head);
    let answer = fakes.red("POST", "operations/does-not-exist/potential-links", &whoami("simpaw1"));
    assert_eq!(refusal(&answer), (404, json!({ "error": "Operation not found: does-not-exist" })));

    // Anything at all may be run, as an ability that says nothing of itself.
    let link = fakes.post(&path, &json!({ "executor": executor, "paw": "simpaw1" }));
    assert_eq!((&link["ability"]["name"], &link["status"]), (&json!("Manual Command"), &json!(-3)));
    assert_eq!(link["ability"]["technique_id"], "auto-generated");
}

#[test]
fn a_link_for_a_paused_operation_is_answered_when_it_runs_and_runs_even_if_nobody_waited() {
    let fakes = Fakes::new();
    let id = fakes.operation("paused");
    let path = format!("operations/{id}");
    let waiting = fakes.pending(&id, &whoami("simpaw1"));
    drop(fakes.pending(&id, &whoami("simpaw1")));
    waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let nothing = (&waiting).read(&mut [0; 1]);
    assert!(nothing.is_err(), "it was answered: {nothing:?}");
    assert_eq!(fakes.get(&path)["chain"], json!([]));
    let held: Vec<Value> = fakes.requests().into_iter().filter(|request| request["answered"] == "held").collect();
    assert_eq!(held.len(), 2);

    assert_eq!(fakes.red("PATCH", &path, &json!({ "state": "running" })).json()["state"], "running");
    let mut answer = String::new();
    waiting.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    (&waiting).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(fakes.get(&path)["chain"].as_array().unwrap().len(), 2, "also the one that was given up");

    fakes.order(&json!({ "simulate": ["simpaw1"], "beat_ms": 10 }));
    let ran = |found: &Value| found["chain"].as_array().unwrap().iter().all(|link| link["status"] == 0);
    fakes.until(&path, ran);
}

#[test]
fn one_link_is_run_and_the_operation_pauses_again() {
    let fakes = Fakes::new();
    let id = fakes.operation("paused");
    let path = format!("operations/{id}");
    let _waiting = [fakes.pending(&id, &whoami("simpaw1")), fakes.pending(&id, &whoami("simpaw1"))];
    let deadline = Instant::now() + Duration::from_secs(5);
    while fakes.requests().iter().filter(|request| request["answered"] == "held").count() < 2 {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(fakes.red("PATCH", &path, &json!({ "state": "run_one_link" })).json()["state"], "run_one_link");
    let operation = fakes.get(&path);
    assert_eq!((&operation["state"], operation["chain"].as_array().unwrap().len()), (&json!("paused"), 1));
}

#[test]
fn a_reset_closes_what_waits() {
    let fakes = Fakes::new();
    let id = fakes.operation("paused");
    let mut waiting = fakes.pending(&id, &whoami("simpaw1"));
    let deadline = Instant::now() + Duration::from_secs(5);
    while !fakes.requests().iter().any(|request| request["answered"] == "held") {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(fakes.send("control", "POST", "/_casemate/reset", "", b"").status, 204);
    let mut all = Vec::new();
    waiting.read_to_end(&mut all).unwrap();
    assert!(all.is_empty(), "{}", String::from_utf8_lossy(&all));
    assert_eq!(fakes.get("operations"), json!([]));
}

#[test]
fn the_access_plugin_says_complete_to_anything() {
    let fakes = Fakes::new();
    let body = br#"{"paw":"nope","ability_id":"nope","obfuscator":"plain-text","facts":[]}"#;
    let answer = fakes.send("caldera", "POST", "/plugin/access/exploit", &format!("KEY: {RED_KEY}\r\n"), body);
    assert_eq!((answer.status, answer.body.as_slice()), (200, br#""complete""#.as_slice()));
    let answer = fakes.send("caldera", "POST", "/plugin/access/exploit", "", body);
    assert_eq!(answer.status, 302);
    assert!(answer.head.contains("location: /login"), "{}", answer.head);
}

#[test]
fn errors_are_calderas() {
    let fakes = Fakes::new();
    let id = fakes.operation("paused");
    let path = format!("operations/{id}");
    let states = "state must be one of ['running', 'run_one_link', 'paused', 'out_of_time', 'finished', 'cleanup']";
    for (method, path, body, status, error) in [
        ("GET", "operations/does-not-exist", Value::Null, 404, "Operation not found: does-not-exist"),
        ("GET", "adversaries/nope", Value::Null, 404, "Adversary not found: nope"),
        ("GET", "agents/nope", Value::Null, 404, "Agent not found: nope"),
        ("GET", "abilities/nope", Value::Null, 404, "Ability not found: nope"),
        ("PATCH", "operations/nope", json!({ "state": "running" }), 404, "Operation not found: nope"),
        ("PATCH", path.as_str(), json!({ "state": "flying" }), 400, states),
        ("POST", "operations", json!({ "name": "x", "state": "flying" }), 400, states),
        ("POST", "operations", json!({ "name": "x", "state": "finished" }), 400, "Cannot create a finished operation."),
        ("POST", "operations", json!({ "name": "x", "id": id }), 400, &format!("Operation with given id already exists: {id}")),
    ] {
        assert_eq!(refusal(&fakes.red(method, path, &body)), (status, json!({ "error": error })), "{method} {path} {body}");
    }
    let key = format!("KEY: {RED_KEY}\r\n");
    let answer = fakes.send("caldera", "POST", "/api/v2/operations", &key, b"{");
    assert_eq!(refusal(&answer), (400, json!({ "json": ["Invalid JSON body."] })));
    for body in [json!([]), json!({ "name": 7 }), json!({ "name": "x", "adversary": "y" })] {
        assert_eq!(fakes.red("POST", "operations", &body).status, 422, "{body}");
    }
    assert_eq!(fakes.red("PATCH", &path, &json!({ "state": "finished" })).json()["state"], "finished");
    let answer = fakes.red("PATCH", &path, &json!({ "state": "running" }));
    assert_eq!(refusal(&answer), (400, json!({ "error": "This operation has already finished." })));
    assert_eq!(fakes.red("DELETE", &path, &Value::Null).status, 204);
    assert_eq!(fakes.red("DELETE", &path, &Value::Null).status, 404);
    for (method, target, status, text) in [
        ("GET", "/elsewhere", 404, "404: Not Found"),
        ("GET", "/api/v2/nothing", 404, "404: Not Found"),
        ("PUT", "/api/v2/operations", 405, "405: Method Not Allowed"),
        ("DELETE", "/api/v2/health", 405, "405: Method Not Allowed"),
    ] {
        let answer = fakes.send("caldera", method, target, &key, b"");
        assert_eq!((answer.status, String::from_utf8(answer.body).unwrap().as_str()), (status, text), "{method} {target}");
    }
    let script = br#"{"upstream":"caldera","error":"InternalServerError"}"#;
    assert_eq!(fakes.send("control", "POST", "/_casemate/script", "", script).status, 204);
    assert_eq!(fakes.red("GET", "agents", &Value::Null).status, 500);
}

#[test]
fn ids_are_uuids_or_hexadecimal_and_two_techniques_begin_with_a_space() {
    let fakes = Fakes::new();
    let abilities = fakes.get("abilities");
    let abilities = abilities.as_array().unwrap();
    let ids: Vec<&str> = abilities.iter().map(|ability| ability["ability_id"].as_str().unwrap()).collect();
    assert!(ids.len() >= 40, "{}", ids.len());
    assert!(ids.iter().any(|id| id.len() == 36) && ids.iter().any(|id| id.len() == 32));
    assert!(ids.iter().all(|id| id.len() == 36 || id.len() == 32));
    assert_eq!(abilities.iter().filter(|ability| ability["technique_id"] == " T1564.001").count(), 2);
    let names: Vec<&str> = abilities.iter().map(|ability| ability["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "lists are sorted by name unless something else is asked for");
    let blue = fakes.ask(BLUE_KEY, "GET", "abilities", &Value::Null).json();
    assert_eq!(blue.as_array().unwrap().len(), 2);
}

#[test]
fn the_whole_catalogue_is_2_7_mb_and_311_kb_of_what_a_list_shows() {
    let fakes = Fakes::new();
    assert_eq!(fakes.order(&json!({ "catalogue": "large" })), 204);
    let all = fakes.red("GET", "abilities", &Value::Null);
    let ids = all.json().as_array().unwrap().iter().map(|it| it["ability_id"].as_str().unwrap().len()).collect::<Vec<_>>();
    assert_eq!((ids.len(), ids.iter().filter(|length| **length == 32).count()), (1_983, 1_776), "two more are the blue team's");
    assert!((2_600_000..2_800_000).contains(&all.body.len()), "{}", all.body.len());
    let query = "include=ability_id&include=name&include=technique_id&include=tactic";
    let few = fakes.red("GET", &format!("abilities?{query}"), &Value::Null);
    assert!((300_000..322_000).contains(&few.body.len()), "{}", few.body.len());
    assert_eq!(few.json()[0].as_object().unwrap().len(), 4);
    let plain = fakes.red("GET", "abilities?exclude=executors&exclude=description", &Value::Null);
    let first = plain.json()[0].as_object().unwrap().clone();
    assert!(!first.contains_key("executors") && !first.contains_key("description") && first.contains_key("name"));
}

#[test]
fn the_configuration_is_shown_with_its_passwords() {
    let fakes = Fakes::new();
    let config = fakes.get("config/main");
    assert_eq!(config["app.contact.ftp.pword"], "caldera");
    assert_eq!(config["app.contact.tunnel.ssh.user_password"], "s4ndc4t!");
    assert_eq!(fakes.get("health")["version"], "5.3.0");
}

fn beacon(fakes: &Fakes, profile: &Value) -> (Value, Vec<Value>) {
    let answer = fakes.send("caldera", "POST", "/beacon", "", STANDARD.encode(profile.to_string()).as_bytes());
    assert_eq!(answer.status, 200);
    let orders: Value = serde_json::from_slice(&STANDARD.decode(&answer.body).unwrap()).unwrap();
    let texts: Vec<String> = serde_json::from_str(orders["instructions"].as_str().unwrap()).unwrap();
    let instructions = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    (orders, instructions)
}

#[test]
fn a_new_agent_is_given_an_ability_that_nobody_asked_for() {
    let fakes = Fakes::new();
    let profile = json!({ "group": "red-lab", "platform": "linux", "executors": ["sh"], "host": "h", "username": "u", "pid": 7 });
    let (orders, instructions) = beacon(&fakes, &profile);
    let paw = orders["paw"].as_str().unwrap();
    let [instruction] = instructions.as_slice() else { panic!("{instructions:?}") };
    assert_eq!(STANDARD.decode(instruction["command"].as_str().unwrap()).unwrap(), b"> $HOME/.bash_history && unset HISTFILE");
    assert_eq!((&instruction["executor"], &instruction["timeout"]), (&json!("sh"), &json!(60)));

    // It is given once, and its result is kept.
    let result = json!({ "id": instruction["id"], "output": STANDARD.encode("done"), "status": 0, "exit_code": "0", "pid": 8 });
    let (_, again) = beacon(&fakes, &json!({ "paw": paw, "platform": "linux", "executors": ["sh"], "results": [result] }));
    assert_eq!(again, Vec::<Value>::new());
    let agent = fakes.get(&format!("agents/{paw}"));
    assert_eq!((&agent["links"][0]["status"], &agent["links"][0]["output"]), (&json!(0), &json!("True")));
    assert_eq!(agent["group"], "red-lab");
    assert_eq!(fakes.get(&format!("agents/{paw}?exclude=links")).get("links"), None);

    for malformed in [&b"not base64!"[..], b"", STANDARD.encode("not JSON").as_bytes()] {
        assert_eq!(fakes.send("caldera", "POST", "/beacon", "", malformed).status, 500);
    }
}

#[test]
fn an_operation_runs_to_its_results_and_finishes() {
    let fakes = Fakes::new();
    assert_eq!(fakes.order(&json!({ "simulate": ["simpaw1", "simpaw2"], "beat_ms": 10 })), 204);
    let body = json!({ "name": "x", "group": "red-lab", "state": "paused", "adversary": { "adversary_id": DISCOVERY } });
    let id = fakes.post("operations", &body)["id"].as_str().unwrap().to_owned();
    let path = format!("operations/{id}");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(fakes.get(&path)["chain"], json!([]), "nothing runs while it is paused");
    fakes.red("PATCH", &path, &json!({ "state": "running" }));
    let operation = fakes.until(&path, |found| found["state"] == "finished");
    let chain = operation["chain"].as_array().unwrap();
    assert_eq!(chain.len(), 6, "three abilities on each of two agents");
    assert!(chain.iter().all(|link| link["status"] == 0 && link["output"] == "True"), "{chain:#?}");
    assert!(operation["host_group"].as_array().unwrap().len() == 2 && operation["host_group"][0]["links"].is_array());

    let first = chain.iter().find(|link| link["paw"] == "simpaw1").unwrap();
    let result = fakes.get(&format!("{path}/links/{}/result", first["id"].as_str().unwrap()));
    let output: Value = serde_json::from_slice(&STANDARD.decode(result["result"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(output, json!({ "stdout": "lab", "stderr": "", "exit_code": "0" }));
    let missing = fakes.red("GET", &format!("{path}/links/nope/result"), &Value::Null);
    assert_eq!(refusal(&missing), (404, json!({ "error": format!("Link nope was not found in Operation {id}") })));

    let report = fakes.post(&format!("{path}/report"), &json!({ "enable_agent_output": true }));
    assert_eq!(report["steps"]["simpaw1"]["steps"][0]["output"]["stdout"], "lab");
    let report = fakes.post(&format!("{path}/report"), &json!({ "enable_agent_output": false }));
    assert_eq!(report["steps"]["simpaw1"]["steps"][0].get("output"), None);
    assert_eq!(fakes.post(&format!("{path}/event-logs"), &Value::Null).as_array().unwrap().len(), 6);
}

#[test]
fn what_an_operation_left_behind_is_taken_away_when_it_ends() {
    let fakes = Fakes::new();
    assert_eq!(fakes.order(&json!({ "simulate": ["simpaw1"], "beat_ms": 10 })), 204);
    let staging = "6469befa-748a-4b9c-a96d-f191fde47d89";
    let adversary = fakes.post("adversaries", &json!({ "name": "x", "atomic_ordering": [staging, "gone"] }));
    let body = json!({ "name": "x", "group": "red-lab", "adversary": { "adversary_id": adversary["adversary_id"] } });
    fakes.red("DELETE", "agents/simpaw2", &Value::Null);
    let id = fakes.post("operations", &body)["id"].as_str().unwrap().to_owned();
    let cleaned = |found: &Value| found["chain"].as_array().unwrap().iter().filter(|link| link["status"] == 0).count() == 2;
    let operation = fakes.until(&format!("operations/{id}"), cleaned);
    let last = operation["chain"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["command"], &last["cleanup"]), (&json!("rm -rf staged"), &json!(1)));
    assert_eq!(operation["state"], "finished");
}

#[test]
fn a_command_that_fails_is_a_link_that_failed() {
    let fakes = Fakes::new();
    fakes.order(
        &json!({ "agent": { "paw": "new1", "group": "new-lab", "platform": "linux", "executors": ["sh"] }, "beat_ms": 10 }),
    );
    fakes.until("agents", |found| found.as_array().unwrap().iter().any(|agent| agent["paw"] == "new1"));
    let id = fakes.post("operations", &json!({ "name": "x", "group": "new-lab", "auto_close": false }))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({ "paw": "new1", "executor": { "name": "sh", "platform": "linux", "command": "exit 1" } });
    fakes.post(&format!("operations/{id}/potential-links"), &body);
    let done = |found: &Value| found["chain"][0]["status"] == 1;
    assert_eq!(fakes.until(&format!("operations/{id}"), done)["state"], "running");
    assert_eq!(fakes.order(&json!({ "rest": true })), 204);
}

#[test]
fn orders_that_say_nothing_clear_are_refused() {
    let fakes = Fakes::new();
    for order in [
        json!({}),
        json!({ "simulate": ["nope"] }),
        json!({ "simulate": ["simpaw1"], "rest": true }),
        json!({ "simulate": ["simpaw1"], "beat": 50 }),
        json!({ "catalogue": "huge" }),
        json!([]),
    ] {
        assert_eq!(fakes.order(&order), 400, "{order}");
    }
    let elsewhere = |upstream: &str| {
        let target = format!("/_casemate/order?upstream={upstream}");
        fakes.send("control", "POST", &target, "", br#"{"rest":true}"#).status
    };
    assert_eq!((elsewhere("echo"), elsewhere("nowhere"), elsewhere("caldera")), (400, 400, 204));
}

#[test]
fn misbehaviour_can_be_had_by_paw_and_by_script() {
    let fakes = Fakes::new();
    for (kind, part) in [("html", "<title>Sign in</title>"), ("echo-key", RED_KEY), ("wrong-shape", "a text")] {
        let answer = fakes.red("GET", &format!("agents/misbehaves-{kind}"), &Value::Null);
        assert!(String::from_utf8_lossy(&answer.body).contains(part), "{kind}");
        assert_eq!(fakes.requests().pop().unwrap()["answered"], kind);
    }
    assert_eq!(fakes.red("GET", "agents/misbehaves-no-such", &Value::Null).status, 404);
    for kind in ["truncated", "html", "hostile-text", "echo-key"] {
        let script = json!({ "upstream": "caldera", "misbehave": { "kind": kind }, "path": "/api/v2/agents" });
        assert_eq!(fakes.send("control", "POST", "/_casemate/script", "", script.to_string().as_bytes()).status, 204);
        let answer = fakes.red("GET", "agents", &Value::Null);
        let last = fakes.requests().pop().unwrap();
        assert_eq!((&last["upstream"], &last["answered"]), (&json!("caldera"), &json!(kind)));
        assert_eq!(kind == "echo-key", String::from_utf8_lossy(&answer.body).contains(RED_KEY), "{kind}");
    }
}
