//! A flow as mitmweb describes it.

use casemate_plugin::{
    Context, Failure, Timestamp, clip, path,
    tolerant::{Few, Number, Object, Text, Verbatim},
    traffic,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{api, field::FlowId, message::Headers};

/// Flows of one history; its limit in bytes is reached before.
const MOST: usize = 50_000;
/// Characters of a URL that is shown.
const URL: usize = 1_000;

/// One of the things that mitmproxy records; a request, where `type` says so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Flow {
    pub(crate) id: Verbatim<36>,
    r#type: Verbatim<8>,
    is_replay: Text<16>,
    timestamp_created: Seconds,
    pub(crate) error: Object<Trouble>,
    pub(crate) request: Object<Request>,
    pub(crate) response: Object<Response>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Trouble {
    msg: Text<200>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Request {
    pub(crate) method: Text<20>,
    scheme: Verbatim<8>,
    host: Verbatim<255>,
    port: Number,
    path: Verbatim<16_384>,
    pub(crate) http_version: Text<16>,
    pub(crate) headers: Headers,
    #[serde(rename = "contentLength")]
    pub(crate) length: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Response {
    pub(crate) status_code: Number,
    pub(crate) reason: Text<80>,
    pub(crate) headers: Headers,
    #[serde(rename = "contentLength")]
    pub(crate) length: Number,
}

/// Seconds since 1970, with a fraction.
#[derive(Debug, Default)]
struct Seconds(Option<Timestamp>);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = serde_json::Value::deserialize(deserializer)?.as_f64().filter(|seconds| (1.0..1e11).contains(seconds));
        // What is left has no fraction that matters and fits.
        #[expect(clippy::cast_possible_truncation, reason = "it is less than 1e11")]
        Ok(Self(seconds.and_then(|seconds| Timestamp::from_unix(seconds as i64))))
    }
}

/// A recorded request in one line.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    pub(crate) flow_id: FlowId,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Timestamp>,
    pub(crate) method: String,
    /// Without the credentials in it
    pub(crate) url: String,
    /// Absent where there was no response
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u32>,
    /// Why there was none
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_bytes: Option<u32>,
    /// Whether it is a replay of another one
    is_replay: bool,
}

/// Everything that mitmproxy has recorded and shows, oldest first.
pub(crate) fn all(cx: &Context) -> Result<Vec<Flow>, Failure> {
    let Few::<Object<Flow>, MOST>(flows) = api::get(cx, path!("/flows"))?;
    Ok(flows.into_iter().map(|flow| flow.0).filter(|flow| flow.r#type.as_str() == "http").collect())
}

impl Flow {
    /// Whether its request is to this host, and by this method.
    pub(crate) fn is(&self, host: Option<&str>, method: Option<&str>) -> bool {
        let Object(request) = &self.request;
        host.is_none_or(|host| request.host.as_str().eq_ignore_ascii_case(host))
            && method.is_none_or(|method| request.method.0.as_deref() == Some(method))
    }

    /// In one line; nothing where it has no id that it could be asked for by.
    pub(crate) fn line(&self) -> Option<Line> {
        let (Object(request), Object(response)) = (&self.request, &self.response);
        Some(Line {
            flow_id: self.id.as_str().parse().ok()?,
            recorded: self.timestamp_created.0,
            method: request.method.0.clone().unwrap_or_default(),
            url: request.url(),
            status: response.status_code.count(),
            error: self.error.0.msg.0.as_deref().map(|error| clip(&traffic::text(error), 200)),
            request_bytes: request.length.count(),
            response_bytes: response.length.count(),
            is_replay: self.is_replay.0.is_some(),
        })
    }
}

impl Request {
    fn url(&self) -> String {
        let (scheme, host) = (self.scheme.as_str(), self.host.as_str());
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = match (scheme, self.port.count()) {
            (_, None) | ("http", Some(80)) | ("https", Some(443)) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let path = match &self.path.0 {
            Some(path) => traffic::url(path),
            None => "/…".to_owned(),
        };
        clip(&format!("{scheme}://{host}{port}{path}"), URL)
    }
}
