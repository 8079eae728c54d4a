//! Caldera's API, version 2: how it is asked, and what its statuses mean.

use std::time::Duration;

use casemate_plugin::{Context, Failure, Path, Request, Response, SendError, Upstream};
use serde::de::DeserializeOwned;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "caldera";
/// How long a change may take. Caldera answers within a second, or, where an operation does not run, never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The code of a failure after which nobody knows what happened.
const UNKNOWN: &str = "outcome-unknown";

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

/// One change that Caldera is asked for, and what a person can do when its outcome is not known.
pub(crate) struct Change {
    /// What is changed: `operation`.
    pub(crate) what: &'static str,
    /// What may have happened, and how to find out.
    pub(crate) unknown: &'static str,
}

impl Change {
    /// Send the one request of the change, once. Whatever comes back that is neither a refusal nor the object leaves the outcome
    /// unknown: Caldera does not cancel what a client gives up on.
    pub(crate) fn send<T: DeserializeOwned>(&self, request: Request<'_>) -> Result<T, Failure> {
        let answer = match request.timeout(PATIENCE).send() {
            Ok(answer) if answer.status() >= 500 => return Err(self.unknown("Caldera failed while it worked on it")),
            Ok(answer) => answer,
            Err(SendError::TimedOut(_)) => return Err(self.unknown("Caldera did not answer in time")),
            Err(SendError::Broken(_) | SendError::TooLarge(_)) => return Err(self.unknown("Caldera's answer broke off")),
            // Nothing was sent.
            Err(error @ (SendError::Refused | SendError::Unreachable(_) | SendError::Invalid(_) | SendError::Path(_))) => {
                return Err(error.into());
            }
        };
        if !answer.is_success() {
            return Err(failure(&answer, self.what));
        }
        answer.json().map_err(|_| self.unknown("Caldera took it and gave an answer that cannot be read"))
    }

    /// Nobody knows what happened. No kind that invites another try.
    pub(crate) fn unknown(&self, why: &str) -> Failure {
        Failure::upstream(format!("outcome unknown: {why}; {}; do not call again before that is known", self.unknown))
            .with_code(UNKNOWN)
    }
}
