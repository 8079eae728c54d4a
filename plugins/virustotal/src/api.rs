//! VirusTotal's API, version 3: its envelopes and its errors.

use casemate_plugin::{
    Context, Failure, Path, Response,
    tolerant::{Number, Object, Text},
};
use serde::{Deserialize, de::DeserializeOwned};

/// The upstream's name in plugin.toml.
pub(crate) const UPSTREAM: &str = "virustotal";

/// `{"data": {"id": …, "attributes": {…}}, "meta": {…}}`
#[derive(Debug, Deserialize)]
#[serde(bound = "A: DeserializeOwned + Default")]
pub(crate) struct Envelope<A> {
    pub(crate) data: Item<A>,
    #[serde(default)]
    pub(crate) meta: Object<Meta>,
}

/// One object.
#[derive(Debug, Deserialize)]
#[serde(bound = "A: DeserializeOwned + Default")]
pub(crate) struct Item<A> {
    #[serde(default)]
    pub(crate) id: Text<160>,
    #[serde(default)]
    pub(crate) attributes: Object<A>,
}

/// What an analysis is of.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Meta {
    pub(crate) file_info: Object<FileInfo>,
    pub(crate) url_info: Object<UrlInfo>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FileInfo {
    pub(crate) sha256: Text<64>,
    pub(crate) size: Number,
}

/// The URL.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UrlInfo {
    pub(crate) id: Text<64>,
    pub(crate) url: Text<500>,
}

/// Get the object at `path`; `what` is what it is called when there is none.
pub(crate) fn get<A: DeserializeOwned + Default>(cx: &Context, path: Path, what: &str) -> Result<Envelope<A>, Failure> {
    read(cx.upstream(UPSTREAM).get(path).send()?, what)
}

/// The object in an answer.
pub(crate) fn read<A: DeserializeOwned + Default>(answer: Response, what: &str) -> Result<Envelope<A>, Failure> {
    if answer.is_success() { answer.json() } else { Err(failure(&answer, what)) }
}

/// `{"error": {"code": …, "message": …}}`; the message is not for us to pass on.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorEnvelope {
    error: Object<ErrorBody>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: Text<65>,
}

/// <https://docs.virustotal.com/reference/errors>, in words. Where a proxy answered instead, the status has to do.
fn failure(answer: &Response, what: &str) -> Failure {
    let envelope: ErrorEnvelope = serde_json::from_slice(answer.bytes()).unwrap_or_default();
    let code = envelope.error.0.code.0.unwrap_or_default();
    let failure = match (answer.status(), code.as_str()) {
        (404, _) => Failure::not_found(format!("VirusTotal does not know this {what}")),
        (401, "UserNotActiveError") => Failure::unauthorized("the VirusTotal account of this API key is not active"),
        (401, _) => Failure::unauthorized("VirusTotal refused the API key; the operator has to set a valid one"),
        (403, _) => Failure::unauthorized("the VirusTotal API key may not do this"),
        (429, "QuotaExceededError") => Failure::rate_limited("the VirusTotal quota of this API key is used up"),
        (429, _) => Failure::rate_limited("VirusTotal wants fewer requests"),
        (400, "NotAvailableYet") => Failure::unavailable(format!("VirusTotal does not have this {what} ready yet")),
        (400, _) => Failure::invalid_arguments(format!("VirusTotal does not accept this {what}")),
        (413, _) => Failure::invalid_arguments(format!("this {what} is too large for VirusTotal")),
        (500..=599, _) => Failure::unavailable(format!("VirusTotal is out of order (status {})", answer.status())),
        (status, _) => Failure::upstream(format!("VirusTotal answered with status {status}")),
    };
    failure.with_code(&code).with_retry_after(answer.retry_after())
}
