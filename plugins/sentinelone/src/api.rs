//! The management API, version 2.1: its envelopes, and what its statuses mean.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Response, Upstream,
    tolerant::{Few, Number, Object, Text, Verbatim},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::field::Id;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "sentinelone";
/// The other one's: queries of the data lake.
const LAKE: &str = "datalake";

pub(crate) const ISOLATION: Change = Change {
    service: "SentinelOne",
    unknown: "the computer may be off the network; look in the console, under Endpoints",
    patience: Duration::from_secs(20),
};

pub(crate) const MITIGATION: Change = Change {
    service: "SentinelOne",
    unknown: "the action may have been taken; look at the threat with get_threat",
    patience: Duration::from_secs(20),
};

pub(crate) fn console(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

pub(crate) fn lake(cx: &Context) -> Upstream<'_> {
    cx.upstream(LAKE)
}

/// `{"data": […], "pagination": {"nextCursor": …, "totalItems": …}}`
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Page<T> {
    pub(crate) data: T,
    #[serde(default)]
    pub(crate) pagination: Object<Pagination>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Pagination {
    pub(crate) next_cursor: Verbatim<500>,
    pub(crate) total_items: Number,
}

/// What a list holds.
pub(crate) fn read<T: DeserializeOwned>(answer: Response) -> Result<Page<T>, Failure> {
    if answer.is_success() { answer.json() } else { Err(failure(&answer)) }
}

/// `{"data": {"affected": 1}}`: how many things an action was for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Acted {
    data: Object<Affected>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Affected {
    affected: Number,
}

impl Acted {
    /// Exactly one thing was acted on, and that is said.
    pub(crate) fn on_one(&self, change: &Change, what: &str) -> Result<(), Failure> {
        match self.data.0.affected.0 {
            Some(1) => Ok(()),
            Some(0) => Err(Failure::not_found(format!(
                "nothing was done: to SentinelOne, no {what} is at once of this id, site and agent"
            ))),
            Some(_) => Err(Failure::upstream(format!(
                "SentinelOne says that it acted on more than the one {what} that was asked for; somebody has to look in the console"
            ))),
            None => Err(change.unknown("SentinelOne took it and did not say on how much it acted")),
        }
    }
}

/// `{"errors": [{"code": 4000040, "title": …, "detail": …}]}`; the texts are not for us to pass on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Errors {
    errors: Few<Object<ErrorCode>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorCode {
    code: Number,
}

/// A status that is no success, in words.
pub(crate) fn failure(answer: &Response) -> Failure {
    let failure = match answer.status() {
        400 => Failure::invalid_arguments("SentinelOne does not accept this request"),
        401 => Failure::unauthorized("SentinelOne refused the API token; the operator has to set a valid one"),
        403 => Failure::unauthorized("the token's role does not allow this, or not in this site"),
        404 => Failure::not_found("SentinelOne does not know what was asked for, or this token may not see it"),
        429 => Failure::rate_limited("SentinelOne wants fewer requests"),
        500..=599 => Failure::unavailable(format!("SentinelOne is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("SentinelOne answered with status {status}; is it SentinelOne?")),
    };
    let Errors { errors } = serde_json::from_slice(answer.bytes()).unwrap_or_default();
    let code = errors.0.first().and_then(|Object(error)| error.code.0).map(|code| code.to_string());
    failure.with_code(&code.unwrap_or_default()).with_retry_after(answer.retry_after())
}

/// An id as an answer has it: text.
pub(crate) type Known = Verbatim<20>;

/// A short text of an answer.
pub(crate) type Short = Text<120>;

/// Whether an answer's id is this one.
pub(crate) fn is(known: &Known, id: &Id) -> bool {
    known.as_str() == id.as_str()
}
