//! AWS: how its services are asked, and what their statuses mean.
//!
//! The host signs. STS and IAM take forms and answer in XML, CloudTrail takes and gives JSON of its own media type, S3 is addressed by paths.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Path, Request, Response, SendError, Upstream,
    tolerant::{Object, Verbatim},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{technique::Technique, xml};

/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What CloudTrail's actions are called by.
const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.";
/// Where a request says which technique it is of. AWS passes over it.
const TECHNIQUE: &str = "x-casemate-technique";

/// Every change is looked at in the same way.
const CHANGE: Change =
    Change { service: "AWS", unknown: "it may have been done; look with status, and revert what is there", patience: PATIENCE };

/// A refusal: which error it is, in AWS's word for it, and the status.
pub(crate) struct Refused {
    pub(crate) code: String,
    failure: Failure,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        refused.failure
    }
}

impl From<SendError> for Refused {
    fn from(error: SendError) -> Self {
        Self { code: String::new(), failure: error.into() }
    }
}

/// A form for STS or IAM.
pub(crate) fn query<'a>(upstream: Upstream<'a>, action: &str, version: &str, more: &[(&str, &str)]) -> Request<'a> {
    let fields = [("Action", action), ("Version", version)];
    upstream.post(casemate_plugin::path!("/")).form(fields.into_iter().chain(more.iter().copied()))
}

/// JSON for CloudTrail.
pub(crate) fn trail<'a>(upstream: Upstream<'a>, action: &str, body: &impl Serialize) -> Result<Request<'a>, Failure> {
    let request = upstream.post(casemate_plugin::path!("/")).header("x-amz-target", format!("{TARGET}{action}"));
    Ok(request.body("application/x-amz-json-1.1", serde_json::to_vec(body)?))
}

/// A path of S3's.
pub(crate) fn s3(cx: &Context) -> Upstream<'_> {
    cx.upstream("s3")
}

/// The path of a bucket.
pub(crate) fn bucket(name: &str) -> Path {
    casemate_plugin::path!("/{}", name)
}

/// Ask, and have the answer.
pub(crate) fn ask(request: Request<'_>) -> Result<Response, Refused> {
    let answer = request.send()?;
    if answer.is_success() { Ok(answer) } else { Err(refused(&answer)) }
}

/// Ask for something in JSON.
pub(crate) fn json<T: DeserializeOwned>(request: Request<'_>) -> Result<T, Refused> {
    ask(request)?.json().map_err(|failure| Refused { code: String::new(), failure })
}

/// Ask for something in XML: the texts that these elements hold.
pub(crate) fn texts(request: Request<'_>, name: &str) -> Result<Vec<String>, Refused> {
    let answer = ask(request)?;
    let body = String::from_utf8_lossy(answer.bytes());
    Ok(xml::texts(&body, name).into_iter().map(str::to_owned).collect())
}

/// Send one change of a technique. What is answered besides a success is not looked at: it may hold a secret, and it says nothing that a
/// read would not.
pub(crate) fn change(technique: Technique, request: Request<'_>) -> Result<(), Refused> {
    let unknown = |why: &str| Refused { code: String::new(), failure: CHANGE.unknown(why) };
    match request.header(TECHNIQUE, technique.id()).timeout(CHANGE.patience).send() {
        Ok(answer) if answer.is_success() => Ok(()),
        Ok(answer) if answer.status() >= 500 => Err(unknown("AWS failed while it worked on it")),
        Ok(answer) => Err(refused(&answer)),
        Err(SendError::TimedOut(_)) => Err(unknown("AWS did not answer in time")),
        Err(SendError::Broken(_) | SendError::TooLarge(_)) => Err(unknown("AWS's answer broke off")),
        Err(error) => Err(error.into()),
    }
}

/// `{"__type": "TrailNotFoundException", …}`, also with a namespace before it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(rename = "__type")]
    kind: Verbatim<120>,
}

fn code(answer: &Response) -> String {
    let text = String::from_utf8_lossy(answer.bytes());
    let code = match xml::texts(&text, "Code").first() {
        Some(code) => (*code).to_owned(),
        None => {
            let Object(Said { kind }): Object<Said> = serde_json::from_slice(answer.bytes()).unwrap_or_default();
            kind.as_str().rsplit('#').next().unwrap_or_default().to_owned()
        }
    };
    let fits = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    if fits { code } else { String::new() }
}

fn refused(answer: &Response) -> Refused {
    let code = code(answer);
    let failure = match (answer.status(), code.as_str()) {
        (_, "Throttling" | "ThrottlingException" | "SlowDown" | "RequestLimitExceeded") | (429, _) => {
            Failure::rate_limited("AWS wants fewer requests")
        }
        (
            _,
            "SignatureDoesNotMatch"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "ExpiredToken"
            | "UnrecognizedClientException",
        ) => Failure::unauthorized(
            "AWS refused the keys; the operator has to set valid ones, and the region that they are used in",
        ),
        (401 | 403, _) | (_, "AccessDenied" | "AccessDeniedException") => {
            Failure::unauthorized("AWS refused this: the role lacks the permission, or it is not this account's")
        }
        (404, _) => Failure::not_found("AWS does not have it"),
        (500..=599, _) => Failure::unavailable(format!("AWS is out of order (status {})", answer.status())),
        (status, _) => Failure::upstream(format!("AWS does not accept this (status {status})")),
    };
    Refused { failure: failure.with_code(&code).with_retry_after(answer.retry_after()), code }
}
