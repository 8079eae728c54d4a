//! A client of any revision, on either transport, that sends whatever it is told to.

use serde_json::{Value, json};

use crate::harness::{House, Http, Raw};

/// The client.
pub(crate) struct Client {
    how: How,
    revision: &'static str,
    asked: u32,
}

enum How {
    Stdio(Raw),
    /// With its session, in the way of 2025.
    Http(Http, Option<String>),
}

impl Client {
    /// Over stdio, as `local`.
    pub(crate) fn stdio(house: &House, revision: &'static str) -> Self {
        let mut command = house.command();
        let command = command.arg("serve");
        let raw = if modern(revision) { Raw::start(command) } else { Raw::able(command, revision, json!({})) };
        Self { how: How::Stdio(raw), revision, asked: 0 }
    }

    /// Over HTTP, with this token.
    pub(crate) fn http(house: &House, revision: &'static str, token: &str) -> Self {
        Self::on(Http::start(&mut house.command(), token), revision)
    }

    fn on(http: Http, revision: &'static str) -> Self {
        if modern(revision) {
            return Self { how: How::Http(http, None), revision, asked: 0 };
        }
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": client });
        let mut answer = http.send("", &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }));
        let session = answer.header("mcp-session-id");
        assert_eq!(answer.next()["result"]["protocolVersion"], revision);
        let headers = format!("mcp-session-id: {session}\r\nmcp-protocol-version: {revision}\r\n");
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let _ = http.send(&headers, &ready).header("content-length");
        Self { how: How::Http(http, Some(session)), revision, asked: 1 }
    }

    /// One of each revision's kind on each transport; over HTTP with this token.
    pub(crate) fn all(house: &House, token: &str) -> Vec<Self> {
        vec![
            Self::stdio(house, "2025-11-25"),
            Self::stdio(house, "2026-07-28"),
            Self::http(house, "2025-06-18", token),
            Self::http(house, "2026-07-28", token),
        ]
    }

    /// Whether every request of it says who asks.
    pub(crate) fn is_modern(&self) -> bool {
        modern(self.revision)
    }

    /// Which revision it speaks.
    pub(crate) fn revision(&self) -> &'static str {
        self.revision
    }

    /// Any request. Gives the whole answer; what is told meanwhile is passed over.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.whole(method, params).1
    }

    /// Any request. Gives what is told before the answer, and the answer.
    pub(crate) fn whole(&mut self, method: &str, mut params: Value) -> (Vec<Value>, Value) {
        self.asked += 1;
        if modern(self.revision) {
            let more = params["_meta"].take();
            params["_meta"] = meta(self.revision);
            let members = params["_meta"].as_object_mut().unwrap();
            members.extend(more.as_object().cloned().unwrap_or_default());
        }
        let mut told = Vec::new();
        let name = ["name", "uri"].into_iter().find_map(|key| params.get(key)?.as_str().map(str::to_owned));
        match &mut self.how {
            How::Stdio(raw) => {
                raw.send(&json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params }));
                loop {
                    let message = raw.receive();
                    if message["id"] == self.asked {
                        return (told, message);
                    }
                    told.push(message);
                }
            }
            How::Http(http, session) => {
                let message = json!({ "jsonrpc": "2.0", "id": self.asked, "method": method, "params": params });
                let headers = match session {
                    Some(session) => format!("mcp-session-id: {session}\r\nmcp-protocol-version: {}\r\n", self.revision),
                    None => {
                        let name = name.map(|name| format!("mcp-name: {name}\r\n")).unwrap_or_default();
                        format!("mcp-protocol-version: {}\r\nmcp-method: {method}\r\n{name}", self.revision)
                    }
                };
                let mut messages = http.send(&headers, &message);
                loop {
                    let message = messages.next();
                    if message["id"] == self.asked {
                        return (told, message);
                    }
                    told.push(message);
                }
            }
        }
    }

    /// A request that is answered with a result.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer:#}");
        answer["result"].clone()
    }

    /// A request that is answered with an error of this code.
    #[track_caller]
    pub(crate) fn fault(&mut self, method: &str, params: Value, code: i64) -> Value {
        let answer = self.ask(method, params);
        assert_eq!(answer["error"]["code"], code, "{method}: {answer:#}");
        answer["error"].clone()
    }

    /// Read a resource, of one text.
    #[track_caller]
    pub(crate) fn read(&mut self, uri: &str) -> Value {
        let result = self.result("resources/read", json!({ "uri": uri }));
        assert_eq!(result["contents"].as_array().unwrap().len(), 1, "{result:#}");
        assert_eq!(result["contents"][0]["uri"], uri);
        if self.is_modern() {
            assert_eq!(result["cacheScope"], "private", "{result:#}");
            assert!(result["ttlMs"].is_u64(), "{result:#}");
        } else {
            assert!(result.get("cacheScope").is_none() && result.get("ttlMs").is_none(), "{result:#}");
        }
        result["contents"][0].clone()
    }

    /// There is no such resource.
    #[track_caller]
    pub(crate) fn finds_nothing(&mut self, uri: &str) {
        let code = if self.is_modern() { -32602 } else { -32002 };
        let error = self.fault("resources/read", json!({ "uri": uri }), code);
        assert!(error["message"].as_str().unwrap().contains("there is no such resource"), "{error:#}");
    }

    /// Call a tool. Gives the result.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The values that one thing of each item of a list has.
    #[track_caller]
    pub(crate) fn listed(&mut self, method: &str, list: &str, key: &str) -> Vec<String> {
        let result = self.result(method, json!({}));
        if self.is_modern() {
            assert_eq!(result["cacheScope"], "private", "{method}: {result:#}");
            assert_eq!(result["ttlMs"], 60_000, "{method}: {result:#}");
        }
        let items = result[list].as_array().unwrap_or_else(|| panic!("{method}: {result:#}"));
        items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
    }

    /// The raw messages, over stdio.
    pub(crate) fn raw(&mut self) -> &mut Raw {
        match &mut self.how {
            How::Stdio(raw) => raw,
            How::Http(..) => panic!("it speaks HTTP"),
        }
    }

    /// The server, over HTTP.
    pub(crate) fn server(&mut self) -> &mut Http {
        match &mut self.how {
            How::Http(http, _) => http,
            How::Stdio(_) => panic!("it speaks over pipes"),
        }
    }
}

fn modern(revision: &str) -> bool {
    revision >= "2026"
}

/// What a request says of its client.
pub(crate) fn meta(revision: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    })
}
