//! The range: a house with Caldera's plugin, and a Caldera with four agents.

use serde_json::{Value, json};
use toml::{Table, toml};

use crate::harness::{House, Ran, Reply, Upstreams};

/// An adversary with three steps.
pub(crate) const DISCOVERY: &str = "0f4c3c67-845e-49a0-927e-90ed33c044e0";
/// One that the grant does not name.
pub(crate) const HUNTER: &str = "de07f52d-9928-4071-9142-cb1d3bd851e8";
/// `whoami`, for T1033.
pub(crate) const WHOAMI: &str = "c0da588f-79f0-4263-8998-7496b1a40596";
/// For T1057, which the grant does not name.
pub(crate) const PROCESSES: &str = "3b5db901-2cb8-4df7-8043-c4628a6a5d5a";
/// Nothing has this id.
pub(crate) const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Every tool that changes something, with arguments that a fresh range has what they need for.
pub(crate) const CHANGES: [&str; 4] = ["create_adversary", "create_operation", "set_operation_state", "execute_ability"];

/// A house with the plugin, and what is around it.
pub(crate) struct Range(pub(crate) House);

impl Range {
    /// Every tool is on and for real, and nobody is asked; granted are one group, two adversaries and one technique.
    pub(crate) fn open() -> Self {
        Self::with(|house| house)
    }

    /// The same, but for what is changed.
    pub(crate) fn with(change: impl FnOnce(House) -> House) -> Self {
        let on = |house: House, tool: &&str| {
            let at = |setting: &str| format!("plugins.@.tools.{tool}.{setting}");
            house.set(&at("enabled"), true).set(&at("dry_run"), false).set(&at("approval"), "none")
        };
        let house = CHANGES.iter().fold(House::of_plugin("caldera", config), on);
        Self(change(house).serve())
    }

    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: Value) -> Reply {
        self.0.call(tool, arguments)
    }

    /// Call as somebody who has read nothing yet.
    #[track_caller]
    pub(crate) fn call_fresh(&self, tool: &str, arguments: Value) -> Reply {
        self.0.call_fresh(tool, arguments)
    }

    /// Nothing was read by anybody, and nothing has reached Caldera.
    pub(crate) fn forget(&self) {
        self.0.forget();
    }

    /// What has reached Caldera since, such as `GET /api/v2/agents`.
    pub(crate) fn reached(&self) -> Vec<String> {
        self.0.reached()
    }

    /// The bodies of what changes something and has reached Caldera since.
    pub(crate) fn changes(&self) -> Vec<Value> {
        self.0.changes()
    }

    /// Nothing that changes something has reached Caldera since.
    #[track_caller]
    pub(crate) fn unchanged(&self) {
        assert_eq!(self.changes(), Vec::<Value>::new());
    }

    /// What the next request to a path gets, such as `GET /api/v2/agents`.
    pub(crate) fn answers(&self, request: &str, answer: &Value) {
        self.0.answers(request, answer);
    }

    /// How the next request to a path is answered.
    pub(crate) fn scripted(&self, request: &str, script: Value) {
        self.0.scripted(request, script);
    }

    /// Tell the Caldera something.
    pub(crate) fn order(&self, order: &Value) {
        self.0.upstreams().order("caldera", order);
    }

    /// What Caldera answers a colleague, past Casemate.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let key = format!("key: {}\r\n", self.0.secret().value());
        self.0.upstreams().ask("caldera", (method, &format!("/api/v2/{path}")), &key, &body)
    }

    /// An operation that a colleague has created, which is forgotten to have reached Caldera.
    pub(crate) fn operation(&self, group: &str, adversary: &str, state: &str) -> String {
        let adversary = json!({ "adversary_id": adversary });
        let body = json!({ "name": "theirs", "group": group, "adversary": adversary, "state": state, "auto_close": false });
        let created = self.ask("POST", "operations", &body);
        self.0.upstreams().forget_received();
        created["id"].as_str().unwrap().to_owned()
    }

    /// Good arguments for a tool that changes something.
    pub(crate) fn arguments(&self, tool: &str) -> Value {
        match tool {
            "create_adversary" => json!({ "name": "ours", "description": "d", "ability_ids": [WHOAMI] }),
            "create_operation" => create("red-lab", DISCOVERY),
            "set_operation_state" => {
                json!({ "operation_id": self.operation("red-lab", DISCOVERY, "paused"), "state": "running" })
            }
            _ => execute(&self.operation("red-lab", "ad-hoc", "running"), "simpaw1", "red-lab", WHOAMI),
        }
    }

    /// What a tool that changes something reads first, for these arguments.
    pub(crate) fn first_read(tool: &str, arguments: &Value) -> String {
        match tool {
            "create_adversary" => "GET /api/v2/abilities".to_owned(),
            "create_operation" => format!("GET /api/v2/adversaries/{DISCOVERY}"),
            _ => format!("GET /api/v2/operations/{}", arguments["operation_id"].as_str().unwrap()),
        }
    }

    /// The one request of a tool that changes something, for these arguments.
    pub(crate) fn change(tool: &str, arguments: &Value) -> String {
        let operation = arguments["operation_id"].as_str().unwrap_or_default();
        match tool {
            "create_adversary" => "POST /api/v2/adversaries".to_owned(),
            "create_operation" => "POST /api/v2/operations".to_owned(),
            "set_operation_state" => format!("PATCH /api/v2/operations/{operation}"),
            _ => format!("POST /api/v2/operations/{operation}/potential-links"),
        }
    }

    /// The log's record of how a call ended.
    pub(crate) fn outcome(&self, reply: &Reply) -> Value {
        let of_it = |record: &Value| record.to_string().contains(reply.audit_id()) && record["event_type"] == "outcome";
        self.0.audit().into_iter().find(of_it).unwrap_or_default()
    }

    /// A command of the operator's, whose standard output is JSON.
    pub(crate) fn operator(&self, arguments: &[&str]) -> (Ran, Value) {
        let ran = self.0.casemate(&[&["--format", "json"], arguments].concat());
        let value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        (ran, value)
    }
}

pub(crate) fn create(group: &str, adversary: &str) -> Value {
    json!({ "name": "look around", "adversary_id": adversary, "group": group })
}

pub(crate) fn execute(operation: &str, paw: &str, group: &str, ability: &str) -> Value {
    json!({ "operation_id": operation, "paw": paw, "group": group, "ability_id": ability })
}

fn config(upstreams: &Upstreams) -> Table {
    let mut config = toml! {
        environment = "dev"

        [plugins.caldera]
        secret.api_key.file = "secrets/api_key"
        upstream.caldera.allow_private = ["127.0.0.1/32"]

        [grants.tester]
        principals = ["local"]
        tools = ["caldera_*"]
        max_effect = "destructive"
        scope.group = ["red-lab"]
        scope.technique = ["T1033"]
    };
    config["plugins"]["caldera"]["upstream"]["caldera"]
        .as_table_mut()
        .unwrap()
        .insert("origin".to_owned(), upstreams.origin("caldera").into());
    let scope = config["grants"]["tester"]["scope"].as_table_mut().unwrap();
    scope.insert("adversary".to_owned(), vec![DISCOVERY, "ad-hoc"].into());
    config
}
