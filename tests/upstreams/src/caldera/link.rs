//! Links: one command for one agent, from the decision to its result.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::clock;

/// Waits for its agent.
pub(super) const EXECUTE: i64 = -3;
/// Waits for a person, where the operation is not autonomous.
pub(super) const PAUSE: i64 = -1;
/// The command ended with 0.
pub(super) const SUCCESS: i64 = 0;

/// One command for one agent.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) id: String,
    pub(super) paw: String,
    pub(super) host: String,
    /// As it is shown; the executor is not among its members.
    pub(super) ability: Value,
    /// As it is shown.
    pub(super) executor: Value,
    pub(super) command: String,
    pub(super) status: i64,
    pub(super) cleanup: bool,
    /// Seconds since 1970.
    pub(super) decide: u64,
    /// When the agent took it, in seconds since 1970.
    pub(super) collect: Option<u64>,
    /// When its result came, in seconds since 1970.
    pub(super) finish: Option<u64>,
    pub(super) pid: u64,
    /// Base64 of `{"stdout", "stderr", "exit_code"}`.
    pub(super) result: Option<String>,
}

impl Link {
    pub(super) fn new(paw: &str, host: &str, ability: Value, executor: Value, command: String, status: i64) -> Self {
        Link {
            id: clock::uuid(),
            paw: paw.to_owned(),
            host: host.to_owned(),
            ability,
            executor,
            command,
            status,
            cleanup: false,
            decide: clock::now(),
            collect: None,
            finish: None,
            pid: 0,
            result: None,
        }
    }

    /// The ability's id.
    pub(super) fn ability_id(&self) -> &str {
        self.ability.get("ability_id").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether its agent may fetch it.
    pub(super) fn is_due(&self) -> bool {
        self.status == EXECUTE && self.collect.is_none()
    }

    pub(super) fn display(&self) -> Value {
        let time = |time: Option<u64>| time.map(clock::show);
        json!({
            "id": self.id, "paw": self.paw, "command": self.command, "plaintext_command": self.command, "status": self.status,
            "score": 0, "decide": clock::show(self.decide), "pin": 0, "pid": self.pid.to_string(), "facts": [],
            "relationships": [], "used": [], "unique": self.id, "collect": time(self.collect), "finish": time(self.finish),
            "ability": self.ability, "executor": self.executor, "cleanup": i64::from(self.cleanup),
            "visibility": { "score": 50, "adjustments": [] }, "host": self.host,
            "output": if self.result.is_some() { "True" } else { "False" }, "deadman": false,
        })
    }

    /// What its agent is told.
    pub(super) fn instruction(&self) -> Value {
        let executor = |name: &str| self.executor.get(name).cloned().unwrap_or_default();
        json!({
            "id": self.id, "sleep": 2, "command": STANDARD.encode(&self.command), "executor": executor("name"),
            "timeout": executor("timeout"), "payloads": executor("payloads"), "uploads": [], "deadman": false,
            "delete_payload": true,
        })
    }

    /// A step of a report.
    pub(super) fn step(&self, with_output: bool) -> Value {
        let ability = |name: &str| self.ability.get(name).cloned().unwrap_or_default();
        let executor = |name: &str| self.executor.get(name).cloned().unwrap_or_default();
        let mut step = json!({
            "link_id": self.id, "ability_id": self.ability_id(), "command": self.command, "delegated": clock::show(self.decide),
            "run": self.finish.map(clock::show), "status": self.status, "platform": executor("platform"),
            "executor": executor("name"), "pid": self.pid, "description": ability("description"), "name": ability("name"),
            "attack": { "tactic": ability("tactic"), "technique_name": ability("technique_name"), "technique_id": ability("technique_id") },
        });
        if let (true, Some(result), Some(step)) = (with_output, &self.result, step.as_object_mut()) {
            let output = STANDARD.decode(result).ok().and_then(|result| serde_json::from_slice(&result).ok());
            step.insert("output".into(), output.unwrap_or(Value::Null));
        }
        step
    }
}
