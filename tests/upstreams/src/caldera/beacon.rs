//! The agents' protocol: base64 of JSON in, base64 of JSON out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Fault, TROUBLE};
use super::clock;
use super::link::Link;
use super::object::Agent;
use super::requests::packed;
use super::state::State;

/// What an agent says of itself. What it leaves out is Caldera's to assume.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) paw: Option<String>,
    pub(super) group: String,
    pub(super) platform: String,
    pub(super) executors: Vec<String>,
    pub(super) host: String,
    pub(super) username: String,
    pub(super) privilege: String,
    pub(super) pid: u64,
    pub(super) results: Vec<Outcome>,
}

/// The result of one instruction.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Outcome {
    pub(super) id: String,
    /// Base64.
    pub(super) output: String,
    /// Base64.
    pub(super) stderr: String,
    pub(super) exit_code: String,
    pub(super) status: i64,
    pub(super) pid: u64,
}

/// What an agent is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) paw: String,
    pub(super) sleep: u64,
    pub(super) watchdog: u64,
    /// JSON of a list of JSON texts.
    pub(super) instructions: String,
}

/// One instruction.
#[derive(Debug, Deserialize)]
pub(super) struct Instruction {
    pub(super) id: String,
    /// Base64.
    pub(super) command: String,
    pub(super) executor: String,
}

impl State {
    /// `POST /beacon`. What cannot be read is logged there and answered by nothing.
    pub(super) fn beacon(&mut self, body: &[u8]) -> Result<String, Fault> {
        let profile: Profile = STANDARD.decode(body).ok().and_then(|text| serde_json::from_slice(&text).ok()).ok_or(TROUBLE)?;
        let paw = profile.paw.clone().filter(|paw| !paw.is_empty()).unwrap_or_else(|| clock::uuid().chars().take(6).collect());
        profile.results.iter().for_each(|outcome| self.settle(outcome));
        self.heard(&paw, profile);
        self.advance();
        let orders = Orders { instructions: self.instructions(&paw), paw, sleep: 2, watchdog: 0 };
        serde_json::to_vec(&orders).map(|text| STANDARD.encode(text)).map_err(|_| TROUBLE)
    }

    /// Note that an agent is alive; a stranger is taken in.
    fn heard(&mut self, paw: &str, profile: Profile) {
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        match self.agents.iter_mut().find(|agent| agent.paw == paw) {
            // Its group is what it was when it came, or what somebody has set since.
            Some(agent) => agent.last_seen = clock::now(),
            None => self.welcome(Agent {
                paw: paw.to_owned(),
                group: or(profile.group, "red"),
                platform: or(profile.platform.to_lowercase(), "unknown"),
                executors: profile.executors,
                host: or(profile.host, "unknown"),
                username: or(profile.username, "unknown"),
                privilege: or(profile.privilege, "User"),
                trusted: true,
                pid: profile.pid,
                created: clock::now(),
                last_seen: clock::now(),
                links: Vec::new(),
            }),
        }
    }

    /// Everything an agent has not fetched yet, as JSON of a list of JSON texts.
    fn instructions(&mut self, paw: &str) -> String {
        let mut texts: Vec<String> = Vec::new();
        for link in self.links().filter(|link| link.paw == paw && link.is_due()) {
            link.collect = Some(clock::now());
            texts.push(link.instruction().to_string());
        }
        Value::from(texts).to_string()
    }

    /// Keep a result. One of a link that nobody knows is forgotten.
    fn settle(&mut self, outcome: &Outcome) {
        let Some(link) = self.links().find(|link| link.id == outcome.id && link.collect.is_some()) else { return };
        let text = |base64: &str| String::from_utf8_lossy(&STANDARD.decode(base64).unwrap_or_default()).into_owned();
        link.pid = outcome.pid;
        link.finish = Some(clock::now());
        link.status = outcome.status;
        link.result = Some(packed(&text(&outcome.output), &text(&outcome.stderr), &outcome.exit_code));
    }

    fn links(&mut self) -> impl Iterator<Item = &mut Link> {
        let own = self.agents.iter_mut().flat_map(|agent| &mut agent.links);
        own.chain(self.operations.iter_mut().flat_map(|operation| &mut operation.chain))
    }
}
