//! MISP's API: what its answers and statuses mean.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Request, Response, Upstream,
    tolerant::{Flag, Take, take},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "misp";
/// How long a change may take to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ADDITION: Change =
    Change { service: "MISP", unknown: "the attribute may be in the event; look with get_event", patience: PATIENCE };

pub(crate) const SIGHTING: Change =
    Change { service: "MISP", unknown: "the sighting may have been added; look at the attribute in MISP", patience: PATIENCE };

pub(crate) const PUBLICATION: Change =
    Change { service: "MISP", unknown: "the event may be published and on its way; look with get_event", patience: PATIENCE };

pub(crate) fn misp(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// Whoever does not ask for JSON gets a page for people.
pub(crate) fn as_json(request: Request<'_>) -> Request<'_> {
    request.header("accept", "application/json")
}

/// What an answer holds.
pub(crate) fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Failure> {
    if answer.is_success() { answer.json() } else { Err(failure(&answer)) }
}

/// `"1"` or `1`: MISP writes numbers as texts, for now.
#[derive(Debug, Default, Clone)]
pub(crate) struct Digits(pub(crate) String);

impl Take<'_> for Digits {
    fn text(text: &str) -> Self {
        let digits = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        Self(if digits { text.to_owned() } else { String::new() })
    }

    fn number(number: i64) -> Self {
        Self(u64::try_from(number).map(|number| number.to_string()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

/// `{"saved": false, "name": …, "message": …, "url": …, "errors": {…}}`; the texts are not for us to pass on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    saved: Flag,
}

/// A status that is no success, in words. MISP says with 403 both that somebody may not, and that what they sent is not valid.
pub(crate) fn failure(answer: &Response) -> Failure {
    let Said { saved } = serde_json::from_slice(answer.bytes()).unwrap_or_default();
    match answer.status() {
        400 => Failure::invalid_arguments("MISP does not accept this request"),
        403 if saved.0 == Some(false) => Failure::invalid_arguments(
            "MISP does not accept this: the value may not fit the type, the type not the category, or it is there already",
        ),
        401 | 403 => {
            Failure::unauthorized("MISP refused the auth key, or its user may not do this; the operator has to look at both")
        }
        404 => Failure::not_found("MISP does not know what was asked for, or this user may not see it"),
        405 => Failure::unauthorized("this MISP user's role does not allow this, or the event is of another organisation"),
        429 => Failure::rate_limited("MISP wants fewer requests"),
        500..=599 => Failure::unavailable(format!("MISP is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("MISP answered with status {status}; is it MISP?")),
    }
    .with_retry_after(answer.retry_after())
}
