//! mitmweb 12 with casemate.py, as tests/interop runs the real one: <https://docs.mitmproxy.org/>.
//!
//! Six recorded flows: to a granted place, to others, one whose `Host` names another host than it goes to, and two that cannot be
//! replayed. What surprises:
//!
//! - there is no address for one flow, and no page of several: `GET /flows` is all of them, oldest first;
//! - every request needs the password, and every one that changes something a cookie and a header with the same `_xsrf`, too, but for
//!   the two paths of casemate.py;
//! - errors are plain text or HTML, and a body is `application/text`, whatever it is.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The password the fake takes when it is not told another.
pub const DEFAULT_KEY: &str = "web-password-of-the-fake";

/// Replays in a minute; here, until the fake is reset.
const MOST: usize = 10;
/// What a replay may change.
const CHANGES: [&str; 4] = ["path", "query", "headers", "body"];

/// The fake service.
#[derive(Debug)]
pub struct Mitmproxy {
    key: Key,
    flows: Mutex<Vec<Value>>,
}

impl Default for Mitmproxy {
    fn default() -> Self {
        Mitmproxy { key: Key::new(DEFAULT_KEY), flows: Mutex::new(recorded()) }
    }
}

fn id(at: usize) -> String {
    format!("6c386939-a24c-4072-b140-0000000000{at:02}")
}

/// A request and its response; bodies are under `_body`, where mitmweb does not show them.
fn flow(at: usize, [method, scheme, host, path]: [&str; 4], port: u16, headers: &Value, body: &str) -> Value {
    let answer = r#"{"orders": [1, 2], "access_token": "s3cr3t-in-a-body"}"#;
    json!({
        "id": id(at), "intercepted": false, "is_replay": null, "type": "http", "modified": false, "marked": "", "comment": "",
        "timestamp_created": 1_795_342_234.521 + f64::from(u32::try_from(at).unwrap_or_default()),
        "client_conn": { "peername": ["127.0.0.1", 48888] }, "server_conn": { "address": [host, port] },
        "request": { "method": method, "scheme": scheme, "host": host, "port": port, "path": path, "http_version": "HTTP/1.1",
            "headers": headers, "contentLength": body.len(), "pretty_host": host, "_body": body },
        "response": { "http_version": "HTTP/1.1", "status_code": 200, "reason": "OK",
            "headers": [["Content-Type", "application/json"], ["Set-Cookie", "sid=s3cr3t-of-a-session; Path=/; HttpOnly"]],
            "contentLength": answer.len(), "_body": answer },
    })
}

fn recorded() -> Vec<Value> {
    let mine = json!([
        ["Host", "127.0.0.1:9000"],
        ["Authorization", "Bearer s3cr3t-of-a-header"],
        ["Cookie", "sid=s3cr3t-of-a-session"],
        ["X-Api-Key", "s3cr3t-of-a-header"],
        ["Accept", "*/*"]
    ]);
    let form = json!([["Host", "staging.example.com"], ["Content-Type", "application/x-www-form-urlencoded"]]);
    let mut websocket = flow(5, ["GET", "http", "127.0.0.1", "/live"], 9000, &json!([["Host", "127.0.0.1:9000"]]), "");
    websocket["websocket"] = json!({ "messages_meta": { "count": 3 } });
    vec![
        flow(0, ["GET", "http", "127.0.0.1", "/orders?id=1&api_key=s3cr3t-of-a-query"], 9000, &mine, ""),
        flow(1, ["POST", "https", "staging.example.com", "/login"], 443, &form, "user=bob&password=s3cr3t-of-a-form"),
        flow(2, ["GET", "https", "bank.example", "/accounts"], 443, &json!([["Host", "bank.example"]]), ""),
        flow(3, ["GET", "http", "127.0.0.1", "/"], 9000, &json!([["Host", "bank.example"]]), ""),
        json!({ "id": id(4), "type": "tcp", "messages_meta": { "count": 2, "contentLength": 20 } }),
        websocket,
    ]
}

impl Mitmproxy {
    fn flows(&self) -> MutexGuard<'_, Vec<Value>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> Response {
        let mut shown = self.flows().clone();
        for flow in &mut shown {
            for message in ["request", "response"] {
                if let Some(message) = flow[message].as_object_mut() {
                    message.remove("_body");
                }
            }
        }
        Response::json(200, &Value::Array(shown))
    }

    fn body(&self, id: &str, message: &str) -> Response {
        let flows = self.flows();
        match flows.iter().find(|flow| flow["id"] == id).and_then(|flow| flow[message]["_body"].as_str()) {
            Some(body) => {
                Response { body: body.as_bytes().to_vec(), ..text(200, "").with_header("content-disposition", "attachment") }
            }
            None => text(404, "Flow not found."),
        }
    }

    /// What casemate.py says of a flow.
    fn described(flow: &Value) -> Value {
        let request = &flow["request"];
        let (scheme, host, port) = (request["scheme"].as_str().unwrap_or_default(), &request["host"], &request["port"]);
        let usual = matches!((scheme, port.as_u64()), ("http", Some(80)) | ("https", Some(443)));
        let host = host.as_str().unwrap_or_default();
        let target = if usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
        let named = request["headers"].as_array().into_iter().flatten().filter(|pair| pair[0] == "Host");
        let mut targets: Vec<String> = named.map(|pair| format!("{scheme}://{}", pair[1].as_str().unwrap_or_default())).collect();
        targets.push(target.clone());
        targets.sort();
        targets.dedup();
        let obstacle = flow.get("websocket").map(|_| "Can't replay WebSocket flows.");
        json!({ "id": flow["id"], "method": request["method"], "target": target, "targets": targets,
            "has_body": request["contentLength"] != 0, "obstacle": obstacle })
    }

    fn replay(&self, id: &str, order: &[u8]) -> Response {
        let mut flows = self.flows();
        let Some(flow) = flows.iter().find(|flow| flow["id"] == id && flow["type"] == "http") else {
            return text(404, "Flow not found.");
        };
        let Ok(Value::Object(order)) = serde_json::from_slice(order) else { return text(400, "Malformed JSON") };
        let known = |name: &str| CHANGES.contains(&name) || name == "method" || name == "target";
        if !order.keys().all(|name| known(name)) || !order.contains_key("method") || !order.contains_key("target") {
            return text(400, "Expected method and target, and perhaps path, query, headers and body.");
        }
        let now = Self::described(flow);
        if !now["obstacle"].is_null() || order["method"] != now["method"] || order["target"] != now["target"] {
            return text(409, "The flow is not what the client believes.");
        }
        let replays = flows.iter().filter(|flow| flow["is_replay"] == "request").count();
        if replays >= MOST {
            return text(429, "Another replay is under way, or there were too many.").with_header("retry-after", "60");
        }
        let mut copy = flow.clone();
        copy["id"] = json!(self::id(50 + replays));
        copy["is_replay"] = json!("request");
        copy["_changed"] = Value::Object(order);
        let said = json!({ "id": copy["id"], "status": 200, "error": null, "headers": copy["response"]["headers"] });
        flows.push(copy);
        Response::json(200, &said)
    }
}

impl Upstream for Mitmproxy {
    fn name(&self) -> &'static str {
        "mitmproxy"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ours = segments.first() == Some(&"casemate");
        // tornado looks at the cookie before anything else does.
        let cookie = request.header("cookie").and_then(|cookie| cookie.strip_prefix("_xsrf="));
        if request.method != "GET" && !ours && (cookie.is_none() || cookie != request.header("x-xsrftoken")) {
            return Response::html(403, "<html><title>403: Forbidden</title><body>403: Forbidden</body></html>").into();
        }
        if !self.key.is(request.header("authorization").and_then(|value| value.strip_prefix("Bearer "))) {
            return if ours { text(403, "This needs mitmweb's password.") } else { Response::empty(403) }.into();
        }
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["flows"]) => self.list(),
            ("GET", ["flows", id, message @ ("request" | "response"), "content.data"]) => self.body(id, message),
            ("GET", ["casemate", "flows", id]) => match self.flows().iter().find(|flow| flow["id"] == *id) {
                Some(flow) if flow["type"] == "http" => Response::json(200, &Self::described(flow)),
                Some(_) => text(404, "That is no HTTP flow."),
                None => text(404, "Flow not found."),
            },
            ("POST", ["casemate", "flows", id, "replay"]) => self.replay(id, &request.body),
            _ => Response::html(404, "<html><title>404: Not Found</title><body>404: Not Found</body></html>"),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        match code {
            "forbidden" => Some(text(403, "This needs mitmweb's password.")),
            "conflict" => Some(text(409, "The flow is not what the client believes.")),
            "too-many" => Some(text(429, "Another replay is under way, or there were too many.").with_header("retry-after", "7")),
            "broken" => Some(Response::html(500, "<html><title>500: Internal Server Error</title></html>")),
            _ => None,
        }
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.flows() = recorded();
    }
}

fn text(status: u16, text: &str) -> Response {
    Response { body: text.as_bytes().to_vec(), ..Response::html(status, "") }
}
