//! mitmweb's API, and the two paths that casemate.py adds to it.

use casemate_plugin::{Context, Failure, Path, Response, Upstream};
use serde::de::DeserializeOwned;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "mitmproxy";

pub(crate) fn mitmproxy(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// Get the JSON at `path`.
pub(crate) fn get<T: DeserializeOwned>(cx: &Context, path: Path) -> Result<T, Failure> {
    let answer = mitmproxy(cx).get(path).send()?;
    if answer.is_success() { answer.json() } else { Err(refused(&answer)) }
}

/// A status that is no success, in words. Bodies are plain text for some and HTML for others, and never for us to pass on.
pub(crate) fn refused(answer: &Response) -> Failure {
    match answer.status() {
        400 => Failure::invalid_arguments("mitmproxy does not take this change of a request"),
        401 | 403 => Failure::unauthorized("mitmweb refused the password; the operator has to set its `web_password`"),
        404 => Failure::not_found("mitmproxy has no such flow; or, where there is one, mitmweb runs without casemate.py"),
        409 => Failure::invalid_arguments("nothing was sent: the recorded request is another one by now, or cannot be replayed"),
        429 => Failure::rate_limited("another replay is under way, or there were 10 in the last minute"),
        500..=599 => Failure::unavailable(format!("mitmweb is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("mitmweb answered with status {status}; is it mitmweb?")),
    }
    .with_retry_after(answer.retry_after())
}
