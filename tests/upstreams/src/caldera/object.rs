//! What Caldera keeps besides operations: abilities, adversaries and agents, and how each is shown.

use serde_json::{Value, json};

use super::clock;
use super::link::Link;

/// Who may see an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Red,
    Blue,
}

/// One way to run an ability.
#[derive(Debug, Clone)]
pub(super) struct Executor {
    pub(super) name: String,
    pub(super) platform: String,
    pub(super) command: String,
    pub(super) cleanup: Vec<String>,
    pub(super) payloads: Vec<String>,
    pub(super) timeout: u64,
}

impl Executor {
    pub(super) fn display(&self) -> Value {
        json!({
            "name": self.name, "platform": self.platform, "command": self.command, "code": null, "language": null,
            "build_target": null, "payloads": self.payloads, "uploads": [], "timeout": self.timeout, "parsers": [],
            "cleanup": self.cleanup, "variations": [], "additional_info": {},
        })
    }
}

/// A step that an agent can take.
#[derive(Debug, Clone)]
pub(super) struct Ability {
    /// A UUID, or 32 hexadecimal digits where it is of the atomic plugin.
    pub(super) id: String,
    pub(super) tactic: String,
    pub(super) technique_id: String,
    pub(super) technique_name: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) privilege: Option<String>,
    pub(super) executors: Vec<Executor>,
    pub(super) plugin: String,
    pub(super) access: Access,
}

impl Ability {
    pub(super) fn display(&self) -> Value {
        let executors: Vec<Value> = self.executors.iter().map(Executor::display).collect();
        json!({
            "ability_id": self.id, "tactic": self.tactic, "technique_name": self.technique_name,
            "technique_id": self.technique_id, "name": self.name, "description": self.description, "executors": executors,
            "requirements": [], "privilege": self.privilege, "repeatable": false, "buckets": [self.tactic],
            "additional_info": {}, "access": {}, "singleton": false, "plugin": self.plugin, "delete_payload": true,
        })
    }
}

/// An ordered list of abilities.
#[derive(Debug, Clone)]
pub(super) struct Adversary {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) ordering: Vec<String>,
    pub(super) plugin: String,
}

/// The objective of every adversary that names none.
pub(super) const OBJECTIVE: &str = "495a9828-cab1-44dd-a0ca-66e58177d8cc";

impl Adversary {
    /// What stands in for an adversary that does not exist.
    pub(super) fn ad_hoc() -> Self {
        Adversary {
            id: "ad-hoc".into(),
            name: "ad-hoc".into(),
            description: "an empty adversary profile".into(),
            ordering: Vec::new(),
            plugin: String::new(),
        }
    }

    pub(super) fn display(&self) -> Value {
        json!({
            "adversary_id": self.id, "name": self.name, "description": self.description, "atomic_ordering": self.ordering,
            "objective": OBJECTIVE, "tags": [], "has_repeatable_abilities": false, "plugin": self.plugin,
        })
    }
}

/// A program on a machine that asks for instructions.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) paw: String,
    pub(super) group: String,
    pub(super) platform: String,
    pub(super) executors: Vec<String>,
    pub(super) host: String,
    pub(super) username: String,
    pub(super) privilege: String,
    pub(super) trusted: bool,
    pub(super) pid: u64,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// Seconds since 1970.
    pub(super) last_seen: u64,
    /// What it was given outside of operations.
    pub(super) links: Vec<Link>,
}

impl Agent {
    /// Blue agents are the blue team's; everybody else's are red.
    pub(super) fn access(&self) -> Access {
        if self.group == "blue" { Access::Blue } else { Access::Red }
    }

    /// The executor it prefers among an ability's, as Caldera chooses: `psh`, then `sh`, then the order the agent names.
    pub(super) fn executor<'a>(&self, ability: &'a Ability) -> Option<&'a Executor> {
        let fitting = |name: &str| ability.executors.iter().find(|it| it.name == name && it.platform == self.platform);
        let preferred = ["psh", "sh"].into_iter().find(|name| self.executors.iter().any(|own| own == name));
        preferred.and_then(fitting).or_else(|| self.executors.iter().find_map(|name| fitting(name)))
    }

    /// Whether it may run what needs elevation.
    pub(super) fn is_privileged_for(&self, ability: &Ability) -> bool {
        ability.privilege.as_deref() != Some("Elevated") || self.privilege == "Elevated"
    }

    pub(super) fn display(&self) -> Value {
        let links: Vec<Value> = self.links.iter().map(Link::display).collect();
        json!({
            "paw": self.paw, "sleep_min": 30, "sleep_max": 60, "watchdog": 0, "group": self.group, "architecture": "amd64",
            "platform": self.platform, "server": "http://127.0.0.1:8888", "upstream_dest": "http://127.0.0.1:8888",
            "username": self.username, "location": "/opt/splunkd", "pid": self.pid, "ppid": 1, "trusted": self.trusted,
            "executors": self.executors, "privilege": self.privilege, "exe_name": "splunkd", "host": self.host,
            "contact": "HTTP", "proxy_receivers": {}, "proxy_chain": [], "origin_link_id": "", "deadman_enabled": true,
            "available_contacts": ["HTTP"], "host_ip_addrs": ["10.20.0.11"], "display_name": format!("{}${}", self.host, self.username),
            "created": clock::show(self.created), "last_seen": clock::show(self.last_seen), "links": links,
            "pending_contact": "HTTP",
        })
    }
}
