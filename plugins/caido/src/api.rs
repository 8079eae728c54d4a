//! Caido's GraphQL API: every answer has status 200, and says what went wrong in `errors`, or in the `error` of a payload.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Request, Response, path,
    tolerant::{Few, Object, Text},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::document::Document;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "caido";
/// How long an answer may take. Caido is beside us, and keeps nobody waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// A document and its variables.
#[derive(Debug, Serialize)]
struct Asked<'a, V> {
    #[serde(rename = "operationName")]
    operation: &'static str,
    query: &'static str,
    variables: &'a V,
}

/// `{"data": …, "errors": […]}`
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound = "T: Deserialize<'de> + Default")]
struct Said<T> {
    data: Object<T>,
    errors: Few<Object<Fault>, 1>,
}

/// `{"message": …, "extensions": {"CAIDO": {"code": …}}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    extensions: Object<Extensions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extensions {
    #[serde(rename = "CAIDO")]
    caido: Object<Extension>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extension {
    code: Text<60>,
}

/// The `error` of a payload: one of several types, of which the name says enough.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Declined {
    #[serde(rename = "__typename")]
    kind: Text<60>,
}

impl Declined {
    /// What Caido's reason means, if it gave one; nothing was done then.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let kind = self.kind.0.as_deref()?;
        let failure = match kind {
            "UnknownIdUserError" => Failure::not_found("Caido does not know this request or session"),
            "TaskInProgressUserError" => Failure::rate_limited("another task of this session is under way"),
            "PermissionDeniedUserError" => Failure::unauthorized("Caido does not let this token do that"),
            "CloudUserError" => Failure::unauthorized("Caido's plan does not let this instance do that"),
            _ => Failure::upstream("Caido declined without a reason that is known here"),
        };
        Some(failure.with_code(kind))
    }
}

fn request<'cx>(cx: &'cx Context, document: Document, variables: &impl Serialize) -> Request<'cx> {
    let asked = Asked { operation: document.operation, query: document.text, variables };
    cx.upstream(UPSTREAM).post(path!("/graphql")).json(&asked)
}

/// Ask for something.
pub(crate) fn ask<T: DeserializeOwned + Default>(
    cx: &Context,
    document: Document,
    variables: &impl Serialize,
) -> Result<T, Failure> {
    let answer = request(cx, document, variables).timeout(PATIENCE).send()?;
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let said: Said<T> = answer.json()?;
    read(said)
}

/// Ask for a change, whose outcome somebody has to know.
pub(crate) fn change<T: DeserializeOwned + Default>(
    cx: &Context,
    change: Change,
    document: Document,
    variables: &impl Serialize,
) -> Result<T, Failure> {
    let said: Said<T> = change.send(request(cx, document, variables), refused)?;
    read(said)
}

fn read<T>(Said { data: Object(data), errors }: Said<T>) -> Result<T, Failure> {
    match errors.0.into_iter().next() {
        None => Ok(data),
        Some(Object(fault)) => Err(failure(fault.extensions.0.caido.0.code.0.as_deref().unwrap_or_default())),
    }
}

/// A status that is no success: not GraphQL's word, but the server's.
fn refused(answer: &Response) -> Failure {
    match answer.status() {
        401 | 403 => Failure::unauthorized("Caido refused the token; it lasts a week, and the operator has to set a new one"),
        404 => Failure::upstream("there is no /graphql here; is it Caido?"),
        429 => Failure::rate_limited("Caido wants fewer requests"),
        500..=599 => Failure::unavailable(format!("Caido is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("Caido answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}

fn failure(code: &str) -> Failure {
    match code {
        "AUTHORIZATION" => {
            Failure::unauthorized("Caido refused the token; it lasts a week, and the operator has to set a new one")
        }
        "CLOUD" => Failure::unauthorized("Caido's plan does not let this instance do that"),
        "INTERNAL" => Failure::unavailable("Caido is out of order"),
        _ => Failure::upstream(
            "Caido does not understand what it was asked: the filter, or all of it where it is not 0.56 to 0.58",
        ),
    }
    .with_code(code)
}
