//! CrowdSec's local API as version 1.4.6 has it: <https://docs.crowdsec.net/docs/local_api/intro>.
//!
//! Decisions and the alerts that made them. The tests ask the real one, too; this one can be told to lie. What surprises:
//!
//! - a machine whose `User-Agent` is not `product/version` gives the wrong password;
//! - bouncers read decisions by a key, machines write alerts by a token that they get for a password, and neither may do the other's;
//! - where there is nothing, an answer is `null`;
//! - what is wrong with a request is said with status 500;
//! - a query parameter that is not known is passed over by what reads, and refused by what deletes;
//! - posting an alert is answered with the alert's number, as a text in a list, whatever has become of its decisions;
//! - a decision lasts from the alert's `stop_at` on; what is no time there is now, and here it always is.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The bouncer's key, and the machines' password, that the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "key-of-the-fake-bouncer-and-machine";
/// The machines that it knows.
const MACHINES: [&str; 2] = ["casemate", "casemate-firewall"];
/// What every token begins with; a number follows.
const TOKEN: &str = "token-of-the-fake-machine-";
/// Members that an alert must have.
const REQUIRED: [&str; 11] = [
    "capacity",
    "events",
    "events_count",
    "leakspeed",
    "message",
    "scenario",
    "scenario_hash",
    "scenario_version",
    "simulated",
    "source",
    "start_at",
];

/// The fake service.
#[derive(Debug)]
pub struct CrowdSec {
    key: Key,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    decisions: Vec<Decision>,
    alerts: u64,
    tokens: u64,
    /// Tokens up to this one are taken no more.
    ended: u64,
}

#[derive(Debug)]
struct Decision {
    alert: u64,
    origin: String,
    scenario: String,
    scope: String,
    kind: String,
    value: String,
    until: Until,
}

/// When a decision ends, or ended.
#[derive(Debug, Clone, Copy)]
struct Until(Instant);

impl Default for CrowdSec {
    fn default() -> Self {
        CrowdSec { key: Key::new(DEFAULT_KEY), state: Mutex::default() }
    }
}

/// `{"decide": {"value": "1.1.1.1", "origin": "cscli", "type": "ban", "seconds": 60}}`, or `{"end_tokens": {}}`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    Decide { value: String, origin: String, r#type: String, seconds: u64 },
    EndTokens {},
}

impl CrowdSec {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_in(&self, request: &Request) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let known = MACHINES.iter().any(|machine| body["machine_id"] == *machine) && self.key.is(body["password"].as_str());
        // As the real one does, which says no more, either.
        let versioned = request.header("user-agent").is_some_and(|agent| agent.split('/').count() == 2);
        if !(known && versioned) {
            return Response::json(401, &json!({ "code": 401, "message": "incorrect Username or Password" }));
        }
        let mut state = self.state();
        state.tokens += 1;
        Response::json(
            200,
            &json!({ "code": 200, "expire": "2099-01-01T00:00:00Z", "token": format!("{TOKEN}{}", state.tokens) }),
        )
    }

    /// Whether this is a token that was handed out.
    fn is_machine(&self, request: &Request) -> bool {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let number = token.and_then(|token| token.strip_prefix(TOKEN)?.parse::<u64>().ok());
        let state = self.state();
        number.is_some_and(|number| state.ended < number && number <= state.tokens)
    }

    fn post(&self, request: &Request) -> Response {
        let Ok(Value::Array(alerts)) = serde_json::from_slice(&request.body) else {
            return failed("json: cannot unmarshal into Go value of type models.AddAlertsRequest");
        };
        let missing = |alert: &Value| REQUIRED.iter().chain(&["stop_at"]).find(|name| alert.get(name).is_none()).copied();
        if let Some((at, name)) = alerts.iter().enumerate().find_map(|(at, alert)| Some((at, missing(alert)?))) {
            return failed(&format!("validation failure list:\n{at}.{name} in body is required"));
        }
        let mut state = self.state();
        let mut numbers = Vec::new();
        for alert in &alerts {
            state.alerts += 1;
            let number = state.alerts;
            numbers.push(number.to_string());
            for decision in alert["decisions"].as_array().into_iter().flatten() {
                let text = |name: &str| decision[name].as_str().unwrap_or_default().to_owned();
                let Some(lasts) = minutes(&text("duration")) else { return failed("unable to parse duration") };
                if network(&text("value")).is_none() {
                    return failed("unable to convert to int: invalid address: invalid ip address / range");
                }
                state.decisions.push(Decision {
                    alert: number,
                    origin: text("origin"),
                    scenario: text("scenario"),
                    scope: text("scope"),
                    kind: text("type"),
                    value: text("value"),
                    until: Until(Instant::now() + lasts),
                });
            }
        }
        Response::json(201, &json!(numbers))
    }

    fn decided(&self, request: &Request) -> Response {
        let about = match request.parameter("ip").or_else(|| request.parameter("range")) {
            None => None,
            Some(text) => match network(&text) {
                None => return not_an_address(&text),
                found => found,
            },
        };
        let state = self.state();
        let found = state.decisions.iter().enumerate().filter(|(_, decision)| {
            decision.until.is_ahead()
                && about.is_none_or(|about| decision.is_about(about))
                && decision.fits("origins", request)
                && decision.fits("scopes", request)
                && decision.fits("value", request)
                && decision.fits("type", request)
        });
        let found: Vec<Value> = found.map(|(at, decision)| decision.shown(at)).collect();
        Response::json(200, &if found.is_empty() { Value::Null } else { json!(found) })
    }

    fn alerts(&self, request: &Request) -> Response {
        let text = request.parameter("ip").unwrap_or_default();
        let Some(about) = network(&text) else { return not_an_address(&text) };
        let state = self.state();
        let of_it = state.decisions.iter().enumerate().filter(|(_, decision)| decision.is_about(about));
        let found: Vec<Value> = of_it
            .map(|(at, decision)| {
                json!({ "capacity": 5, "created_at": format!("2024-11-05T09:38:{:02}Z", decision.alert % 60), "events": null,
                    "decisions": [decision.shown(at)], "events_count": 6, "id": decision.alert, "labels": null, "leakspeed": "10s",
                    "machine_id": MACHINES[0], "message": "", "scenario": decision.scenario, "scenario_hash": "", "simulated": false,
                    "source": { "as_name": "Stiftung Erneuerbare Freiheit", "cn": "DE", "range": "185.220.101.0/24",
                        "scope": decision.scope, "value": decision.value } })
            })
            .collect();
        Response::json(200, &if found.is_empty() { Value::Null } else { json!(found) })
    }

    fn delete(&self, request: &Request) -> Response {
        const KNOWN: [&str; 7] = ["ip", "range", "scopes", "value", "type", "origin", "scenario"];
        if let Some((name, _)) = request.parameters().find(|(name, _)| !KNOWN.contains(&name.as_ref())) {
            return failed(&format!("'{name}' doesn't exist: invalid filter"));
        }
        let mut state = self.state();
        let fits = |decision: &&mut Decision| {
            decision.until.is_ahead()
                && ["scopes", "value", "type", "origin", "scenario"].iter().all(|name| decision.fits(name, request))
                && request.parameter("ip").is_none_or(|text| network(&text).is_some_and(|about| decision.is_about(about)))
        };
        // It stays, and is over: so a bouncer learns of it.
        let ended = state.decisions.iter_mut().filter(fits).map(|decision| decision.until = Until(Instant::now())).count();
        Response::json(200, &json!({ "nbDeleted": ended.to_string() }))
    }
}

impl Decision {
    fn is_about(&self, (first, last): (u128, u128)) -> bool {
        network(&self.value).is_some_and(|(from, to)| from <= first && last <= to)
    }

    /// Whether it is one of those that a parameter asks for, where it is there.
    fn fits(&self, name: &str, request: &Request) -> bool {
        let own = match name {
            "origin" | "origins" => &self.origin,
            "scopes" => &self.scope,
            "value" => &self.value,
            "type" => &self.kind,
            _ => &self.scenario,
        };
        request.parameter(name).is_none_or(|asked| asked.split(',').any(|one| one.eq_ignore_ascii_case(own)))
    }

    fn shown(&self, at: usize) -> Value {
        json!({ "duration": self.until.left(), "id": at + 1, "origin": self.origin, "scenario": self.scenario, "scope": self.scope,
            "type": self.kind, "value": self.value })
    }
}

impl Until {
    fn is_ahead(self) -> bool {
        self.0 > Instant::now()
    }

    /// As Go writes it.
    fn left(self) -> String {
        let (sign, left) = match self.0.checked_duration_since(Instant::now()) {
            Some(left) => ("", left),
            None => ("-", self.0.elapsed()),
        };
        let seconds = left.as_secs();
        format!("{sign}{}h{}m{}.{:09}s", seconds / 3_600, seconds / 60 % 60, seconds % 60, left.subsec_nanos())
    }
}

/// `30m`, `4h` or `90s`.
fn minutes(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return None,
    };
    Some(Duration::from_secs(number * seconds))
}

/// The first and the last address, IPv4 as the last of IPv6.
fn network(text: &str) -> Option<(u128, u128)> {
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().ok()?;
    let (bits, width) = match address {
        IpAddr::V4(address) => (0xffff_0000_0000 | u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let prefix: u32 = if prefix.is_empty() { width } else { prefix.parse().ok().filter(|prefix| *prefix <= width)? };
    let size = 1_u128.checked_shl(width - prefix).map_or(u128::MAX, |size| size - 1);
    Some((bits & !size, bits | size))
}

impl Upstream for CrowdSec {
    fn name(&self) -> &'static str {
        "crowdsec"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let is_bouncer = self.key.is(request.header("x-api-key"));
        let forbidden = || Response::json(403, &json!({ "message": "access forbidden" }));
        let not_in = || Response::json(401, &json!({ "code": 401, "message": "cookie token is empty" }));
        match (request.method.as_str(), request.path()) {
            ("POST", "/v1/watchers/login") => self.log_in(request),
            ("GET", "/v1/decisions") if is_bouncer => self.decided(request),
            ("GET", "/v1/decisions") => forbidden(),
            ("GET" | "POST", "/v1/alerts") | ("DELETE", "/v1/decisions") if !self.is_machine(request) => not_in(),
            ("GET", "/v1/alerts") => self.alerts(request),
            ("POST", "/v1/alerts") => self.post(request),
            ("DELETE", "/v1/decisions") => self.delete(request),
            _ => Response::json(404, &json!({ "message": "Page or Method not found" })),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        match code {
            "forbidden" => Some(Response::json(403, &json!({ "message": "access forbidden" }))),
            "not-in" => Some(Response::json(401, &json!({ "code": 401, "message": "token is expired" }))),
            "broken" => Some(failed("unable to query: database is locked")),
            "too-many" => Some(Response::json(429, &json!({ "message": "too many requests" }))),
            _ => None,
        }
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        match serde_json::from_slice(order) {
            Ok(Order::Decide { value, origin, r#type, seconds }) => {
                let scope = if value.contains('/') { "Range" } else { "Ip" };
                let mut state = self.state();
                state.alerts += 1;
                let (alert, scenario) = (state.alerts, "crowdsecurity/ssh-bf".to_owned());
                let until = Until(Instant::now() + Duration::from_secs(seconds));
                state.decisions.push(Decision { alert, origin, scenario, scope: scope.to_owned(), kind: r#type, value, until });
                Ok(())
            }
            Ok(Order::EndTokens {}) => {
                let mut state = self.state();
                state.ended = state.tokens;
                Ok(())
            }
            Err(_) => self.key.tell(order),
        }
    }

    fn reset(&self) {
        *self.state() = State::default();
    }
}

fn failed(message: &str) -> Response {
    Response::json(500, &json!({ "message": message }))
}

fn not_an_address(text: &str) -> Response {
    failed(&format!("unable to convert '{text}' to int: invalid address: invalid ip address / range"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ask(fake: &CrowdSec, method: &str, target: &str, header: (&str, &str), body: &Value) -> (u16, Value) {
        let headers = vec![(header.0.to_owned(), header.1.as_bytes().to_vec())];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request { method: method.into(), target: target.into(), minor_version: 1, headers, body };
        let answer = fake.answer(&request, "").response;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    const BOUNCER: (&str, &str) = ("x-api-key", DEFAULT_KEY);
    const MACHINE: (&str, &str) = ("authorization", "Bearer token-of-the-fake-machine-1");

    fn alert(value: &str) -> Value {
        json!([{ "capacity": 0, "events": [], "events_count": 1, "leakspeed": "0", "message": "m", "scenario": "s", "scenario_hash": "",
            "scenario_version": "", "simulated": false, "source": { "scope": "Ip", "value": value }, "start_at": "now", "stop_at": "now",
            "decisions": [{ "duration": "30m", "origin": "casemate", "scenario": "s", "scope": "Ip", "type": "ban", "value": value }] }])
    }

    fn logged_in() -> CrowdSec {
        let fake = CrowdSec::default();
        let body = json!({ "machine_id": "casemate", "password": DEFAULT_KEY });
        let (status, answer) = ask(&fake, "POST", "/v1/watchers/login", ("user-agent", "casemate/1"), &body);
        assert_eq!(ask(&fake, "POST", "/v1/watchers/login", ("user-agent", "casemate"), &body).0, 401);
        assert_eq!((status, format!("Bearer {}", answer["token"].as_str().unwrap())), (200, MACHINE.1.to_owned()));
        fake
    }

    #[test]
    fn bouncers_read_and_machines_write() {
        let fake = logged_in();
        assert_eq!(ask(&fake, "GET", "/v1/decisions?ip=1.1.1.1", BOUNCER, &Value::Null), (200, Value::Null));
        assert_eq!(ask(&fake, "GET", "/v1/decisions?ip=1.1.1.1", MACHINE, &Value::Null).0, 403);
        assert_eq!(ask(&fake, "POST", "/v1/alerts", BOUNCER, &alert("1.1.1.1")).0, 401);
        assert_eq!(ask(&fake, "POST", "/v1/alerts", ("authorization", "Bearer x"), &alert("1.1.1.1")).0, 401);
        assert_eq!(ask(&fake, "POST", "/v1/alerts", MACHINE, &alert("1.1.1.1")), (201, json!(["1"])));
        fake.tell(br#"{"end_tokens": {}}"#).unwrap();
        assert_eq!(ask(&fake, "POST", "/v1/alerts", MACHINE, &alert("1.1.1.1")).0, 401);
    }

    #[test]
    fn what_is_decided_is_found_until_it_is_deleted() {
        let fake = logged_in();
        fake.tell(br#"{"decide": {"value": "1.1.1.0/24", "origin": "cscli", "type": "ban", "seconds": 60}}"#).unwrap();
        ask(&fake, "POST", "/v1/alerts", MACHINE, &alert("1.1.1.1"));
        let count = |target: &str| ask(&fake, "GET", target, BOUNCER, &Value::Null).1.as_array().map_or(0, Vec::len);
        for (target, expected) in [
            ("/v1/decisions?ip=1.1.1.1", 2),
            ("/v1/decisions?ip=1.1.1.2", 1),
            ("/v1/decisions?ip=1.1.2.1", 0),
            ("/v1/decisions?origins=casemate", 1),
            ("/v1/decisions?origin=casemate", 2),
        ] {
            assert_eq!(count(target), expected, "{target}");
        }
        assert_eq!(ask(&fake, "DELETE", "/v1/decisions?value=1.1.1.1&scope=Ip", MACHINE, &Value::Null).0, 500);
        let own = "/v1/decisions?value=1.1.1.1&type=ban&origin=casemate";
        assert_eq!(ask(&fake, "DELETE", own, MACHINE, &Value::Null).1, json!({ "nbDeleted": "1" }));
        assert_eq!(ask(&fake, "DELETE", own, MACHINE, &Value::Null).1, json!({ "nbDeleted": "0" }));
        assert_eq!(count("/v1/decisions?ip=1.1.1.1"), 1);
        let past = ask(&fake, "GET", "/v1/alerts?ip=1.1.1.1&limit=50", MACHINE, &Value::Null).1;
        assert!(past[1]["decisions"][0]["duration"].as_str().unwrap().starts_with('-'), "{past:#}");
    }

    #[test]
    fn what_is_wrong_is_said_with_500() {
        let fake = logged_in();
        assert_eq!(ask(&fake, "GET", "/v1/decisions?ip=here", BOUNCER, &Value::Null).0, 500);
        let mut short = alert("1.1.1.1");
        short[0].as_object_mut().unwrap().remove("capacity");
        let (status, answer) = ask(&fake, "POST", "/v1/alerts", MACHINE, &short);
        assert_eq!((status, &answer["message"]), (500, &json!("validation failure list:\n0.capacity in body is required")));
    }
}
