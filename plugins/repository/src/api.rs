//! GitHub's REST API, version 2022-11-28: how it is asked, and what its statuses mean.

use casemate_plugin::{Context, Failure, Path, Request, Response, Upstream};
use serde::de::DeserializeOwned;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "github";

/// The upstream.
pub(crate) fn github(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// With what GitHub wants of every request: it refuses those that do not say who sends them.
pub(crate) fn request(request: Request<'_>) -> Request<'_> {
    let request = request.header("accept", "application/vnd.github+json").header("user-agent", "casemate-github");
    request.header("x-github-api-version", "2022-11-28")
}

/// Get the object at `path`; `what` is what it is called when there is none.
///
/// # Errors
/// When there is none, or GitHub says something else.
pub fn get<T: DeserializeOwned>(cx: &Context, path: Path, reference: Option<&str>, what: &str) -> Result<T, Failure> {
    let asked = request(github(cx).get(path));
    let asked = match reference {
        Some(reference) => asked.query("ref", reference),
        None => asked,
    };
    let answer = asked.send()?;
    if answer.is_success() { answer.json() } else { Err(failure(&answer, what)) }
}

/// A status that is no success, in words; `{"message": …}` is not for us to pass on.
pub(crate) fn failure(answer: &Response, what: &str) -> Failure {
    let exhausted = answer.header("x-ratelimit-remaining") == Some("0") || answer.header("retry-after").is_some();
    match answer.status() {
        401 => Failure::unauthorized("GitHub refused the token; the operator has to set a valid one"),
        403 | 429 if exhausted => Failure::rate_limited("GitHub wants fewer requests of this token"),
        403 => {
            Failure::unauthorized(format!("the token may not do this with the {what}, or a rule of the repository forbids it"))
        }
        404 => Failure::not_found(format!("GitHub has no such {what}, or the token may not see it")),
        409 => Failure::invalid_arguments(format!("the {what} has changed since, or is protected; read it again")),
        422 => Failure::invalid_arguments(format!("GitHub does not accept this {what}")),
        429 => Failure::rate_limited("GitHub wants fewer requests"),
        301 | 302 | 307 | 308 => Failure::not_found(format!("the {what} has moved; ask for it by its new name")),
        500..=599 => Failure::unavailable(format!("GitHub is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("GitHub answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}
