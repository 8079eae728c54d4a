//! LimaCharlie's API, version 1: how it is asked, and what its statuses mean.

use std::time::Duration;

use casemate_plugin::{Change, Context, Failure, Response, Upstream, tolerant::Verbatim};
use serde::{Deserialize, de::DeserializeOwned};

use crate::field::Id;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "limacharlie";
/// What the operator's tags and ours are told apart by: every rule that is deployed here has this tag.
pub(crate) const MARK: &str = "casemate";
/// How long a change may take to be answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// A rule is set.
pub(crate) const SET: Change =
    Change { service: "LimaCharlie", unknown: "the rule may be deployed; look with list_rules", patience: PATIENCE };

/// A rule is deleted.
pub(crate) const DELETE: Change =
    Change { service: "LimaCharlie", unknown: "the rule may be deleted; look with list_rules", patience: PATIENCE };

/// A sensor is told to scan.
pub(crate) const SCAN: Change = Change {
    service: "LimaCharlie",
    unknown: "the sensor may be scanning; look for YARA_DETECTION events of the investigation casemate-yara-scan",
    patience: PATIENCE,
};

pub(crate) fn limacharlie(cx: &Context) -> Upstream<'_> {
    cx.upstream(UPSTREAM)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    organization: Id,
}

/// The one organization that the API key is of.
pub(crate) fn organization(cx: &Context) -> Result<Id, Failure> {
    Ok(cx.settings::<Settings>()?.organization)
}

/// The object in an answer; `what` is what it is called when there is none.
pub(crate) fn read<T: DeserializeOwned>(answer: Response, what: &str) -> Result<T, Failure> {
    if answer.is_success() { answer.json() } else { Err(failure(&answer, what)) }
}

/// `{"error": "lc_error_code:RECORD_NOT_FOUND - …"}`, `{"error": …}` in prose, or what was done to which record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    pub(crate) error: Verbatim<4_096>,
    pub(crate) name: Verbatim<64>,
}

/// LimaCharlie's word for what is wrong, if it gives one; the text behind it is not for us to pass on.
pub(crate) fn code(answer: &Response) -> Option<String> {
    let Said { error, .. } = serde_json::from_slice(answer.bytes()).unwrap_or_default();
    let word = error.as_str().strip_prefix("lc_error_code:")?.split_whitespace().next()?;
    let fits = word.len() <= 64 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    fits.then(|| word.to_owned())
}

/// A status that is no success, in words. The hive says 400 for everything, and what it means in a code.
pub(crate) fn failure(answer: &Response, what: &str) -> Failure {
    let code = code(answer).unwrap_or_default();
    match (answer.status(), code.as_str()) {
        (400, "RECORD_NOT_FOUND") | (404, _) => {
            Failure::not_found(format!("LimaCharlie does not know this {what}, or this API key may not see it"))
        }
        (400, "UNAUTHORIZED") | (403, _) => {
            Failure::unauthorized(format!("the API key lacks the permission for this {what}; the operator has to give it one"))
        }
        (401, _) => Failure::unauthorized("LimaCharlie refused the API key; the operator has to set a valid one"),
        (409, _) | (400, "ETAG_MISMATCH") => {
            Failure::invalid_arguments(format!("somebody else changed this {what} just now; nothing was changed here"))
        }
        (400 | 413 | 422, _) => Failure::invalid_arguments(format!("LimaCharlie does not accept this {what}")),
        (429, _) => Failure::rate_limited("LimaCharlie wants fewer requests"),
        (500..=599, _) => Failure::unavailable(format!("LimaCharlie is out of order (status {})", answer.status())),
        (status, _) => Failure::upstream(format!("LimaCharlie answered with status {status}")),
    }
    .with_code(&code)
    .with_retry_after(answer.retry_after())
}
