//! A recorded request as Caido has it.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure, Timestamp, clip,
    tolerant::{Flag, Number, Object, Text, Verbatim},
    traffic,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{api, document, field::RequestId};

/// Characters of a URL that is shown.
const URL: usize = 1_000;
/// Characters of a blob: what the answer's limit leaves, or nothing.
const BLOB: usize = 6 << 20;

/// A request, with what of it was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Request {
    id: Verbatim<18>,
    created_at: Number,
    pub(crate) method: Text<20>,
    pub(crate) is_tls: Flag,
    pub(crate) host: Verbatim<255>,
    pub(crate) port: Number,
    pub(crate) sni: Verbatim<255>,
    path: Verbatim<16_384>,
    query: Verbatim<16_384>,
    length: Number,
    raw: Blob,
    pub(crate) response: Object<Response>,
}

/// A response, with what of it was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Response {
    pub(crate) status_code: Number,
    length: Number,
    pub(crate) roundtrip_time: Number,
    pub(crate) raw: Blob,
}

/// Bytes in base64.
#[derive(Debug, Default, Deserialize)]
#[serde(default, transparent)]
pub(crate) struct Blob(Verbatim<BLOB>);

impl Blob {
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.0.as_deref()?).ok()
    }
}

/// A recorded request in one line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    pub(crate) request_id: RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Timestamp>,
    pub(crate) method: String,
    /// Where it went
    host: String,
    /// Where it went
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u32>,
    /// Without the credentials in it
    pub(crate) url: String,
    /// Absent where there was no response
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_bytes: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    runtime: Object<Runtime>,
    request: Object<Request>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runtime {
    version: Text<40>,
}

/// A recorded request, and how the Caido that has it replays.
pub(crate) fn get(cx: &Context, id: &RequestId) -> Result<(Request, Option<Schema>), Failure> {
    let Answer { runtime, request: Object(request) } = api::ask(cx, document::REQUEST, &json!({ "id": id }))?;
    if request.id.as_str().is_empty() {
        return Err(Failure::not_found("Caido has no such request in the project that is open"));
    }
    if request.id.as_str() != id.as_str() {
        return Err(Failure::upstream("Caido answered with another request than the one that was asked for"));
    }
    Ok((request, runtime.0.version.0.as_deref().and_then(Schema::of)))
}

/// The two ways to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// To 0.56: a task is started with what it sends.
    Input,
    /// From 0.57: a task is started with what is drafted.
    Draft,
}

impl Schema {
    /// By the version, such as `v0.56.0`.
    fn of(version: &str) -> Option<Self> {
        let mut numbers = version.trim_start_matches('v').split('.').map(|number| number.parse::<u32>().ok());
        match (numbers.next()??, numbers.next()??) {
            (0, ..=56) => Some(Self::Input),
            _ => Some(Self::Draft),
        }
    }
}

impl Request {
    /// As it was sent.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        self.raw.bytes()
    }

    /// In one line; nothing where it has no id that it could be asked for by.
    pub(crate) fn line(&self) -> Option<Line> {
        let Object(response) = &self.response;
        Some(Line {
            request_id: self.id.as_str().parse().ok()?,
            recorded: self.created_at.0.and_then(|milliseconds| Timestamp::from_unix(milliseconds / 1_000)),
            method: self.method.0.clone().unwrap_or_default(),
            host: clip(self.host.as_str(), 255),
            port: self.port.count(),
            url: self.url(),
            status: response.status_code.count(),
            request_bytes: self.length.count(),
            response_bytes: response.length.count(),
        })
    }

    fn url(&self) -> String {
        let scheme = if self.is_tls.0 == Some(true) { "https" } else { "http" };
        let port = match (scheme, self.port.count()) {
            (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let (path, query) = (self.path.0.as_deref().unwrap_or("/…"), self.query.0.as_deref().unwrap_or("…"));
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        clip(&format!("{scheme}://{}{port}{}", self.host.as_str(), traffic::url(&target)), URL)
    }
}

#[cfg(test)]
mod tests {
    use super::Schema;

    #[test]
    fn versions_tell_the_two_ways_apart() {
        for (version, schema) in [
            ("v0.56.0", Some(Schema::Input)),
            ("0.48.1", Some(Schema::Input)),
            ("0.57.0", Some(Schema::Draft)),
            ("v0.58.3-beta", Some(Schema::Draft)),
            ("1.0", Some(Schema::Draft)),
            ("", None),
            ("dev", None),
            ("0", None),
        ] {
            assert_eq!(Schema::of(version), schema, "{version}");
        }
    }
}
