//! MITRE Caldera 5.3.0: its REST API, version 2, and the protocol its agents speak.
//!
//! The API does many things that nobody would guess, and each is here as it is there: an operation without a group takes every agent,
//! one with an adversary that does not exist runs another, a link for an operation that is paused is answered when the operation
//! runs, and runs then even if nobody waited. Nothing is executed: an agent here only says that it was ([`simulated`]).
//!
//! | order, posted to the control listener | does |
//! |---|---|
//! | `{"simulate": ["simpaw1"], "beat_ms": 50}` | these agents beacon from now on |
//! | `{"agent": {"paw": "new1", "group": "red-lab", "platform": "linux", "executors": ["sh"]}}` | a new agent comes and beacons |
//! | `{"rest": true}` | no agent beacons any more |
//! | `{"catalogue": "large"}` | 1,985 abilities instead of 48 |
//!
//! A reset takes all of it back. Every misbehaviour is an agent, too: `misbehaves-gzip-bomb` is the first agent's answer, spoilt so.

mod answer;
mod beacon;
mod catalogue;
mod clock;
mod link;
mod object;
mod operation;
mod planner;
mod requests;
mod simulated;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::http::{Request, Response};
use crate::misbehaviour::{Kind as Misbehaving, Misbehaviour};
use crate::{Reply, Upstream};
use answer::{Fault, NO_METHOD, NO_ROUTE, TROUBLE, UNAUTHORIZED};
use beacon::Profile;
use object::Access;
use requests::Linked;
use state::State;

/// The red team's key, as Caldera comes with it.
pub const RED_KEY: &str = "ADMIN123";
/// The blue team's key, as Caldera comes with it.
pub const BLUE_KEY: &str = "BLUEADMIN123";

const PREFIX: &str = "/api/v2/";
/// How the paws begin of the agents that stand for a misbehaviour.
const MISBEHAVES: &str = "misbehaves-";

/// The fake service.
#[derive(Debug)]
pub struct Caldera {
    red_key: String,
    state: Arc<Mutex<State>>,
    beacons: Mutex<Vec<AbortHandle>>,
}

/// An order of the control listener; exactly one of `simulate`, `agent`, `rest` and `catalogue`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    simulate: Vec<String>,
    beat_ms: Option<u64>,
    agent: Option<Profile>,
    #[serde(default)]
    rest: bool,
    catalogue: Option<Size>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Size {
    Small,
    Large,
}

impl Caldera {
    /// A fresh one, with a red team's key of its operator's choosing.
    #[must_use]
    pub fn new(red_key: String) -> Self {
        Caldera { red_key, state: Arc::new(Mutex::new(State::new())), beacons: Mutex::default() }
    }

    /// Let every agent that there is beacon, each as often as `beat`.
    pub fn simulate_all(&self, beat: Duration) {
        let paws: Vec<String> = self.state().agents.iter().map(|agent| agent.paw.clone()).collect();
        paws.iter().filter_map(|paw| self.profile(paw)).for_each(|profile| self.simulate(profile, beat));
    }

    fn simulate(&self, profile: Profile, beat: Duration) {
        let handle = simulated::start(&self.state, profile, beat);
        self.beacons.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }

    fn rest(&self) {
        self.beacons.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|handle| handle.abort());
    }

    fn profile(&self, paw: &str) -> Option<Profile> {
        self.state().agent(paw).map(|agent| Profile {
            paw: Some(agent.paw.clone()),
            group: agent.group.clone(),
            platform: agent.platform.clone(),
            executors: agent.executors.clone(),
            host: agent.host.clone(),
            username: agent.username.clone(),
            privilege: agent.privilege.clone(),
            pid: agent.pid,
            results: Vec::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose key a request has.
    fn access(&self, request: &Request) -> Option<Access> {
        match request.header("key") {
            Some(key) if key == self.red_key => Some(Access::Red),
            Some(BLUE_KEY) => Some(Access::Blue),
            _ => None,
        }
    }

    fn route(&self, request: &Request) -> Result<Reply, Fault> {
        let (method, path) = (request.method.as_str(), request.path());
        let access = self.access(request);
        match path {
            "/beacon" if method == "POST" => {
                return self.state().beacon(&request.body).map(|text| answer::plain(200, &text).into());
            }
            // It says so whatever it is asked to run, and where.
            "/plugin/access/exploit" if method == "POST" => {
                let login = || answer::empty(302).with_header("location", "/login");
                return Ok(access.map_or_else(login, |_| answer::ok(200, &json!("complete"))).into());
            }
            _ => {}
        }
        if !path.starts_with(PREFIX) {
            return Err(NO_ROUTE);
        }
        let access = access.ok_or(UNAUTHORIZED)?;
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().skip(2).map(String::as_str).collect();
        let mut state = self.state();
        let reply = dispatch(&mut state, method, &segments, access, request);
        state.advance();
        reply
    }
}

fn dispatch(state: &mut State, method: &str, segments: &[&str], access: Access, request: &Request) -> Result<Reply, Fault> {
    let body = request.body.as_slice();
    let value = match (method, segments) {
        ("GET", ["health"]) => health(access),
        ("GET", ["config", "main"]) => config(),
        ("POST", ["operations"]) => state.create_operation(body, access)?,
        ("PATCH", ["operations", id]) => state.update_operation(id, body, access)?,
        ("POST", ["operations", id, "report"]) => state.report(id, body, access, false)?,
        ("POST", ["operations", id, "event-logs"]) => state.report(id, body, access, true)?,
        ("GET", ["operations", id, "links"]) => state.operation_for(id, access)?.chain.iter().map(link::Link::display).collect(),
        ("GET", ["operations", id, "links", link]) => state.chain_link(id, link, access)?.display(),
        ("GET", ["operations", id, "links", link, "result"]) => state.result(id, link, access)?,
        ("POST", ["operations", id, "potential-links"]) => {
            return Ok(match state.link(id, body, access)? {
                Linked::Now(link) => answer::ok(200, &link).into(),
                Linked::Later(answer) => Reply::held(answer),
            });
        }
        ("POST", ["adversaries"]) => state.create_adversary(body)?,
        ("GET", ["agents", paw]) if misbehaviour(paw).is_some() => {
            let honest = state.agents.first().map(object::Agent::display).unwrap_or_default();
            return Ok(Reply { misbehaviour: misbehaviour(paw), ..answer::ok(200, &honest).into() });
        }
        ("GET", [collection]) => state.list(collection, access, request).ok_or(NO_ROUTE)?,
        ("GET", [collection, id]) => state.one(collection, id, access, request).ok_or(NO_ROUTE)??,
        ("DELETE", [collection, id]) => {
            return state.delete(collection, id, access).ok_or(NO_METHOD)?.map(|()| answer::empty(204).into());
        }
        (_, [_] | [_, _]) => return Err(NO_METHOD),
        _ => return Err(NO_ROUTE),
    };
    Ok(answer::ok(200, &value).into())
}

/// The misbehaviour that an agent stands for.
fn misbehaviour(paw: &str) -> Option<Misbehaviour> {
    let name = paw.strip_prefix(MISBEHAVES)?;
    Misbehaving::ALL.iter().find(|kind| kind.name() == name).map(|kind| Misbehaviour::from(*kind))
}

fn health(access: Access) -> Value {
    let access = if access == Access::Red { "RED" } else { "BLUE" };
    let plugins = ["access", "atomic", "response", "sandcat", "stockpile"];
    let plugins: Vec<Value> = plugins.iter().map(|name| json!({ "name": name, "enabled": true })).collect();
    json!({ "application": "Caldera", "version": "5.3.0", "access": access, "plugins": plugins })
}

/// Passwords and keys in clear, for every key that may log in.
fn config() -> Value {
    json!({
        "ability_refresh": 60, "app.contact.ftp.pword": "caldera", "app.contact.ftp.user": "caldera_user",
        "app.contact.slack.api_key": "SLACK_TOKEN", "app.contact.tunnel.ssh.user_name": "sandcat",
        "app.contact.tunnel.ssh.user_password": "s4ndc4t!", "app.contact.gist": "API_KEY", "host": "0.0.0.0", "port": 8888,
        "plugins": ["access", "atomic", "response", "sandcat", "stockpile"],
    })
}

impl Upstream for Caldera {
    fn name(&self) -> &'static str {
        "caldera"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        self.route(request).unwrap_or_else(|fault| Response::from(fault).into())
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let fault = match code {
            "Unauthorized" => UNAUTHORIZED,
            "NotFound" => NO_ROUTE,
            "InternalServerError" => TROUBLE,
            _ => return None,
        };
        Some(fault.into())
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        let order: Order = serde_json::from_slice(order).map_err(|error| error.to_string())?;
        let beat = order.beat_ms.map_or(simulated::BEAT, Duration::from_millis);
        match order {
            Order { simulate, agent: None, rest: false, catalogue: None, .. } if !simulate.is_empty() => {
                let profile = |paw: &String| self.profile(paw).ok_or_else(|| format!("there is no agent `{paw}`"));
                let profiles = simulate.iter().map(profile).collect::<Result<Vec<_>, _>>()?;
                profiles.into_iter().for_each(|profile| self.simulate(profile, beat));
            }
            Order { simulate, agent: Some(profile), rest: false, catalogue: None, .. } if simulate.is_empty() => {
                self.simulate(profile, beat);
            }
            Order { simulate, agent: None, rest: true, catalogue: None, .. } if simulate.is_empty() => self.rest(),
            Order { simulate, agent: None, rest: false, catalogue: Some(size), .. } if simulate.is_empty() => {
                self.state().abilities = match size {
                    Size::Small => catalogue::abilities(),
                    Size::Large => catalogue::large(),
                };
            }
            _ => return Err("an order has exactly one of `simulate`, `agent`, `rest` and `catalogue`".to_owned()),
        }
        Ok(())
    }

    fn reset(&self) {
        self.rest();
        *self.state() = State::new();
    }
}
