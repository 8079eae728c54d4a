//! Scripts: what the next requests to an upstream get, whatever they ask for.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::Upstream;
use crate::http::Response;
use crate::misbehaviour::Misbehaviour;

/// A script as it is posted: exactly one of `misbehave`, `error` and `answer`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The upstream it is for.
    pub upstream: String,
    /// For how many requests; one when left out.
    #[serde(default = "once")]
    pub times: u32,
    /// Only requests whose path starts with this.
    #[serde(default)]
    pub path: String,
    /// Only requests with this method; any when left out.
    pub method: Option<String>,
    /// Spoil the upstream's own answer.
    pub misbehave: Option<Misbehaviour>,
    /// Give one of the upstream's documented errors.
    pub error: Option<String>,
    /// Give this answer.
    pub answer: Option<Answer>,
}

/// A scripted answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status code; 200 when left out.
    #[serde(default = "ok")]
    pub status: u16,
    /// Header fields, as `[name, value]`.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body: a string as it is, anything else as JSON.
    #[serde(default)]
    pub body: serde_json::Value,
}

fn once() -> u32 {
    1
}

fn ok() -> u16 {
    200
}

/// What a scripted request gets.
#[derive(Debug, Clone)]
pub enum Act {
    /// This, instead of the upstream's answer.
    Answer(Response),
    /// The upstream's answer, spoilt.
    Misbehave(Misbehaviour),
}

/// Why a script was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// No upstream of that name.
    #[error("there is no upstream `{0}`")]
    UnknownUpstream(String),
    /// The upstream has no such error.
    #[error("`{0}` does not document the error `{1}`")]
    UnknownError(String, String),
    /// None or several of the three.
    #[error("a script has exactly one of `misbehave`, `error` and `answer`")]
    NotOne,
}

/// The scripts still to be played, oldest first.
#[derive(Debug, Default)]
pub struct Scripts(Mutex<VecDeque<Pending>>);

#[derive(Debug)]
struct Pending {
    upstream: &'static str,
    path: String,
    method: Option<String>,
    left: u32,
    act: Act,
}

impl Pending {
    fn is_for(&self, upstream: &str, method: &str, path: &str) -> bool {
        let fits = self.method.as_deref().is_none_or(|own| own == method) && path.starts_with(&self.path);
        self.left > 0 && self.upstream == upstream && fits
    }
}

impl Scripts {
    /// Queues a script.
    ///
    /// # Errors
    /// See [`ScriptError`].
    pub fn add(&self, script: Script, upstreams: &[std::sync::Arc<dyn Upstream>]) -> Result<(), ScriptError> {
        let found = upstreams.iter().find(|upstream| upstream.name() == script.upstream);
        let upstream = found.ok_or_else(|| ScriptError::UnknownUpstream(script.upstream.clone()))?;
        let act = match (script.misbehave, script.error, script.answer) {
            (Some(misbehaviour), None, None) => Act::Misbehave(misbehaviour),
            (None, Some(code), None) => {
                let failure = upstream.failure(&code);
                Act::Answer(failure.ok_or(ScriptError::UnknownError(script.upstream, code))?)
            }
            (None, None, Some(answer)) => Act::Answer(answer.into()),
            _ => return Err(ScriptError::NotOne),
        };
        self.pending().push_back(Pending {
            upstream: upstream.name(),
            path: script.path,
            method: script.method,
            left: script.times,
            act,
        });
        Ok(())
    }

    /// What the next request to this upstream with this method and path gets, if it is scripted; counts it.
    pub fn next(&self, upstream: &str, method: &str, path: &str) -> Option<Act> {
        let mut pending = self.pending();
        let script = pending.iter_mut().find(|script| script.is_for(upstream, method, path))?;
        script.left -= 1;
        let act = script.act.clone();
        pending.retain(|script| script.left > 0);
        Some(act)
    }

    /// Forgets every script.
    pub fn clear(&self) {
        self.pending().clear();
    }

    /// How many requests are still scripted.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.pending().iter().map(|script| u64::from(script.left)).sum()
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let (kind, body) = match answer.body {
            serde_json::Value::Null => (None, Vec::new()),
            serde_json::Value::String(text) => (Some("text/plain; charset=utf-8"), text.into_bytes()),
            value => (Some("application/json; charset=utf-8"), value.to_string().into_bytes()),
        };
        let mut headers = answer.headers;
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        headers.extend(kind.filter(|_| !typed).map(|kind| ("content-type".to_owned(), kind.to_owned())));
        Response { status: answer.status, headers, body }
    }
}
