//! The requests that change something, each with its checks in Caldera's order.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::answer::{Fault, TROUBLE, nested, object, text};
use super::clock;
use super::link::{EXECUTE, Link, PAUSE};
use super::object::{Access, Adversary};
use super::operation::{Held, Operation, STATES};
use super::state::State;
use crate::http::Response;

/// What a request for a link gets.
pub(super) enum Linked {
    /// The link, which its agent will fetch.
    Now(Value),
    /// Nothing, until the operation runs.
    Later(oneshot::Receiver<Response>),
}

impl State {
    /// `POST /operations`. Only the name is needed; what is unknown is passed over, and what does not exist is replaced in silence.
    pub(super) fn create_operation(&mut self, body: &[u8], access: Access) -> Result<Value, Fault> {
        let body = object(body)?;
        let name = text(&body, "name")?.ok_or_else(|| Fault::field("name", "Missing data for required field."))?.to_owned();
        let group = text(&body, "group")?.unwrap_or_default().to_owned();
        let id = text(&body, "id")?.filter(|id| !id.is_empty());
        if let Some(id) = id.filter(|id| self.operation(id).is_some()) {
            return Err(Fault::error(400, format!("Operation with given id already exists: {id}")));
        }
        let id = id.map_or_else(clock::uuid, str::to_owned);
        let state = text(&body, "state")?.filter(|state| !state.is_empty()).unwrap_or("running");
        match state {
            "out_of_time" | "finished" | "cleanup" => return Err(Fault::error(400, "Cannot create a finished operation.")),
            state => is_state(state)?,
        }
        let adversary = nested(&body, "adversary", "adversary_id")?.unwrap_or_default();
        let adversary = self.adversaries.iter().find(|known| known.id == adversary).cloned();
        let planner = pick(&self.planners, nested(&body, "planner", "id")?, "atomic");
        let source = pick(&self.sources, nested(&body, "source", "id")?, "basic");
        self.operations.push(Operation {
            id: id.clone(),
            name,
            group,
            state: state.to_owned(),
            adversary: adversary.unwrap_or_else(Adversary::ad_hoc),
            planner,
            source,
            autonomous: body.get("autonomous").is_none_or(|value| *value != json!(0) && *value != json!(false)),
            auto_close: body.get("auto_close").and_then(Value::as_bool).unwrap_or(true),
            obfuscator: text(&body, "obfuscator")?.unwrap_or("plain-text").to_owned(),
            access,
            start: clock::now(),
            chain: Vec::new(),
            held: Vec::new(),
            is_closing: false,
        });
        Ok(self.shown(&id))
    }

    /// `PATCH /operations/ID`: state, autonomy and obfuscator; the rest stays.
    pub(super) fn update_operation(&mut self, id: &str, body: &[u8], access: Access) -> Result<Value, Fault> {
        let body = object(body)?;
        let state = text(&body, "state")?;
        let obfuscator = text(&body, "obfuscator")?;
        let found = self.operations.iter_mut().find(|operation| operation.id == id && operation.access == access);
        let operation = found.ok_or_else(|| Fault::not_found("Operation", id))?;
        if operation.is_finished() {
            return Err(Fault::error(400, "This operation has already finished."));
        }
        if let Some(state) = state {
            is_state(state)?;
            state.clone_into(&mut operation.state);
        }
        if let Some(obfuscator) = obfuscator {
            obfuscator.clone_into(&mut operation.obfuscator);
        }
        if let Some(autonomous) = body.get("autonomous") {
            operation.autonomous = *autonomous != json!(0) && *autonomous != json!(false);
        }
        Ok(self.shown(id))
    }

    /// `POST /operations/ID/potential-links`: any command at all, for an agent of the operation.
    pub(super) fn link(&mut self, id: &str, body: &[u8], access: Access) -> Result<Linked, Fault> {
        let body = object(body)?;
        let executor = body.get("executor").filter(|executor| !executor.is_null());
        // The schema makes an executor before any handler looks at it, and cannot without a platform.
        if executor.is_some_and(|executor| executor.get("platform").and_then(Value::as_str).is_none()) {
            return Err(TROUBLE);
        }
        let required = |name: &str, of: &str| Fault::error(400, format!("'{name}' is a required field for link {of}."));
        let executor = executor.ok_or_else(|| required("executor", "creation"))?;
        let filled = |name: &str| executor.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = filled("name").ok_or_else(|| required("name", "executor"))?;
        let command = filled("command").ok_or_else(|| required("command", "executor"))?;
        let paw = text(&body, "paw")?.filter(|paw| !paw.is_empty()).ok_or_else(|| required("paw", "creation"))?;

        let operation = self.operation_for(id, access)?;
        let status = if operation.autonomous { EXECUTE } else { PAUSE };
        let agent = self.agent(paw).filter(|agent| operation.covers(agent));
        let agent = agent.ok_or_else(|| Fault::error(404, format!("Agent {paw} was not found.")))?;
        if !agent.executors.iter().any(|own| own == name) {
            return Err(Fault::error(400, format!("Agent {paw} missing specified executor")));
        }
        let command = command.replace('\n', "").replace("#{paw}", &agent.paw).replace("#{group}", &agent.group);
        let timeout = executor.get("timeout").and_then(Value::as_u64).unwrap_or(60);
        let payloads = executor.get("payloads").cloned().unwrap_or_else(|| json!([]));
        let executor = json!({
            "name": name, "platform": agent.platform, "command": command, "code": null, "language": null, "build_target": null,
            "payloads": payloads, "uploads": [], "timeout": timeout, "parsers": [], "cleanup": [], "variations": [],
            "additional_info": {},
        });
        let link = Link::new(&agent.paw, &agent.host, described(&body, &executor), executor, command, status);
        let shown = link.display();
        let found = self.operations.iter_mut().find(|operation| operation.id == id);
        let operation = found.ok_or_else(|| Fault::not_found("Operation", id))?;
        Ok(match operation.apply(link) {
            Ok(()) => Linked::Now(shown),
            Err(link) => {
                let (answer, later) = oneshot::channel();
                operation.held.push(Held { link: *link, answer });
                Linked::Later(later)
            }
        })
    }

    /// `POST /adversaries`. Whether its abilities exist is not asked.
    pub(super) fn create_adversary(&mut self, body: &[u8]) -> Result<Value, Fault> {
        let body = object(body)?;
        let id = text(&body, "adversary_id")?.filter(|id| !id.is_empty());
        if let Some(id) = id.filter(|id| self.adversaries.iter().any(|known| known.id == **id)) {
            return Err(Fault::error(400, format!("Adversary with given id already exists: {id}")));
        }
        let ordering = match body.get("atomic_ordering") {
            None => Vec::new(),
            Some(ordering) => {
                serde_json::from_value(ordering.clone()).map_err(|_| Fault::field("atomic_ordering", "Not a valid list."))?
            }
        };
        let adversary = Adversary {
            id: id.map_or_else(clock::uuid, str::to_owned),
            name: text(&body, "name")?.unwrap_or_default().to_owned(),
            description: text(&body, "description")?.unwrap_or_default().to_owned(),
            ordering,
            plugin: String::new(),
        };
        let shown = adversary.display();
        self.adversaries.push(adversary);
        Ok(shown)
    }

    /// `GET /operations/ID/links/LINK/result`
    pub(super) fn result(&self, id: &str, link: &str, access: Access) -> Result<Value, Fault> {
        let link = self.chain_link(id, link, access)?;
        Ok(json!({ "link": link.display(), "result": link.result.clone().unwrap_or_default() }))
    }

    /// `GET /operations/ID/links/LINK`
    pub(super) fn chain_link(&self, id: &str, link: &str, access: Access) -> Result<&Link, Fault> {
        let operation = self.operation_for(id, access)?;
        let missing = || Fault::error(404, format!("Link {link} was not found in Operation {id}"));
        operation.chain.iter().find(|each| each.id == link).ok_or_else(missing)
    }

    /// `POST /operations/ID/report` and `…/event-logs`; an absent body asks for no output.
    pub(super) fn report(&self, id: &str, body: &[u8], access: Access, as_events: bool) -> Result<Value, Fault> {
        let body = if body.is_empty() { json!({}) } else { object(body)? };
        let with_output = body.get("enable_agent_output").and_then(Value::as_bool).unwrap_or(false);
        let operation = self.operation_for(id, access)?;
        if as_events {
            return Ok(operation.chain.iter().map(|link| link.step(with_output)).collect());
        }
        Ok(operation.report(&self.agents, with_output))
    }

    fn shown(&self, id: &str) -> Value {
        self.operation(id).map(|operation| operation.display(&self.agents)).unwrap_or_default()
    }
}

fn is_state(state: &str) -> Result<(), Fault> {
    if STATES.contains(&state) {
        return Ok(());
    }
    let all: Vec<String> = STATES.iter().map(|state| format!("'{state}'")).collect();
    Err(Fault::error(400, format!("state must be one of [{}]", all.join(", "))))
}

/// The object of that id, or the one that is taken when there is none.
fn pick(known: &[Value], id: Option<&str>, default: &str) -> Value {
    let with = |name: &str, value: Option<&str>| known.iter().find(|it| it.get(name).and_then(Value::as_str) == value);
    id.and_then(|id| with("id", Some(id))).or_else(|| with("name", Some(default))).cloned().unwrap_or_default()
}

/// The ability that a link is said to run: what the caller says, and words of Caldera's own for what the caller does not.
fn described(body: &Value, executor: &Value) -> Value {
    let said = |name: &str| body.get("ability").and_then(|it| it.get(name)).and_then(Value::as_str).filter(|it| !it.is_empty());
    let or = |name: &str, word: &str| said(name).unwrap_or(word).to_owned();
    let id = said("ability_id").map_or_else(clock::uuid, str::to_owned);
    json!({
        "ability_id": id, "tactic": or("tactic", "auto-generated"), "technique_name": or("technique_name", "auto-generated"),
        "technique_id": or("technique_id", "auto-generated"), "name": or("name", "Manual Command"),
        "description": or("description", "Manual command ability"), "executors": [executor], "requirements": [],
        "privilege": null, "repeatable": false, "buckets": [], "additional_info": {}, "access": {}, "singleton": false,
        "plugin": "", "delete_payload": true,
    })
}

/// A link's result, as Caldera stores it.
pub(super) fn packed(stdout: &str, stderr: &str, exit_code: &str) -> String {
    STANDARD.encode(json!({ "stdout": stdout, "stderr": stderr, "exit_code": exit_code }).to_string())
}
