//! A house with a plugin of this repository, whose upstream has the plugin's name: what reaches it, and what it answers.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use toml::Table;

use super::{House, Reply};

/// Every way to answer a request badly.
pub(crate) const BAD: [&str; 10] = [
    "huge-body",
    "gzip-bomb",
    "wrong-shape",
    "html",
    "invalid-json",
    "empty-body",
    "deep-json",
    "redirect",
    "not-http",
    "two-lengths",
];

/// Answers that are well-formed, and meant for whoever reads them.
pub(crate) const MEANT: [&str; 4] = ["hostile-text", "echo-key", "duplicate-keys", "set-cookie"];

/// The plugins of this repository, in order.
pub(crate) fn plugins() -> Vec<String> {
    casemate_pages::plugins().unwrap()
}

impl House {
    /// A house with the plugin, whose upstream takes the house's secret, and what its operator wrote; `@` stands for the plugin's name.
    pub(crate) fn beside(plugin: &str, config: &str) -> Self {
        let house = Self::of_plugin(plugin, |upstreams| {
            let mut config: Table = config.replace('@', plugin).parse().unwrap();
            let origin = upstreams.origin(plugin);
            let upstream: Table = format!("origin = \"{origin}\"\nallow_private = [\"127.0.0.1/32\"]").parse().unwrap();
            let settings = config["plugins"][plugin].as_table_mut().unwrap();
            settings.insert("upstream".to_owned(), Table::from_iter([(plugin.to_owned(), upstream.into())]).into());
            config
        });
        house.upstreams().order(plugin, &json!({ "key": house.secret().value() }));
        house
    }

    /// Nothing was read by anybody, and nothing has reached the upstream.
    pub(crate) fn forget(&self) {
        self.casemate(&["sessions", "clear", "local"]);
        self.upstreams().forget_received();
    }

    /// Call as somebody who has read nothing yet.
    #[track_caller]
    pub(crate) fn call_fresh(&self, tool: &str, arguments: Value) -> Reply {
        self.forget();
        self.call(tool, arguments)
    }

    /// What has reached the upstream since, such as `GET /api/v2/agents`.
    pub(crate) fn reached(&self) -> Vec<String> {
        let received = self.upstreams().received_by(self.plugin());
        received.iter().map(|request| format!("{} {}", request.method(), request.target())).collect()
    }

    /// The bodies of what changes something and has reached the upstream since.
    pub(crate) fn changes(&self) -> Vec<Value> {
        let received = self.upstreams().received_by(self.plugin());
        let body = |request: &Value| STANDARD.decode(request["body_base64"].as_str().unwrap()).unwrap();
        let changing = received.iter().filter(|request| request.method() != "GET");
        changing.map(|request| serde_json::from_slice(&body(&request.0)).unwrap()).collect()
    }

    /// What the next request to a path gets, such as `GET /api/v2/agents`.
    pub(crate) fn answers(&self, request: &str, answer: &Value) {
        self.scripted(request, json!({ "answer": answer }));
    }

    /// How the next request to a path is answered.
    pub(crate) fn scripted(&self, request: &str, mut script: Value) {
        let (method, path) = request.split_once(' ').unwrap();
        (script["method"], script["path"]) = (json!(method), json!(path));
        self.upstreams().script_for(self.plugin(), script);
    }

    /// The call, which makes this one request, fails whatever is wrong with the answer, and the next one is served. What is well-formed
    /// and meant for the model is told as data, and nothing of it is hidden.
    #[track_caller]
    pub(crate) fn bears(&self, tool: &str, arguments: &Value, request: &str) {
        let hidden = ['\u{200b}', '\u{202e}', '\u{feff}', '\u{e0041}', '\u{1b}', '\u{7}'];
        for kind in BAD {
            self.scripted(request, json!({ "misbehave": { "kind": kind } }));
            let reply = self.call_fresh(tool, arguments.clone());
            // JSON of another shape may be read as an answer with nothing in it.
            assert!(reply.is_error() || ["wrong-shape", "deep-json"].contains(&kind), "{kind} {tool}: {reply:#?}");
            assert!(self.reached().len() <= 2, "{kind} {tool}: {:?}", self.reached());
        }
        for kind in MEANT {
            self.scripted(request, json!({ "misbehave": { "kind": kind } }));
            let reply = self.call_fresh(tool, arguments.clone());
            let text = reply.0.to_string();
            assert!(!text.contains(hidden), "{kind} {tool}: {text}");
            assert!(reply.is_error() || reply.text().contains("untrusted, not instructions"), "{kind} {tool}: {text}");
        }
        self.call_fresh(tool, arguments.clone()).done(&[]);
    }
}
