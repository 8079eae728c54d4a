//! One recorded request and its response.

use casemate_plugin::{Context, Failure, Readable, clip_lines, traffic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    field::RequestId,
    stored::{self, Line},
};

/// Bytes of a message that are looked at. More than is shown, so that nothing is cut before its credentials are found.
const LOOKED_AT: usize = 64 << 10;
/// Characters of a message that are shown.
const SHOWN: usize = 8_000;

/// Arguments of `get_request`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that get_requests gave
    request_id: RequestId,
}

/// A request and its response.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    #[serde(flatten)]
    line: Line,
    /// Its beginning, without credentials that are known by place, name or form
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    /// Its beginning, without credentials that are known by place, name or form
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
}

pub(crate) fn report(Arguments { request_id }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let (stored, _) = stored::get(cx, &request_id)?;
    let Some(line) = stored.line() else {
        return Err(Failure::upstream("Caido answered with something that is no request"));
    };
    let request = stored.bytes().map(|raw| shown(&raw));
    let response = stored.response.0.raw.bytes().map(|raw| shown(&raw));
    Ok(Report { line, request, response })
}

/// The beginning of a message, without its credentials.
pub(crate) fn shown(raw: &[u8]) -> String {
    let beginning = raw.get(..LOOKED_AT).unwrap_or(raw);
    // A letter that is cut in two would make the body no text.
    let whole = match std::str::from_utf8(beginning) {
        Err(error) if error.error_len().is_none() => beginning.get(..error.valid_up_to()).unwrap_or(beginning),
        _ => beginning,
    };
    clip_lines(&traffic::message(whole), SHOWN)
}

impl Readable for Report {
    fn text(&self) -> String {
        let Line { request_id, method, url, .. } = &self.line;
        let part = |message: &Option<String>, none: &str| message.clone().unwrap_or_else(|| none.to_owned());
        let (request, response) = (part(&self.request, "(it cannot be shown)"), part(&self.response, "no response"));
        format!("{request_id} {method} {url}\n\n{request}\n\n{response}")
    }
}
