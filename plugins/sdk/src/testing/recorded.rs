//! Recorded cases: the files that `casemate test` plays in the sandbox, played natively.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Answer, Expected, ScriptedUpstream, answer, call, delete, fault, get, head, patch, post, put};
use crate::{Context, Entry, Failure, Method, Outcome, SendError};

/// A case from a file, such as `tests/recorded/known-file.json`: a call of a tool, what its upstreams are asked and answer, and how the
/// call has to end. `casemate record` writes one from a real call; the README of this crate says what stands in it.
///
/// ```text
/// #[test]
/// fn recorded_cases() {
///     for case in Recorded::all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded")) {
///         case.replay(my_plugin::TOOLS);
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Recorded {
    name: String,
    case: Case,
}

/// As in the file. `scope`, `execute` and `origins` are the gate's business, of which there is none here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default, rename = "about")]
    _about: Option<String>,
    tool: String,
    arguments: Map<String, Value>,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default, rename = "scope")]
    _scope: BTreeMap<String, Vec<String>>,
    #[serde(default, rename = "execute")]
    _execute: bool,
    #[serde(default, rename = "origins")]
    _origins: BTreeMap<String, String>,
    #[serde(default)]
    sources: BTreeMap<String, Body>,
    #[serde(default)]
    exchanges: Vec<Exchange>,
    expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    request: Request,
    response: Response,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    upstream: String,
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Body>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Body>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Json(Value),
    Text(String),
    Base64(String),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase", deny_unknown_fields)]
enum Expect {
    Returned {
        #[serde(default)]
        structured: Option<Value>,
        #[serde(default)]
        includes: Option<Value>,
        #[serde(default)]
        text: Option<String>,
    },
    Failed {
        kind: String,
        #[serde(default)]
        text: Option<String>,
    },
    Planned {
        plan: Vec<Request>,
    },
    Refused {
        #[serde(rename = "reason")]
        _reason: String,
    },
}

impl Recorded {
    /// The case in a file.
    ///
    /// # Panics
    /// When it cannot be read or is no case.
    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let text = fs::read(path).unwrap_or_else(|error| panic!("`{}` cannot be read: {error}", path.display()));
        let case = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
        Self { name: path.display().to_string(), case }
    }

    /// Every case in a folder, in the order of their names.
    ///
    /// # Panics
    /// When one of them cannot be read, or there is none.
    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    pub fn all(folder: impl AsRef<Path>) -> Vec<Self> {
        let folder = folder.as_ref();
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("`{}` cannot be read: {error}", folder.display()));
        let mut files: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        files.sort();
        assert!(!files.is_empty(), "there is no case in `{}`", folder.display());
        files.into_iter().map(Self::read).collect()
    }

    /// Whether it can be played here: not if its point is the host's no. `casemate test` plays those too.
    pub fn plays_natively(&self) -> bool {
        !matches!(self.case.expect, Expect::Refused { .. })
    }

    /// The answer of an exchange, counted from 0, for a script of one's own.
    ///
    /// # Panics
    /// When there is no such exchange.
    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    pub fn answer(&self, at: usize) -> Answer {
        match self.case.exchanges.get(at) {
            Some(exchange) => self.answer_of(&exchange.response),
            None => panic!("{}: there is no exchange {at}", self.name),
        }
    }

    /// Call the tool, answer it from the recording, and hold how it ends against what the case expects. Requests to one upstream
    /// must come in the order of the recording. Of a plan it is checked that its request is made, and nothing after it.
    ///
    /// # Panics
    /// When the call asks for something else or ends otherwise, or the case cannot be played natively.
    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    pub fn replay(&self, tools: &[Entry]) {
        let (name, case) = (&self.name, &self.case);
        assert!(self.plays_natively(), "{name}: only `casemate test` can play it");
        let planned = if let Expect::Planned { plan } = &case.expect { plan.as_slice() } else { &[] };
        let steps = case.exchanges.iter().map(|exchange| (&exchange.request, Some(&exchange.response)));
        let mut upstreams: HashMap<&str, ScriptedUpstream> = HashMap::new();
        for (request, response) in steps.chain(planned.iter().map(|request| (request, None))) {
            let answer = response.map_or_else(|| fault(SendError::Refused), |response| self.answer_of(response));
            // A script names its upstream as code does. The few bytes live as long as the test.
            let fresh = || ScriptedUpstream::new(Box::leak(request.upstream.clone().into_boxed_str()));
            let script = upstreams.remove(request.upstream.as_str()).unwrap_or_else(fresh);
            upstreams.insert(&request.upstream, script.expect(self.expected(request), answer));
        }
        let context = Context::scripted(upstreams.values()).with_settings(&case.settings);
        let context = case.sources.iter().fold(context, |context, (name, body)| context.with_source(name, self.bytes(body)));
        let ended = call(tools, &case.tool, &Value::Object(case.arguments.clone()), &context);
        // What was asked is said first: how it ended follows from it.
        drop((context, upstreams));
        if let Err(why) = self.ends(&ended) {
            panic!("{name}: {why}");
        }
    }

    fn ends(&self, ended: &Result<Outcome, Failure>) -> Result<(), String> {
        let holds = |text: &str, part: &Option<String>| match part {
            Some(part) if !text.contains(part) => Err(format!("the text does not hold `{part}`: {text}")),
            _ => Ok(()),
        };
        match (&self.case.expect, ended) {
            (Expect::Returned { structured, includes: part, text }, Ok(outcome)) => {
                let found: Value = serde_json::from_str(&outcome.structured).map_err(|error| error.to_string())?;
                if structured.as_ref().is_some_and(|structured| *structured != found)
                    || part.as_ref().is_some_and(|part| !includes(&found, part))
                {
                    return Err(format!("the structured result is another: {found:#}"));
                }
                holds(&outcome.text, text)
            }
            (Expect::Failed { kind, text }, Err(failure)) if failure.kind().as_str() == kind => {
                // As a client reads it.
                holds(&format!("({}): {failure}", failure.code().unwrap_or_default()), text)
            }
            (Expect::Planned { .. }, _) => Ok(()),
            (_, Ok(outcome)) => Err(format!("it returned: {}", outcome.text)),
            (_, Err(failure)) => Err(format!("it failed as `{}`: {failure}", failure.kind().as_str())),
        }
    }

    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    fn expected(&self, request: &Request) -> Expected {
        let method = [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete]
            .into_iter()
            .find(|method| method.as_str() == request.method)
            .unwrap_or_else(|| panic!("{}: there is no method `{}`", self.name, request.method));
        let begin = match method {
            Method::Get => get,
            Method::Head => head,
            Method::Post => post,
            Method::Put => put,
            Method::Patch => patch,
            Method::Delete => delete,
        };
        let headers = request.headers.iter();
        let expected = headers.fold(begin(&request.path), |expected, (name, value)| expected.header(name, value));
        match &request.body {
            Some(Body::Json(value)) => expected.json(value.clone()),
            Some(body) => expected.body(self.bytes(body)),
            None => expected,
        }
    }

    fn answer_of(&self, response: &Response) -> Answer {
        let headers = response.headers.iter();
        let given =
            headers.fold(answer(response.status), |answer, (name, value)| answer.header(&name.to_ascii_lowercase(), value));
        given.body(response.body.as_ref().map(|body| self.bytes(body)).unwrap_or_default())
    }

    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    fn bytes(&self, body: &Body) -> Vec<u8> {
        match body {
            Body::Json(value) => value.to_string().into_bytes(),
            Body::Text(text) => text.clone().into_bytes(),
            Body::Base64(text) => {
                STANDARD.decode(text).unwrap_or_else(|error| panic!("{}: a body is not base64: {error}", self.name))
            }
        }
    }
}

/// Whether a value is there in another: objects may hold more.
fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| includes(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| includes(whole, part))
        }
        _ => whole == part,
    }
}
