//! Caldera's API, version 2: how it is asked, and what its statuses mean.

use std::time::Duration;

use casemate_plugin::{Context, Failure, Path, Request, Response, Upstream};
use serde::de::DeserializeOwned;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "caldera";
/// How long a change may take. Caldera answers within a second, or, where an operation does not run, never.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn caldera(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// Get the object at `path`, without the members that `exclude` names; `what` is what it is called when there is none.
pub(crate) fn get<T: DeserializeOwned>(cx: &Context, path: Path, exclude: Option<&str>, what: &str) -> Result<T, Failure> {
    let request = caldera(cx).get(path);
    let request = match exclude {
        Some(exclude) => request.query("exclude", exclude),
        None => request,
    };
    read(request.send()?, what)
}

/// The object in an answer.
pub(crate) fn read<T: DeserializeOwned>(answer: Response, what: &str) -> Result<T, Failure> {
    if answer.is_success() { answer.json() } else { Err(failure(&answer, what)) }
}

/// A status that is no success, in words. The body is plain text for some and JSON for others, and never for us to pass on.
fn failure(answer: &Response, what: &str) -> Failure {
    match answer.status() {
        401 => Failure::unauthorized("Caldera refused the API key; the operator has to set a valid one"),
        403 => Failure::unauthorized(format!("the API key may not see this {what}: it is the other team's")),
        404 => Failure::not_found(format!("Caldera does not know this {what}")),
        400 | 422 => Failure::invalid_arguments(format!("Caldera does not accept this {what}")),
        500..=599 => Failure::unavailable(format!("Caldera is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("Caldera answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}

/// One change that Caldera is asked for: what is changed, and what a person can do when its outcome is not known.
pub(crate) struct Change {
    what: &'static str,
    change: casemate_plugin::Change,
}

impl Change {
    pub(crate) const fn new(what: &'static str, unknown: &'static str) -> Self {
        Self { what, change: casemate_plugin::Change { service: "Caldera", unknown, patience: PATIENCE } }
    }

    /// Send the one request of the change, once.
    pub(crate) fn send<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, Failure> {
        self.change.send(request, |answer| failure(answer, self.what))
    }

    /// Nobody knows what happened.
    pub(crate) fn unknown(&self, why: &str) -> Failure {
        self.change.unknown(why)
    }
}
