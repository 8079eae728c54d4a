//! Everything Caldera remembers, and how lists of it are asked for.

use serde_json::Value;

use super::answer::Fault;
use super::catalogue;
use super::clock;
use super::link::{EXECUTE, Link};
use super::object::{Ability, Access, Adversary, Agent};
use super::operation::Operation;
use crate::http::Request;

/// Each new agent is given this ability, whoever brought it: `conf/agents.yml` says so.
pub(super) const BOOTSTRAP: &str = "43b3754c-def4-4699-a673-1d85648fda6a";

/// What is in memory.
#[derive(Debug)]
pub(super) struct State {
    pub(super) abilities: Vec<Ability>,
    pub(super) adversaries: Vec<Adversary>,
    pub(super) agents: Vec<Agent>,
    pub(super) operations: Vec<Operation>,
    pub(super) planners: Vec<Value>,
    pub(super) sources: Vec<Value>,
}

/// The objects of one kind, as they are shown.
struct Collection {
    /// In singular.
    kind: &'static str,
    /// The member that is the id.
    id: &'static str,
    objects: Vec<(Access, Value)>,
}

impl State {
    pub(super) fn new() -> Self {
        let mut state = State {
            abilities: catalogue::abilities(),
            adversaries: catalogue::adversaries(),
            agents: Vec::new(),
            operations: Vec::new(),
            planners: catalogue::planners(),
            sources: catalogue::sources(),
        };
        catalogue::agents().into_iter().for_each(|agent| state.welcome(agent));
        state
    }

    pub(super) fn ability(&self, id: &str) -> Option<&Ability> {
        self.abilities.iter().find(|ability| ability.id == id)
    }

    pub(super) fn agent(&self, paw: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.paw == paw)
    }

    pub(super) fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }

    /// An operation that this key may see. The two refusals are Caldera's.
    pub(super) fn operation_for(&self, id: &str, access: Access) -> Result<&Operation, Fault> {
        let operation = self.operation(id).ok_or_else(|| Fault::not_found("Operation", id))?;
        if operation.access == access { Ok(operation) } else { Err(forbidden("operation", id)) }
    }

    /// Take in a new agent and give it its first instruction, which nobody asked for.
    pub(super) fn welcome(&mut self, mut agent: Agent) {
        let task = self.ability(BOOTSTRAP).and_then(|ability| {
            let executor = agent.executor(ability)?;
            let command = executor.command.clone();
            Some(Link::new(&agent.paw, &agent.host, ability.display(), executor.display(), command, EXECUTE))
        });
        agent.links.extend(task);
        agent.last_seen = clock::now();
        self.agents.push(agent);
    }

    /// Every object of a collection, whoever may see it.
    fn collection(&self, name: &str, access: Access) -> Option<Collection> {
        let everyones = |values: &[Value]| values.iter().map(|value| (access, value.clone())).collect();
        let (kind, id, objects) = match name {
            "abilities" => {
                ("ability", "ability_id", self.abilities.iter().map(|ability| (ability.access, ability.display())).collect())
            }
            "adversaries" => {
                ("adversary", "adversary_id", self.adversaries.iter().map(|adversary| (access, adversary.display())).collect())
            }
            "agents" => ("agent", "paw", self.agents.iter().map(|agent| (agent.access(), agent.display())).collect()),
            "operations" => {
                let shown = |operation: &Operation| (operation.access, operation.display(&self.agents));
                ("operation", "id", self.operations.iter().map(shown).collect())
            }
            "planners" => ("planner", "id", everyones(&self.planners)),
            "sources" => ("source", "id", everyones(&self.sources)),
            _ => return None,
        };
        Some(Collection { kind, id, objects })
    }

    /// `GET /api/v2/COLLECTION`: no pages and no filters but `sort`, `include` and `exclude`.
    pub(super) fn list(&self, collection: &str, access: Access, request: &Request) -> Option<Value> {
        let objects = self.collection(collection, access)?.objects.into_iter().filter(|(whose, _)| *whose == access);
        let mut objects: Vec<Value> = objects.map(|(_, object)| narrowed(object, request)).collect();
        let sort = request.parameter("sort").unwrap_or_else(|| "name".to_owned());
        // What has no such member compares as 0: the order stays as it is.
        objects.sort_by_key(|object| object.get(&sort).and_then(Value::as_str).unwrap_or_default().to_owned());
        if collection == "planners" {
            objects.sort_by_key(|object| object.get("name").and_then(Value::as_str) != Some("atomic"));
        }
        Some(Value::Array(objects))
    }

    /// `GET /api/v2/COLLECTION/ID`
    pub(super) fn one(&self, collection: &str, id: &str, access: Access, request: &Request) -> Option<Result<Value, Fault>> {
        let Collection { kind, id: id_name, objects } = self.collection(collection, access)?;
        let found = objects.into_iter().find(|(_, object)| object.get(id_name).and_then(Value::as_str) == Some(id));
        Some(match found {
            None => Err(Fault::not_found(&capitalized(kind), id)),
            Some((whose, _)) if whose != access => Err(forbidden(kind, id)),
            Some((_, object)) => Ok(narrowed(object, request)),
        })
    }

    /// `DELETE /api/v2/COLLECTION/ID`
    pub(super) fn delete(&mut self, collection: &str, id: &str, access: Access) -> Option<Result<(), Fault>> {
        let Collection { kind, id: id_name, objects } = self.collection(collection, access)?;
        let is_there =
            |(whose, object): &(Access, Value)| *whose == access && object.get(id_name).and_then(Value::as_str) == Some(id);
        if !objects.iter().any(is_there) {
            return Some(Err(Fault::not_found(&capitalized(kind), id)));
        }
        match collection {
            "abilities" => self.abilities.retain(|ability| ability.id != id),
            "adversaries" => self.adversaries.retain(|adversary| adversary.id != id),
            "agents" => self.agents.retain(|agent| agent.paw != id),
            "operations" => self.operations.retain(|operation| operation.id != id),
            _ => return None,
        }
        Some(Ok(()))
    }
}

fn forbidden(kind: &str, id: &str) -> Fault {
    Fault::error(403, format!("Cannot view {kind} due to insufficient permissions: {id}"))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Only the members in `include`, and none of those in `exclude`. Each may be given several times.
fn narrowed(mut object: Value, request: &Request) -> Value {
    let all = |name: &str| -> Vec<String> {
        request.parameters().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    };
    let (include, exclude) = (all("include"), all("exclude"));
    if let Some(members) = object.as_object_mut() {
        members.retain(|name, _| (include.is_empty() || include.contains(name)) && !exclude.contains(name));
    }
    object
}
