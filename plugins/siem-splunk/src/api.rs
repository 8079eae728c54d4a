//! Splunk's REST API: <https://docs.splunk.com/Documentation/Splunk/latest/RESTREF/RESTsearch>.

use std::time::Duration;

use casemate_plugin::{Context, Failure, Request, Response, Upstream};
use serde::de::DeserializeOwned;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "siem-splunk";
/// No single request takes longer: what takes long is asked for in pieces.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn splunk(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// What an answer holds, if it is a success.
pub(crate) fn read<T: DeserializeOwned>(request: Request<'_>) -> Result<T, Failure> {
    let answer = request.timeout(PATIENCE).send()?;
    if answer.is_success() { answer.json() } else { Err(refused(&answer)) }
}

/// Send what has no answer to read.
pub(crate) fn tell(request: Request<'_>) -> Result<(), Failure> {
    let answer = request.timeout(PATIENCE).send()?;
    // What is to be gone may be gone.
    if answer.is_success() || answer.status() == 404 { Ok(()) } else { Err(refused(&answer)) }
}

/// A status that is no success. The messages beside it are in Splunk's words, and those may be of an event: they are not passed on.
fn refused(answer: &Response) -> Failure {
    match answer.status() {
        400 => Failure::invalid_arguments("Splunk does not accept the query; look at its commands and functions"),
        401 => Failure::unauthorized("Splunk refused the token; the operator has to set a valid one"),
        403 => Failure::unauthorized("the token's role may not do this in Splunk; it needs the capability `search`"),
        404 => Failure::not_found("Splunk does not know this index or search, or the token's role may not see it"),
        429 => Failure::rate_limited("Splunk wants fewer requests"),
        503 => Failure::unavailable("Splunk runs as many searches as it can; try again when others are done"),
        status @ 500..=599 => Failure::unavailable(format!("Splunk is out of order (status {status})")),
        status => Failure::upstream(format!("Splunk answered with status {status}; is it Splunk's management port?")),
    }
    .with_retry_after(answer.retry_after())
}
