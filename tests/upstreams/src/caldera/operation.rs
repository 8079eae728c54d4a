//! An operation: an adversary let loose on a group.

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::clock;
use super::link::Link;
use super::object::{Access, Adversary, Agent, OBJECTIVE};
use crate::http::Response;

/// The states an operation can have, in Caldera's order.
pub(super) const STATES: [&str; 6] = ["running", "run_one_link", "paused", "out_of_time", "finished", "cleanup"];

/// A request for a link that waits until the operation runs. That its client has left changes nothing.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) link: Link,
    pub(super) answer: oneshot::Sender<Response>,
}

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) name: String,
    /// Empty for every agent there is.
    pub(super) group: String,
    pub(super) state: String,
    pub(super) adversary: Adversary,
    pub(super) planner: Value,
    pub(super) source: Value,
    pub(super) autonomous: bool,
    pub(super) auto_close: bool,
    pub(super) obfuscator: String,
    pub(super) access: Access,
    /// Seconds since 1970.
    pub(super) start: u64,
    pub(super) chain: Vec<Link>,
    pub(super) held: Vec<Held>,
    /// Whether cleaning up has begun.
    pub(super) is_closing: bool,
}

impl Operation {
    /// Whether Caldera lets nothing more happen to it.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state.as_str(), "finished" | "out_of_time" | "cleanup")
    }

    /// Whether an agent is among its targets.
    pub(super) fn covers(&self, agent: &Agent) -> bool {
        self.group.is_empty() || agent.group == self.group
    }

    /// Add a link if the operation takes one now.
    pub(super) fn apply(&mut self, link: Link) -> Result<(), Box<Link>> {
        match self.state.as_str() {
            "running" => self.chain.push(link),
            "run_one_link" => {
                self.chain.push(link);
                "paused".clone_into(&mut self.state);
            }
            _ => return Err(Box::new(link)),
        }
        Ok(())
    }

    pub(super) fn display(&self, agents: &[Agent]) -> Value {
        let members: Vec<Value> = agents.iter().filter(|agent| self.covers(agent)).map(Agent::display).collect();
        let chain: Vec<Value> = self.chain.iter().map(Link::display).collect();
        json!({
            "id": self.id, "name": self.name, "host_group": members, "adversary": self.adversary.display(), "jitter": "2/8",
            "planner": self.planner, "start": clock::show(self.start), "state": self.state, "obfuscator": self.obfuscator,
            "autonomous": i64::from(self.autonomous), "chain": chain, "auto_close": self.auto_close, "visibility": 50,
            "objective": { "id": OBJECTIVE, "name": "default", "description": "", "goals": [], "percentage": 0 },
            "use_learning_parsers": true, "group": self.group, "source": self.source,
        })
    }

    pub(super) fn report(&self, agents: &[Agent], with_output: bool) -> Value {
        let members: Vec<&Agent> = agents.iter().filter(|agent| self.covers(agent)).collect();
        let steps = members.iter().map(|agent| {
            let own = self.chain.iter().filter(|link| link.paw == agent.paw);
            let own: Vec<Value> = own.map(|link| link.step(with_output)).collect();
            (agent.paw.clone(), json!({ "steps": own }))
        });
        let finish = self.chain.iter().filter_map(|link| link.finish).max().filter(|_| self.is_finished());
        json!({
            "name": self.name, "host_group": members.iter().map(|agent| agent.display()).collect::<Vec<_>>(),
            "start": clock::show(self.start), "steps": steps.collect::<serde_json::Map<_, _>>(), "finish": finish.map(clock::show),
            "planner": self.planner.get("name"), "adversary": self.adversary.display(), "jitter": "2/8",
            "objectives": { "id": OBJECTIVE, "name": "default" }, "facts": [], "skipped_abilities": [],
        })
    }
}
