//! HackerOne's API, version 1: its JSON:API envelopes, and what its statuses mean.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Response, Upstream,
    tolerant::{Few, Object, Text},
};
use serde::{Deserialize, de::DeserializeOwned};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "hackerone";

/// The one change there is.
pub(crate) const SUBMISSION: Change = Change {
    service: "HackerOne",
    unknown: "the report may have been submitted; look with list_reports",
    patience: Duration::from_secs(20),
};

pub(crate) fn hackerone(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

/// `{"data": …, "links": {…}}`
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(crate) struct Envelope<T> {
    pub(crate) data: T,
    #[serde(default)]
    pub(crate) links: Object<Links>,
}

/// Only whether there is another page matters; no address of an answer is ever asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Links {
    pub(crate) next: Text<500>,
}

/// `{"data": {"attributes": {…}}}` of a relationship.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "A: DeserializeOwned + Default")]
pub(crate) struct Related<A> {
    data: Object<Attributed<A>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "A: DeserializeOwned + Default")]
struct Attributed<A> {
    attributes: Object<A>,
}

impl<A> Related<A> {
    pub(crate) fn into_attributes(self) -> A {
        self.data.0.attributes.0
    }
}

/// The object in an answer; `what` is what it is called when there is none.
pub(crate) fn read<T: DeserializeOwned>(answer: Response, what: &str) -> Result<Envelope<T>, Failure> {
    if answer.is_success() { answer.json() } else { Err(failure(&answer, what)) }
}

/// `{"errors": [{"status": 422, "title": …, "detail": …}]}`; the texts are not for us to pass on, but how many there are is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Errors {
    errors: Few<Object<Ignored>, 50>,
}

#[derive(Default, Deserialize)]
struct Ignored {}

/// A status that is no success, in words. Where a proxy answered instead, the status has to do.
pub(crate) fn failure(answer: &Response, what: &str) -> Failure {
    match answer.status() {
        401 => Failure::unauthorized(
            "HackerOne refused the API token; the operator has to set a valid one of a hacker's, since a program's is refused here",
        ),
        403 => Failure::unauthorized(format!("this HackerOne account may not see or do this with a {what}")),
        404 => Failure::not_found(format!("HackerOne does not know this {what}, or this account may not see it")),
        400 | 422 => {
            let Errors { errors } = serde_json::from_slice(answer.bytes()).unwrap_or_default();
            let many = match errors.0.len() {
                0 | 1 => String::new(),
                count => format!(", for {count} reasons"),
            };
            Failure::invalid_arguments(format!("HackerOne does not accept this {what}{many}"))
        }
        429 => Failure::rate_limited("HackerOne wants fewer requests"),
        500..=599 => Failure::unavailable(format!("HackerOne is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("HackerOne answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}
