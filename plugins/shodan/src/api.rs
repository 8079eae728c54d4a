//! Shodan's REST API: how it is asked, and what its statuses mean.

use casemate_plugin::{Context, Failure, Path, Request, Response, field::IpAddress, public};
use serde::de::DeserializeOwned;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "shodan";

pub(crate) fn get(cx: &Context, path: Path) -> Request<'_> {
    cx.upstream(UPSTREAM).get(path)
}

/// The object in an answer; `what` is what was asked for.
pub(crate) fn read<T: DeserializeOwned>(request: Request<'_>, what: &str) -> Result<T, Failure> {
    let answer = request.send()?;
    if answer.is_success() { answer.json() } else { Err(failure(&answer, what)) }
}

/// A status that is no success, in words. `{"error": …}` is a sentence, sometimes a page, and not for us to pass on.
fn failure(answer: &Response, what: &str) -> Failure {
    match answer.status() {
        401 => Failure::unauthorized("Shodan refused the API key, or its plan does not include this"),
        402 | 403 => Failure::unauthorized("the plan of the Shodan API key does not include this, or its credits are used up"),
        404 => Failure::not_found(format!("Shodan knows nothing of this {what}")),
        400 => Failure::invalid_arguments(format!("Shodan does not accept this {what}")),
        429 => Failure::rate_limited("Shodan wants fewer requests: one a second"),
        500..=599 => Failure::unavailable(format!("Shodan is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("Shodan answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}

/// Refuse an address that is not of the public Internet.
pub(crate) fn public_address(ip: IpAddress) -> Result<(), Failure> {
    public::address(ip.address()).map_err(|why| refusal(&ip.to_string(), &why.to_string()))
}

pub(crate) fn refusal(target: &str, why: &str) -> Failure {
    Failure::invalid_arguments(format!("`{target}` is not sent to Shodan: it is {why}"))
}
