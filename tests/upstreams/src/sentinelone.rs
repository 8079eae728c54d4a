//! SentinelOne: the management API 2.1 and the data lake's long running queries, on one host as the original has them.
//!
//! Two accounts with three sites, four agents, a few threats and a few events. What surprises:
//!
//! - the management API takes `ApiToken`, the data lake the same token as `Bearer`; with `ApiToken` the lake answers 500;
//! - filters are joined by *and*, and whatever is left out of one widens it: a list without `siteIds` is of every site, and an action whose
//!   filter is empty is for every agent;
//! - an action says how many it affected, and 0 is a success;
//! - a query needs `tenant: true`, or `tenant: false` and accounts; with both it is refused, with neither it finds nothing;
//! - a query is asked for with the header of its first answer, is gone once it is deleted, and calls its steps by one of two names;
//! - a query is not of one site: `union`, `join`, `dataset` and a pipe in parentheses see every event of the account, and an `or` behind
//!   the site's filter does, too.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The token the fake takes when it is not told another.
pub const DEFAULT_KEY: &str = "service-user-token-of-the-fake";

const TAG: &str = "x-dataset-query-forward-tag";

/// Account and site.
const SITES: [(&str, &str); 3] = [("100", "1001"), ("100", "1002"), ("200", "2001")];

/// Agent, site, computer, network.
const AGENTS: [(&str, &str, &str, &str); 4] = [
    ("501", "1001", "WIN-7", "connected"),
    ("502", "1001", "WIN-8", "connected"),
    ("503", "1002", "DC-1", "connected"),
    ("504", "2001", "OTHER", "connected"),
];

/// The fake service.
#[derive(Debug)]
pub struct SentinelOne {
    key: Key,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Agents off the network.
    isolated: Vec<String>,
    /// Threat and action, in order.
    mitigated: Vec<(String, String)>,
    queries: Vec<Running>,
    launched: usize,
    /// How often a query is asked for until it is done.
    polls: u32,
    /// Calls the steps by their other name.
    renamed: bool,
}

#[derive(Debug)]
struct Running {
    id: String,
    tag: String,
    polls: u32,
    table: Value,
}

/// What a test wants: `{"polls": 3}`, `{"renamed": true}`, or a key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    polls: Option<u32>,
    renamed: Option<bool>,
}

impl Default for SentinelOne {
    fn default() -> Self {
        SentinelOne { key: Key::new(DEFAULT_KEY), state: Mutex::new(State { polls: 2, ..State::default() }) }
    }
}

fn account(site: &str) -> &'static str {
    SITES.iter().find(|(_, known)| *known == site).map_or("", |(account, _)| account)
}

/// Thirty threats on the first agent, and one on each other.
fn threats(state: &State) -> Vec<Value> {
    let first = (0..30).map(|at| (format!("9{at:03}"), 0));
    let others = (1..AGENTS.len()).map(|at| (format!("9{}00", at), at));
    first.chain(others).filter_map(|(id, agent)| AGENTS.get(agent).map(|agent| threat(&id, *agent, state))).collect()
}

fn threat(id: &str, (agent, site, computer, _): (&str, &str, &str, &str), state: &State) -> Value {
    let done: Vec<Value> = state
        .mitigated
        .iter()
        .filter(|(threat, _)| threat == id)
        .map(|(_, action)| json!({ "action": action, "status": "success", "mitigationStartedAt": "2026-11-20T08:00:00.000000Z" }))
        .collect();
    let status = if done.is_empty() { "not_mitigated" } else { "mitigated" };
    json!({
        "id": id,
        "agentDetectionInfo": { "accountId": account(site), "siteId": site, "agentDomain": "corp.example", "agentOsName": "Windows 11 Pro" },
        "agentRealtimeInfo": {
            "accountId": account(site), "siteId": site, "siteName": format!("site {site}"), "agentId": agent,
            "agentComputerName": computer, "agentOsName": "Windows 11 Pro", "agentNetworkStatus": network(agent, state),
        },
        "threatInfo": {
            "threatId": id, "threatName": format!("dropper-{id}.exe"), "classification": "Malware", "confidenceLevel": "malicious",
            "mitigationStatus": status, "incidentStatus": "unresolved", "analystVerdict": "undefined",
            "createdAt": "2026-11-19T10:00:00.000000Z", "sha1": "3395856ce81f2b7382dee72602f798b642f14140",
            "filePath": format!("\\Device\\HarddiskVolume3\\Users\\ana\\Downloads\\dropper-{id}.exe"),
            "originatorProcess": "outlook.exe", "processUser": "CORP\\ana", "maliciousProcessArguments": "-enc SQBFAFgA",
            "storyline": "F5BA787CED1FF38A",
        },
        "mitigationStatus": done,
        "indicators": [{ "category": "Evasion", "description": "Obfuscated PowerShell command was detected", "ids": [5] }],
    })
}

fn network<'a>(agent: &str, state: &State) -> &'a str {
    if state.isolated.iter().any(|isolated| isolated == agent) { "disconnected" } else { "connected" }
}

/// What a filter wants of one member: `a,b` in a query, `["a", "b"]` in a body. Nothing wanted is nothing excluded.
fn wants(wanted: &[String], value: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
}

fn parameter(request: &Request, name: &str) -> Vec<String> {
    request.parameter(name).map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

fn member(filter: &Value, name: &str) -> Vec<String> {
    filter[name].as_array().into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn error(status: u16, code: u32, title: &str) -> Response {
    Response::json(status, &json!({ "errors": [{ "code": code, "detail": "of the fake", "title": title }] }))
}

fn list(all: &[Value], request: &Request) -> Response {
    let limit = request.parameter("limit").and_then(|text| text.parse().ok()).unwrap_or(10_usize);
    let from = match request.parameter("cursor") {
        None => 0,
        Some(cursor) => match cursor.strip_prefix("from").and_then(|text| text.parse().ok()) {
            Some(from) => from,
            None => return error(400, 4_000_040, "Bad Request"),
        },
    };
    let next = (from + limit < all.len()).then(|| format!("from{}", from + limit));
    let here: Vec<&Value> = all.iter().skip(from).take(limit).collect();
    Response::json(200, &json!({ "data": here, "pagination": { "nextCursor": next, "totalItems": all.len() } }))
}

impl SentinelOne {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn console(&self, request: &Request, path: &str) -> Response {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("ApiToken "));
        if !self.key.is(token) {
            return error(401, 4_010_010, "Authentication Failed");
        }
        let mut state = self.state();
        match (request.method.as_str(), path) {
            ("GET", "threats") => {
                let mut all = threats(&state);
                for (name, pointer) in [
                    ("ids", "/id"),
                    ("siteIds", "/agentRealtimeInfo/siteId"),
                    ("mitigationStatuses", "/threatInfo/mitigationStatus"),
                    ("incidentStatuses", "/threatInfo/incidentStatus"),
                    ("contentHashes", "/threatInfo/sha1"),
                ] {
                    let wanted = parameter(request, name);
                    all.retain(|threat| wants(&wanted, threat.pointer(pointer).and_then(Value::as_str).unwrap_or_default()));
                }
                let part = request.parameter("computerName__contains").unwrap_or_default();
                all.retain(|threat| {
                    threat["agentRealtimeInfo"]["agentComputerName"].as_str().unwrap_or_default().contains(&part)
                });
                let since = request.parameter("createdAt__gte").unwrap_or_default();
                all.retain(|threat| threat["threatInfo"]["createdAt"].as_str().unwrap_or_default() >= since.as_str());
                list(&all, request)
            }
            ("GET", "agents") => {
                let (ids, sites) = (parameter(request, "ids"), parameter(request, "siteIds"));
                let here = AGENTS.iter().filter(|(id, site, ..)| wants(&ids, id) && wants(&sites, site));
                let all: Vec<Value> = here
                    .map(|(id, site, computer, _)| {
                        json!({ "id": id, "siteId": site, "accountId": account(site), "computerName": computer, "isActive": true,
                            "osName": "Windows 11 Pro", "networkStatus": network(id, &state) })
                    })
                    .collect();
                list(&all, request)
            }
            ("POST", "agents/actions/disconnect") => {
                let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
                    return error(400, 4_000_010, "Bad Request");
                };
                if !body["filter"].is_object() {
                    return error(400, 4_000_010, "Validation Error");
                }
                let (ids, sites) = (member(&body["filter"], "ids"), member(&body["filter"], "siteIds"));
                let hit = AGENTS.iter().filter(|(id, site, ..)| wants(&ids, id) && wants(&sites, site));
                let hit: Vec<String> = hit.map(|(id, ..)| (*id).to_owned()).collect();
                let affected = hit.len();
                state.isolated.extend(hit);
                Response::json(200, &json!({ "data": { "affected": affected } }))
            }
            ("POST", path) => {
                let Some(action) = path.strip_prefix("threats/mitigate/") else { return error(404, 4_040_010, "Not Found") };
                if !["kill", "quarantine", "remediate", "rollback-remediation", "un-quarantine"].contains(&action) {
                    return error(404, 4_040_010, "Not Found");
                }
                let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
                    return error(400, 4_000_010, "Bad Request");
                };
                let filter = &body["filter"];
                let (ids, sites, agents) = (member(filter, "ids"), member(filter, "siteIds"), member(filter, "agentIds"));
                let hit: Vec<String> = threats(&state)
                    .iter()
                    .filter(|threat| {
                        let realtime = &threat["agentRealtimeInfo"];
                        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                        wants(&ids, &text(&threat["id"]))
                            && wants(&sites, &text(&realtime["siteId"]))
                            && wants(&agents, &text(&realtime["agentId"]))
                    })
                    .filter_map(|threat| threat["id"].as_str().map(str::to_owned))
                    .collect();
                let affected = hit.len();
                state.mitigated.extend(hit.into_iter().map(|id| (id, action.to_owned())));
                Response::json(200, &json!({ "data": { "affected": affected } }))
            }
            _ => error(404, 4_040_010, "Not Found"),
        }
    }

    fn lake(&self, request: &Request, path: &str) -> Response {
        let authorization = request.header("authorization").unwrap_or_default();
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            let begins: String = authorization.chars().take(6).collect();
            let message = format!("Header must start with Bearer, but actually starts with \"{begins}\"");
            return Response::json(500, &json!({ "message": message }));
        };
        if !self.key.is(Some(token)) {
            return Response::json(401, &json!({ "message": "Unauthorized" }));
        }
        let mut state = self.state();
        let id = path.strip_prefix('/').unwrap_or_default();
        match request.method.as_str() {
            "POST" if path.is_empty() => launch(&mut state, request),
            "GET" | "DELETE" => {
                let tag = request.header(TAG).unwrap_or_default();
                let Some(at) = state.queries.iter().position(|query| query.id == id && query.tag == tag) else {
                    return Response::json(404, &json!({ "message": "no such query here" }));
                };
                if request.method == "DELETE" {
                    state.queries.remove(at);
                    return Response::empty(204);
                }
                let State { queries, polls, renamed, .. } = &mut *state;
                let query = &mut queries[at];
                query.polls += 1;
                Response::json(200, &progress(query, *polls, *renamed))
            }
            _ => Response::json(404, &json!({ "message": "not found" })),
        }
    }
}

/// How far a query is.
fn progress(query: &Running, polls: u32, renamed: bool) -> Value {
    let total = polls.max(1);
    let completed = if query.polls >= polls { total } else { query.polls };
    let data = if completed == total { query.table.clone() } else { Value::Null };
    let mut answer = json!({ "id": query.id, "stepsCompleted": completed, "cpuUsage": 3, "data": data });
    answer[if renamed { "totalSteps" } else { "stepsTotal" }] = total.into();
    answer
}

fn launch(state: &mut State, request: &Request) -> Response {
    let refused = |message: &str| Response::json(400, &json!({ "message": message }));
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return refused("invalid JSON") };
    if body["queryType"] != "PQ" {
        return refused("Query type must be specified");
    }
    let accounts = member(&body, "accountIds");
    if body["tenant"] == true && !accounts.is_empty() {
        return refused("tenant=false should be used when querying accountIds");
    }
    let Some(query) = body["pq"]["query"].as_str().filter(|_| body["pq"]["resultType"] == "TABLE") else {
        return refused("no query");
    };
    if query.contains("Unknown") {
        return refused("Unknown function");
    }
    let everything = body["tenant"] == true;
    let seen = SITES.iter().filter(|(account, _)| everything || accounts.iter().any(|known| known == account));
    let sites: Vec<&str> = seen.map(|(_, site)| *site).collect();
    let table = answer(query, &sites);
    state.launched += 1;
    let (id, tag) = (format!("q{:04}:of.fake", state.launched), format!("G/shard-{}", state.launched));
    let running = Running { id, tag, polls: 0, table };
    let response = Response::json(200, &progress(&running, state.polls, state.renamed))
        .with_header("X-Dataset-Query-Forward-Tag", running.tag.clone());
    state.queries.push(running);
    response
}

/// The events that a query finds among those of these sites: two an agent. Of the language, this knows the site's filter, where it may
/// be, what gets past it, and a last limit.
fn answer(query: &str, sites: &[&str]) -> Value {
    let bare = without_texts(query);
    let rest = query.strip_prefix("(site.id = '").and_then(|rest| rest.split_once("')"));
    let held = rest.filter(|(_, rest)| rest.starts_with(" and (") || rest.starts_with(" | "));
    let first = bare.split('|').next().unwrap_or_default();
    let loose = ["union", "join", "dataset", "lookup", "datasource"].iter().any(|word| bare.contains(word))
        || pipe_in_parentheses(&bare)
        || first.split_once(") and (").is_some_and(|(_, own)| escapes(own));
    let of_site = |site: &str| match held {
        Some((wanted, _)) if !loose => wanted == site,
        _ => true,
    };
    let limit = query.rsplit_once("| limit ").and_then(|(_, rows)| rows.trim().parse().ok()).unwrap_or(1_000_usize);
    let here: Vec<Value> = AGENTS
        .iter()
        .filter(|(_, site, ..)| sites.contains(site) && of_site(site))
        .flat_map(|(agent, site, computer, _)| {
            [json!([computer, site, "powershell.exe -enc SQBFAFgA", 4104.0]), json!([computer, site, agent, null])]
        })
        .collect();
    let columns =
        ["endpoint.name", "site.id", "src.process.cmdline", "event.id"].map(|name| json!({ "name": name, "cellType": "STRING" }));
    let found = here.len();
    let values: Vec<Value> = here.into_iter().take(limit).collect();
    json!({ "columns": columns, "values": values, "matchCount": found, "partialResultsDueToTimeLimit": false, "warnings": [] })
}

/// The query with nothing in its texts.
fn without_texts(query: &str) -> String {
    let mut bare = String::new();
    let mut quote = None;
    let mut letters = query.chars();
    while let Some(letter) = letters.next() {
        match quote {
            None => {
                bare.push(letter);
                quote = matches!(letter, '\'' | '"').then_some(letter);
            }
            Some(end) if letter == end => {
                bare.push(letter);
                quote = None;
            }
            Some(_) if letter == '\\' => drop(letters.next()),
            Some(_) => {}
        }
    }
    bare
}

fn pipe_in_parentheses(bare: &str) -> bool {
    let mut depth = 0_i32;
    bare.chars().any(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == '|' && depth > 0
    })
}

/// Whether the parenthesis that a text is in ends before its last one does.
fn escapes(own: &str) -> bool {
    let own = own.trim_end();
    let mut depth = 1_i32;
    own.char_indices().any(|(at, letter)| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0 && at + 1 < own.len()
    })
}

impl Upstream for SentinelOne {
    fn name(&self) -> &'static str {
        "sentinelone"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        if let Some(path) = request.path().strip_prefix("/web/api/v2.1/") {
            return self.console(request, path).into();
        }
        let path = percent_encoding::percent_decode_str(request.path()).decode_utf8_lossy().into_owned();
        match path.strip_prefix("/sdl/v2/api/queries") {
            Some(path) => self.lake(request, path).into(),
            None => error(404, 4_040_010, "Not Found").into(),
        }
    }

    fn failure(&self, code: &str) -> Option<Response> {
        match code {
            "bad-request" => Some(error(400, 4_000_040, "Bad Request")),
            "unauthorized" => Some(error(401, 4_010_010, "Authentication Failed")),
            "forbidden" => Some(error(403, 4_030_010, "Insufficient permissions")),
            "not-found" => Some(error(404, 4_040_010, "Not Found")),
            "too-many" => Some(error(429, 4_290_010, "Too many requests").with_header("retry-after", "5")),
            "broken" => Some(error(500, 5_000_010, "Server could not process the request")),
            _ => None,
        }
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        let Ok(Order { polls, renamed }) = serde_json::from_slice(order) else { return self.key.tell(order) };
        let mut state = self.state();
        state.polls = polls.unwrap_or(state.polls);
        state.renamed = renamed.unwrap_or(state.renamed);
        Ok(())
    }

    fn reset(&self) {
        *self.state() = State { polls: 2, ..State::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(query: &str) -> Vec<String> {
        let table = answer(query, &["1001", "1002"]);
        let mut sites: Vec<String> =
            table["values"].as_array().into_iter().flatten().map(|row| row[1].as_str().unwrap_or_default().to_owned()).collect();
        sites.dedup();
        sites
    }

    /// Otherwise a test of what stays in a site would prove nothing.
    #[test]
    fn a_query_sees_what_it_is_not_kept_from() {
        for held in [
            "(site.id = '1001') | limit 10",
            "(site.id = '1001') and (a = 'x) or (y') | limit 10",
            "(site.id = '1001') and (a contains 'union (b | c)' or (b = 1)) | filter c | limit 10",
        ] {
            assert_eq!(sites(held), ["1001"], "{held}");
        }
        for loose in [
            "a = 1",
            "site.id = '1001' or true",
            "(site.id = '1001') or (true)",
            "(site.id = '1001') and (a = 1) or (b = 2) | limit 10",
            "(site.id = '1001') and (a in (b = 1 | columns a)) | limit 10",
            "(site.id = '1001') | union (b = 1) | limit 10",
            "(site.id = '1001') | let x = (a | b) | limit 10",
            "a = 1 and (site.id = '1001')",
        ] {
            assert_eq!(sites(loose), ["1001", "1002"], "{loose}");
        }
        assert_eq!(answer("a | limit 1", &["1001"])["values"].as_array().map(Vec::len), Some(1));
        assert!(sites("(site.id = '2001') | limit 10").is_empty(), "another account's");
    }
}
