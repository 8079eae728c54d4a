//! MISP 2.5: events with tags and attributes of several organisations, searches, warninglists, sightings and publishing.
//!
//! What surprises:
//!
//! - the key is the whole `Authorization` header, without a scheme;
//! - whoever does not ask for JSON gets a page, and a form's answer at that;
//! - what is left out of a search widens it: without `org` it is of every organisation, and `last` counts from publishing, so what was never
//!   published is found without it only;
//! - numbers are texts, and 403 is said both of who may not and of what is not valid;
//! - the warninglists' answer is an object, and an empty list where nothing was found;
//! - adding an attribute unpublishes its event, and takes the event's distribution (5) where none is given.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The auth key the fake takes when it is not told another.
pub const DEFAULT_KEY: &str = "AuthKeyOfTheFake0123456789abcdefghijklmn";

/// The organisation of the key's user, a partner, and one that is nobody's.
pub const OURS: &str = "5e6f1c2a-0b3d-4c4e-9f5a-6b7c8d9e0f10";
/// See [`OURS`].
pub const PARTNER: &str = "55f6ea5e-2c60-40e5-964f-47a8950d210f";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

/// The fake service.
#[derive(Debug)]
pub struct Misp {
    key: Key,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    events: Vec<Event>,
    attributes: Vec<Attribute>,
    sightings: Vec<Value>,
}

#[derive(Debug, Clone)]
struct Event {
    id: u32,
    info: &'static str,
    org: (&'static str, &'static str),
    distribution: &'static str,
    published: bool,
    /// Days since it was published, where it was.
    age: u32,
    tags: &'static [&'static str],
}

#[derive(Debug, Clone)]
struct Attribute {
    id: u32,
    event: u32,
    kind: String,
    category: String,
    value: String,
    comment: String,
    to_ids: bool,
    distribution: String,
    tags: &'static [&'static str],
    object: Option<&'static str>,
}

impl Default for Misp {
    fn default() -> Self {
        Misp { key: Key::new(DEFAULT_KEY), state: Mutex::new(State::new()) }
    }
}

impl State {
    fn new() -> Self {
        let event =
            |id, info, org, distribution, published, age, tags| Event { id, info, org, distribution, published, age, tags };
        let (ours, partner, other) = ((OURS, "ACME"), (PARTNER, "CIRCL"), (OTHER, "ELSEWHERE"));
        let events = vec![
            event(1, "Phishing against our customers", ours, "1", true, 2, &["tlp:green", "type:OSINT"] as &[_]),
            event(2, "Intrusion under investigation", ours, "0", true, 2, &["TLP:RED"]),
            event(3, "Partner's campaign", partner, "3", true, 10, &["tlp:clear"]),
            event(4, "Somebody else's", other, "3", true, 1, &["tlp:green"]),
            event(5, "Draft about a loader", ours, "2", false, 0, &["tlp:amber"]),
        ];
        let attribute = |id: u32, event, kind: &str, value: &str, tags, object| Attribute {
            id,
            event,
            kind: kind.to_owned(),
            category: "Network activity".to_owned(),
            value: value.to_owned(),
            comment: String::new(),
            to_ids: true,
            distribution: "5".to_owned(),
            tags,
            object,
        };
        let none: &[&str] = &[];
        let attributes = vec![
            attribute(11, 1, "ip-dst", "198.51.100.7", none, None),
            attribute(12, 1, "domain", "login.acme.example", none, None),
            attribute(13, 1, "ip-dst", "203.0.113.66", &["tlp:red"], None),
            attribute(14, 1, "sha256", "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f", none, Some("file")),
            attribute(21, 2, "ip-dst", "198.51.100.7", none, None),
            attribute(31, 3, "ip-dst", "198.51.100.7", none, None),
            attribute(41, 4, "ip-dst", "198.51.100.7", none, None),
            attribute(51, 5, "url", "http://loader.example/a", none, None),
        ];
        Self { events, attributes, sightings: Vec::new() }
    }

    fn event(&self, name: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.id.to_string() == name || event.uuid() == name)
    }

    fn whole(&self, event: &Event) -> Value {
        let mut json = event.json(self);
        let here = || self.attributes.iter().filter(|attribute| attribute.event == event.id);
        json["Attribute"] = here().filter(|attribute| attribute.object.is_none()).map(Attribute::json).collect();
        json["Object"] = here()
            .filter_map(|attribute| {
                Some(json!({ "id": "9", "name": attribute.object?, "meta-category": "file", "Attribute": [attribute.json()] }))
            })
            .collect();
        json["RelatedEvent"] = json!([]);
        json["Galaxy"] = json!([]);
        json!({ "Event": json })
    }
}

fn tags(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "id": "1", "name": name, "colour": "#ffffff", "exportable": true, "local": 0 })).collect()
}

impl Event {
    fn uuid(&self) -> String {
        format!("5b000000-0000-4000-8000-{:012}", self.id)
    }

    fn json(&self, state: &State) -> Value {
        let (uuid, name) = self.org;
        let count = state.attributes.iter().filter(|attribute| attribute.event == self.id).count();
        json!({
            "id": self.id.to_string(), "uuid": self.uuid(), "info": self.info, "date": "2026-11-19", "threat_level_id": "2", "analysis": "1",
            "distribution": self.distribution, "published": self.published, "timestamp": "1795000000", "publish_timestamp": "1795000000",
            "attribute_count": count.to_string(), "org_id": "1", "orgc_id": "1", "sharing_group_id": "0",
            "Org": { "id": "1", "name": "ACME", "uuid": OURS }, "Orgc": { "id": "1", "name": name, "uuid": uuid }, "Tag": tags(self.tags),
        })
    }
}

impl Attribute {
    fn uuid(&self) -> String {
        format!("5a000000-0000-4000-8000-{:012}", self.id)
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(), "event_id": self.event.to_string(), "uuid": self.uuid(), "type": self.kind, "category": self.category,
            "value": self.value, "comment": self.comment, "to_ids": self.to_ids, "distribution": self.distribution, "deleted": false,
            "timestamp": "1795000000", "disable_correlation": false, "object_id": "0", "object_relation": null, "sharing_group_id": "0",
            "first_seen": null, "last_seen": null, "Tag": tags(self.tags),
        })
    }
}

/// `"a"`, `["a", "b"]` or `{"OR": […]}`, as far as it is wanted.
fn wanted(value: &Value) -> Vec<String> {
    let list = if value.is_object() { &value["OR"] } else { value };
    match list {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Whether a search finds an event. Tags are compared as a database does: without case.
fn finds(body: &Value, event: &Event, own_tags: &[&str]) -> bool {
    let orgs = wanted(&body["org"]);
    let of_org = orgs.is_empty() || orgs.iter().any(|org| org == event.org.0 || org == event.org.1);
    // The older name, and the one that it stands for.
    let last = body["last"].as_str().or(body["publish_timestamp"].as_str());
    let days = last.map(|last| match last.strip_suffix('d') {
        Some(days) => days.parse().unwrap_or(0),
        None => 1_u32,
    });
    let recent = days.is_none_or(|days| event.published && event.age <= days);
    let has = |tag: &String| event.tags.iter().chain(own_tags).any(|known| known.eq_ignore_ascii_case(tag));
    let (not, or) = (wanted(&body["tags"]["NOT"]), wanted(&body["tags"]));
    of_org && recent && !not.iter().any(has) && (or.is_empty() || or.iter().any(has))
}

fn matches(body: &Value, attribute: &Attribute) -> bool {
    let is = |name: &str, own: &str| wanted(&body[name]).is_empty() || wanted(&body[name]).iter().any(|wanted| wanted == own);
    let to_ids = match &body["to_ids"] {
        Value::Bool(flag) => *flag == attribute.to_ids,
        Value::Number(number) => (number.as_u64() == Some(1)) == attribute.to_ids,
        _ => true,
    };
    is("value", &attribute.value) && is("type", &attribute.kind) && is("category", &attribute.category) && to_ids
}

/// One page: `limit` and `page` are numbers, or texts of such.
fn page(body: &Value, all: Vec<Value>) -> Vec<Value> {
    let number =
        |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).and_then(|number| usize::try_from(number).ok());
    let Some(limit) = number(&body["limit"]) else { return all };
    all.into_iter().skip(limit * number(&body["page"]).unwrap_or(1).saturating_sub(1)).take(limit).collect()
}

fn told(status: u16, name: &str, url: &str) -> Response {
    Response::json(status, &json!({ "name": name, "message": name, "url": url }))
}

impl Misp {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self, controller: &str, body: &Value) -> Response {
        let state = self.state();
        let of = |attribute: &Attribute| state.events.iter().find(|event| event.id == attribute.event).cloned();
        if controller == "attributes" {
            let found = state.attributes.iter().filter(|attribute| matches(body, attribute)).filter_map(|attribute| {
                let event = of(attribute).filter(|event| finds(body, event, attribute.tags))?;
                let mut json = attribute.json();
                json["Event"] = json!({ "id": event.id.to_string(), "info": event.info, "org_id": "1", "orgc_id": "1", "uuid": event.uuid() });
                if body["includeEventTags"] == true || body["includeEventTags"] == 1 {
                    json["Tag"] = tags(&[attribute.tags, event.tags].concat());
                }
                Some(json)
            });
            return Response::json(200, &json!({ "response": { "Attribute": page(body, found.collect()) } }));
        }
        let asks = ["value", "type", "category"].iter().any(|name| !wanted(&body[*name]).is_empty());
        let fits = |event: &&Event| {
            let holds = state.attributes.iter().any(|attribute| attribute.event == event.id && matches(body, attribute));
            finds(body, event, &[]) && (!asks || holds)
        };
        let found = state.events.iter().filter(fits);
        let found =
            found.map(|event| if body["metadata"] == true { json!({ "Event": event.json(&state) }) } else { state.whole(event) });
        Response::json(200, &json!({ "response": page(body, found.collect()) }))
    }

    fn add(&self, event: &str, body: &Value, url: &str) -> Response {
        let mut state = self.state();
        let Some(known) = state.event(event).cloned() else { return told(404, "Invalid event", url) };
        if known.org.0 != OURS {
            return told(403, "You do not have permission to do that.", url);
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let invalid = |errors: Value| {
            let name = "Could not add Attribute";
            Response::json(403, &json!({ "saved": false, "name": name, "message": name, "url": url, "errors": errors }))
        };
        if text("value").is_empty() || text("type") == "ip-dst" && text("value").parse::<std::net::IpAddr>().is_err() {
            return invalid(json!({ "value": ["IP address has an invalid format."] }));
        }
        let same = |attribute: &Attribute| {
            attribute.event == known.id && attribute.value == text("value") && attribute.kind == text("type")
        };
        if state.attributes.iter().any(same) {
            return invalid(json!({ "value": ["A similar attribute already exists for this event."] }));
        }
        let id = 1_000 + u32::try_from(state.attributes.len()).unwrap_or(0);
        let distribution = body["distribution"]
            .as_u64()
            .map(|number| number.to_string())
            .or_else(|| body["distribution"].as_str().map(str::to_owned));
        let made = Attribute {
            id,
            event: known.id,
            kind: text("type"),
            category: text("category"),
            value: text("value"),
            comment: text("comment"),
            to_ids: body["to_ids"].as_bool().unwrap_or(true),
            distribution: distribution.unwrap_or_else(|| "5".to_owned()),
            tags: &[],
            object: None,
        };
        let json = made.json();
        state.attributes.push(made);
        state.events.iter_mut().filter(|event| event.id == known.id).for_each(|event| event.published = false);
        Response::json(200, &json!({ "Attribute": json }))
    }

    fn sight(&self, attribute: &str, body: &Value, url: &str) -> Response {
        let mut state = self.state();
        let found = state.attributes.iter().find(|known| known.id.to_string() == attribute || known.uuid() == attribute).cloned();
        let Some(found) = found else { return told(404, "Invalid attribute", url) };
        let kind = body["type"].as_str().unwrap_or("0");
        let sighting = json!({ "id": (state.sightings.len() + 1).to_string(), "attribute_id": found.id.to_string(), "event_id": found.event.to_string(),
            "org_id": "1", "date_sighting": "1795000000", "source": body["source"], "type": kind, "uuid": "5c000000-0000-4000-8000-000000000001" });
        state.sightings.push(sighting.clone());
        Response::json(200, &json!({ "Sighting": sighting }))
    }

    fn publish(&self, event: &str, url: &str) -> Response {
        let mut state = self.state();
        let Some(id) = state.event(event).map(|event| event.id) else { return told(404, "Invalid event.", url) };
        let Some(event) = state.events.iter_mut().find(|event| event.id == id) else { return told(404, "Invalid event.", url) };
        if event.org.0 != OURS {
            return told(403, "You do not have the permission to do that.", url);
        }
        event.published = true;
        let name = "Job queued";
        Response::json(
            200,
            &json!({ "saved": true, "success": true, "name": name, "message": name, "url": url, "id": event.id.to_string() }),
        )
    }
}

/// What is on some list: the values of `Warninglist`, and a public resolver.
fn warned(body: &Value) -> Response {
    let listed = |value: &str| match value {
        "8.8.8.8" => vec!["List of known IPv4 public DNS resolvers", "List of known Google IP ranges"],
        "example.com" => vec!["Top 1000 websites from Cisco Umbrella"],
        _ => Vec::new(),
    };
    let values: Vec<String> = match body {
        Value::String(text) => vec![text.clone()],
        other => other.as_array().into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
    };
    let mut hits = serde_json::Map::new();
    for value in values {
        let lists: Vec<Value> =
            listed(&value).into_iter().map(|name| json!({ "id": "7", "name": name, "matched": value })).collect();
        if !lists.is_empty() {
            hits.insert(value, lists.into());
        }
    }
    Response::json(200, &if hits.is_empty() { json!([]) } else { hits.into() })
}

fn me() -> Value {
    json!({
        "User": { "id": "7", "org_id": "1", "email": "casemate@acme.example", "role_id": "3", "autoalert": false, "disabled": false },
        "Role": { "id": "3", "name": "User", "perm_add": true, "perm_modify": true, "perm_publish": true, "perm_sighting": true, "perm_site_admin": false },
        "UserSetting": {},
        "Organisation": { "id": "1", "name": "ACME", "uuid": OURS },
    })
}

fn types() -> Value {
    let (types, categories) = (["ip-dst", "domain", "sha256", "url"], ["Network activity", "Payload delivery", "Other"]);
    let defaults: serde_json::Map<String, Value> =
        types.iter().map(|name| ((*name).to_owned(), json!({ "default_category": "Network activity", "to_ids": 1 }))).collect();
    let mapping: serde_json::Map<String, Value> = categories.iter().map(|name| ((*name).to_owned(), json!(types))).collect();
    json!({ "result": { "sane_defaults": defaults, "types": types, "categories": categories, "category_type_mappings": mapping } })
}

impl Upstream for Misp {
    fn name(&self) -> &'static str {
        "misp"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let url = request.path().to_owned();
        let key = request.header("authorization").or_else(|| request.header("x-misp-auth"));
        let asks = |name: &str| request.header(name).is_some_and(|value| value.contains("application/json"));
        if !asks("accept") && !asks("content-type") {
            return Response::html(200, "<title>Users - MISP</title>").into();
        }
        if !self.key.is(key) {
            let message = "Authentication failed. Please make sure you pass the API key of an API enabled user along in the Authorization header.";
            return told(403, message, &url).into();
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["servers", "getVersion"]) => {
                Response::json(200, &json!({ "version": "2.5.34", "pymisp_recommended_version": "2.5.34", "perm_sync": false, "perm_sighting": true }))
            }
            ("GET", ["users", "view", "me"]) => Response::json(200, &me()),
            ("GET", ["attributes", "describeTypes.json"]) => Response::json(200, &types()),
            ("POST", [controller @ ("events" | "attributes"), "restSearch"]) => self.search(controller, &body),
            ("GET", ["events", "view", name]) => {
                let state = self.state();
                state.event(name).map_or_else(|| told(404, "Invalid event", &url), |event| Response::json(200, &state.whole(event)))
            }
            ("GET", ["attributes", "view", name]) => {
                let state = self.state();
                let found = state.attributes.iter().find(|known| known.id.to_string() == *name || known.uuid() == *name);
                found.map_or_else(|| told(404, "Invalid attribute", &url), |known| Response::json(200, &json!({ "Attribute": known.json() })))
            }
            ("POST", ["warninglists", "checkValue"]) => warned(&body),
            ("POST", ["attributes", "add", event]) => self.add(event, &body, &url),
            ("POST", ["sightings", "add", attribute]) => self.sight(attribute, &body, &url),
            ("POST", ["events", "publish", event]) => self.publish(event, &url),
            ("GET", ["events", "publish" | "alert", _]) => told(405, "You don't have the permission to do that.", &url),
            _ => told(404, "Not Found", &url),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        match code {
            "unauthorized" => Some(told(403, "Authentication failed. Please make sure you pass the API key", "/")),
            "not-allowed" => Some(told(405, "You do not have permission to use this functionality.", "/")),
            "not-found" => Some(told(404, "Invalid event", "/")),
            "invalid" => {
                Some(Response::json(403, &json!({ "saved": false, "name": "Could not add", "errors": { "value": ["x"] } })))
            }
            "too-many" => Some(told(429, "Rate limit exceeded.", "/").with_header("retry-after", "60")),
            "broken" => Some(told(500, "An Internal Error Has Occurred.", "/")),
            _ => None,
        }
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.state() = State::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(controller: &str, body: &Value) -> Vec<String> {
        let answer = Misp::default().search(controller, body);
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let list = if controller == "events" { &answer["response"] } else { &answer["response"]["Attribute"] };
        let id = |item: &Value| {
            item["Event"]["id"].as_str().filter(|_| controller == "events").or(item["id"].as_str()).unwrap_or_default().to_owned()
        };
        list.as_array().into_iter().flatten().map(id).collect()
    }

    /// Otherwise a test of what is hidden would prove nothing.
    #[test]
    fn a_search_finds_what_it_is_not_kept_from() {
        assert_eq!(found("events", &json!({})), ["1", "2", "3", "4", "5"]);
        assert_eq!(found("events", &json!({ "last": "30d", "org": [OURS] })), ["1", "2"]);
        assert_eq!(found("events", &json!({ "org": [OURS, PARTNER], "tags": { "NOT": ["tlp:red"] } })), ["1", "3", "5"]);
        assert_eq!(found("events", &json!({ "last": "3d", "value": "198.51.100.7" })), ["1", "2", "4"]);
        assert_eq!(found("events", &json!({ "tags": { "OR": ["tlp:clear"] } })), ["3"]);
        assert_eq!(found("attributes", &json!({ "value": "198.51.100.7" })), ["11", "21", "31", "41"]);
        assert_eq!(found("attributes", &json!({ "type": "ip-dst", "org": OURS, "tags": { "NOT": ["tlp:red"] } })), ["11"]);
        assert_eq!(found("attributes", &json!({ "limit": "2", "page": "2" })), ["13", "14"]);
        assert_eq!(found("attributes", &json!({ "to_ids": false })), Vec::<String>::new());
    }
}
