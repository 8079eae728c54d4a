//! Splunk's REST API on its management port: <https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTprolog>.
//!
//! Four indexes with a few events each. What surprises:
//!
//! - answers are XML (Atom) unless `output_mode=json` is asked for, and errors are `{"messages": [{"type", "text"}]}` of either;
//! - a search is a job: begun with 201 and `sid`, `RUNNING` at the first look, `DONE` at the next; its results are 204 until then;
//! - a query that Splunk cannot parse is 400, one that it cannot run is a job that has `FAILED`;
//! - **an index is read if it is named anywhere**: by `index=`, `index IN`, `index::`, in a subsearch or in a macro, in any case and quotes.
//!   Splunk would look closer. Here, whoever gets a name past a guard gets its events;
//! - `delete` deletes, `inputlookup` and `rest` show what is in no index.

mod search;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The token the fake takes when it is not told another. It is no one's, and no scanner takes it for somebody's.
pub const DEFAULT_KEY: &str = "token-of-the-splunk-fake";
/// Who logs in with a password.
pub const PASSWORD: &str = "password-of-the-splunk-fake";
/// 2026-11-21T00:00:00Z: the first event of every index.
pub const BEGINNING: i64 = 1_795_219_200;
/// What is only in the index that nobody grants.
pub const SECRET: &str = "salary of the chief";

/// An event with its fields.
pub(crate) type Event = Map<String, Value>;

/// The fake service.
#[derive(Debug)]
pub struct Splunk {
    key: Key,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    events: Vec<Event>,
    jobs: BTreeMap<String, Job>,
    begun: u64,
}

#[derive(Debug, Clone)]
struct Job {
    search: String,
    found: Result<Vec<Event>, String>,
    looks: u32,
}

impl Default for Splunk {
    fn default() -> Self {
        Splunk { key: Key::new(DEFAULT_KEY), kept: Mutex::new(Kept::new()) }
    }
}

impl Kept {
    fn new() -> Self {
        Kept { events: events(), jobs: BTreeMap::new(), begun: 0 }
    }
}

fn event(index: &str, at: i64, raw: String, fields: &[(&str, String)]) -> Event {
    let mut event = Event::new();
    let time = |seconds: i64| {
        format!("2026-11-{:02}T{:02}:{:02}:00.000+00:00", 21 + seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
    };
    event.insert("_time".to_owned(), json!(time(at)));
    event.insert("_raw".to_owned(), json!(raw));
    event.insert("index".to_owned(), json!(index));
    for (name, value) in fields {
        event.insert((*name).to_owned(), json!(value));
    }
    // For the window, and not told.
    event.insert("_at".to_owned(), json!(BEGINNING + at));
    event
}

fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for at in 0..120_i64 {
        let (status, host) = (if at % 10 == 0 { "500" } else { "200" }, format!("web-0{}", at % 3));
        let raw = format!("192.0.2.{at} GET /login {status} host={host}");
        let fields = [
            ("status", status.to_owned()),
            ("host", host),
            ("clientip", format!("192.0.2.{at}")),
            ("sourcetype", "access".to_owned()),
        ];
        events.push(event("web", at * 600, raw, &fields));
    }
    for at in 0..40_i64 {
        let user = if at % 2 == 0 { "alice" } else { "bob" };
        let raw = format!("sshd: Failed password for {user} from 198.51.100.{at}");
        events.push(event("auth", at * 600, raw, &[("user", user.to_owned()), ("src", format!("198.51.100.{at}"))]));
    }
    events.push(event("hr", 0, SECRET.to_owned(), &[("user", "chief".to_owned())]));
    events.push(event("_internal", 0, "splunkd of its own".to_owned(), &[]));
    events
}

impl Splunk {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, request: &Request) -> Response {
        let query = argument(request, "search").unwrap_or_default();
        let number = |name: &str| argument(request, name).and_then(|text| text.parse::<i64>().ok());
        if !query.trim_start().starts_with("search ") && !query.trim_start().starts_with('|') {
            return declined(request, 400, "FATAL", "The search string must begin with `search` or a generating command.");
        }
        let window = (number("earliest_time").unwrap_or_default(), number("latest_time").unwrap_or(i64::MAX));
        let mut kept = self.kept();
        let found = match search::run(&query, window, &mut kept.events) {
            Ok(found) => Ok(found),
            Err(search::Fault::Syntax(text)) => return declined(request, 400, "FATAL", &text),
            Err(search::Fault::Run(text)) => Err(text),
        };
        let mode = argument(request, "exec_mode").unwrap_or_default();
        if mode == "oneshot" {
            return results(request, &found.unwrap_or_default(), 0);
        }
        kept.begun += 1;
        let sid = format!("{}.{}", BEGINNING + 86_400, kept.begun);
        let looks = if mode == "blocking" { 9 } else { 0 };
        kept.jobs.insert(sid.clone(), Job { search: query, found, looks });
        if wants_json(request) {
            return Response::json(201, &json!({ "sid": sid }));
        }
        xml(201, &format!("<response><sid>{sid}</sid></response>"))
    }

    fn look(&self, request: &Request, sid: &str) -> Response {
        let mut kept = self.kept();
        let Some(job) = kept.jobs.get_mut(sid) else { return declined(request, 404, "FATAL", "Unknown sid.") };
        job.looks += 1;
        let done = job.looks > 1;
        let (failed, count) = match &job.found {
            Ok(found) => (false, found.len()),
            Err(_) => (true, 0),
        };
        let state = if failed {
            "FAILED"
        } else if done {
            "DONE"
        } else {
            "RUNNING"
        };
        let messages = match &job.found {
            Err(text) => json!([{ "type": "FATAL", "text": text }]),
            Ok(_) => json!([]),
        };
        if wants_json(request) {
            let content = json!({ "sid": sid, "dispatchState": state, "isDone": done || failed, "isFailed": failed, "isFinalized": false,
                "doneProgress": i32::from(done), "eventCount": count, "scanCount": count, "resultCount": count, "messages": messages });
            return Response::json(200, &json!({ "links": {}, "entry": [{ "name": job.search, "content": content }] }));
        }
        let flag = |flag: bool| if flag { "1" } else { "0" };
        let keys = [
            ("sid", sid.to_owned()),
            ("dispatchState", state.to_owned()),
            ("isDone", flag(done || failed).to_owned()),
            ("isFailed", flag(failed).to_owned()),
            ("eventCount", count.to_string()),
            ("resultCount", count.to_string()),
        ];
        xml(200, &entry(&job.search, &format!("/services/search/v2/jobs/{sid}"), &keys))
    }

    fn results(&self, request: &Request, sid: &str) -> Response {
        let mut kept = self.kept();
        let Some(job) = kept.jobs.get_mut(sid) else { return declined(request, 404, "FATAL", "Unknown sid.") };
        if job.looks < 2 {
            return Response::empty(204);
        }
        let offset = argument(request, "offset").and_then(|text| text.parse().ok()).unwrap_or_default();
        results(request, job.found.as_deref().unwrap_or_default(), offset)
    }

    fn control(&self, request: &Request, sid: &str) -> Response {
        if argument(request, "action").as_deref() != Some("cancel") {
            return declined(request, 400, "FATAL", "Unknown action.");
        }
        match self.kept().jobs.remove(sid) {
            Some(_) => declined(request, 200, "INFO", "Search job cancelled."),
            None => declined(request, 404, "FATAL", "Unknown sid."),
        }
    }

    fn index(&self, request: &Request, name: Option<&str>) -> Response {
        let kept = self.kept();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &kept.events {
            *counts.entry(event.get("index").and_then(Value::as_str).unwrap_or_default()).or_default() += 1;
        }
        let filter = argument(request, "search").filter(|_| name.is_none()).unwrap_or_default();
        let mut entries = Vec::new();
        for (index, count) in counts.into_iter().filter(|(index, _)| name.is_none_or(|name| name == *index)) {
            let content = json!({ "disabled": false, "isInternal": index.starts_with('_'), "totalEventCount": count.to_string(),
                "currentDBSizeMB": 1, "minTime": "2026-11-21T00:00:00+0000", "maxTime": "2026-11-21T19:50:00+0000",
                "homePath": "/opt/splunk/var" });
            let mut texts: Event = keys(&content).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            texts.insert("name".to_owned(), json!(index));
            match search::is_shown(&filter, texts) {
                Ok(true) => entries.push((index, content)),
                Ok(false) => {}
                Err(text) => return declined(request, 400, "ERROR", &text),
            }
        }
        if let (Some(name), true) = (name, entries.is_empty()) {
            return declined(request, 404, "ERROR", &format!("Could not find object id={name}"));
        }
        // Without a count there are 30, and with 0 or less all of them.
        let number = |name: &str| argument(request, name).and_then(|text| text.parse::<i64>().ok());
        let (per_page, total) = (number("count").unwrap_or(30), entries.len());
        let offset = number("offset").and_then(|offset| usize::try_from(offset).ok()).unwrap_or_default();
        let most = usize::try_from(per_page).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let page = entries.into_iter().skip(offset).take(most);
        if wants_json(request) {
            let entries: Vec<Value> = page.map(|(name, content)| json!({ "name": name, "content": content })).collect();
            let paging = json!({ "total": total, "perPage": per_page, "offset": offset });
            return Response::json(200, &json!({ "entry": entries, "paging": paging, "messages": [] }));
        }
        let path = |name: &str| format!("/services/data/indexes/{name}");
        let entries: String = page.map(|(name, content)| entry(name, &path(name), &keys(&content))).collect();
        feed(total, &entries)
    }

    fn respond(&self, request: &Request) -> Response {
        let segments = request.segments();
        // A slash at the end says nothing.
        let segments: Vec<&str> = segments.iter().map(String::as_str).filter(|segment| !segment.is_empty()).collect();
        // In whose name, and in which app, makes no difference here.
        let rest = match segments.as_slice() {
            ["services", rest @ ..] | ["servicesNS", _, _, rest @ ..] => rest,
            _ => return declined(request, 404, "ERROR", "Not Found"),
        };
        if rest == ["auth", "login"] {
            return self.login(request);
        }
        if !self.is_known(request) {
            return declined(request, 401, "WARN", "call not properly authenticated");
        }
        match (request.method.as_str(), rest) {
            ("GET", ["server", "info"]) => {
                feed(1, &entry("server-info", "/services/server/info/server-info", &[("version", "9.4.1".to_owned())]))
            }
            ("POST", ["search", "v2", "jobs"]) => self.begin(request),
            ("GET", ["search", "v2", "jobs", sid]) => self.look(request, sid),
            ("GET" | "POST", ["search", "v2", "jobs", sid, "results"]) => self.results(request, sid),
            ("POST", ["search", "v2", "jobs", sid, "control"]) => self.control(request, sid),
            ("GET", ["data", "indexes"]) => self.index(request, None),
            ("GET", ["data", "indexes", name]) => self.index(request, Some(name)),
            _ => declined(request, 404, "ERROR", "Not Found"),
        }
    }

    fn is_known(&self, request: &Request) -> bool {
        let header = request.header("authorization").unwrap_or_default();
        let token = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("Splunk "));
        self.key.is(token)
    }

    fn login(&self, request: &Request) -> Response {
        if argument(request, "password").as_deref() == Some(PASSWORD) {
            return xml(200, &format!("<response><sessionKey>{}</sessionKey></response>", self.key.value()));
        }
        declined(request, 401, "WARN", "Login failed")
    }
}

impl Upstream for Splunk {
    fn name(&self) -> &'static str {
        "siem-splunk"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        // Splunk says so in every answer, and its own client takes an answer that does not for one that is over.
        self.respond(request).with_header("connection", "Keep-Alive").into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let (status, text) = match code {
            "quota" => (503, "This search could not be dispatched because the role-based concurrency limit has been reached."),
            "capability" => {
                (403, "You (user=casemate) do not have permission to perform this operation (requires capability: search).")
            }
            "parse" => (400, "Error in 'stats' command: the argument is invalid."),
            "token" => (401, "call not properly authenticated"),
            _ => return None,
        };
        Some(Response::json(status, &json!({ "messages": [{ "type": "FATAL", "text": text }] })))
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.kept() = Kept::new();
    }
}

fn results(request: &Request, found: &[Event], offset: usize) -> Response {
    // Without a count there are 100, and with 0 all of them.
    let count = argument(request, "count").and_then(|text| text.parse().ok()).unwrap_or(100_usize);
    let most = if count == 0 { usize::MAX } else { count };
    let told: Vec<Value> = found
        .iter()
        .skip(offset)
        .take(most)
        .map(|event| event.iter().filter(|(name, _)| *name != "_at").map(|(name, value)| (name.clone(), value.clone())).collect())
        .collect();
    let mut names: Vec<&String> = Vec::new();
    for name in found.iter().flat_map(Map::keys).filter(|name| *name != "_at") {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let fields: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
    Response::json(
        200,
        &json!({ "preview": false, "init_offset": offset, "messages": [], "fields": fields, "results": told, "highlighted": {} }),
    )
}

/// From the query, or from a form.
fn argument(request: &Request, name: &str) -> Option<String> {
    let form = || url::form_urlencoded::parse(&request.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    request.parameter(name).or_else(form)
}

fn wants_json(request: &Request) -> bool {
    argument(request, "output_mode").as_deref() == Some("json")
}

fn declined(request: &Request, status: u16, kind: &str, text: &str) -> Response {
    if wants_json(request) {
        return Response::json(status, &json!({ "messages": [{ "type": kind, "text": text }] }));
    }
    xml(status, &format!("<response><messages><msg type=\"{kind}\">{}</msg></messages></response>", escaped(text)))
}

fn xml(status: u16, body: &str) -> Response {
    Response::html(status, &format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
        .with_header("content-type", "text/xml; charset=UTF-8")
}

/// Members of JSON as keys of XML, in which yes is 1.
fn keys(content: &Value) -> Vec<(&str, String)> {
    content.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), plain(value))).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn feed(total: usize, entries: &str) -> Response {
    let total = format!(
        "<opensearch:totalResults xmlns:opensearch=\"http://a9.com/-/spec/opensearch/1.1/\">{total}</opensearch:totalResults>"
    );
    xml(200, &format!("<feed xmlns=\"http://www.w3.org/2005/Atom\">{total}{entries}</feed>"))
}

fn entry(title: &str, path: &str, keys: &[(&str, String)]) -> String {
    let keys: String = keys.iter().map(|(name, value)| format!("<s:key name=\"{name}\">{}</s:key>", escaped(value))).collect();
    format!(
        "<entry xmlns=\"http://www.w3.org/2005/Atom\" xmlns:s=\"http://dev.splunk.com/ns/rest\"><title>{}</title><updated>2026-11-22T00:00:00+00:00</updated><link href=\"{path}\" rel=\"alternate\"/>\
         <content type=\"text/xml\"><s:dict>{keys}<s:key name=\"eai:acl\"><s:dict><s:key name=\"owner\">casemate</s:key>\
         <s:key name=\"app\">search</s:key><s:key name=\"sharing\">global</s:key></s:dict></s:key></s:dict></content></entry>",
        escaped(title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
