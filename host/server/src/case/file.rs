//! A case as it stands in a file. Unknown words are errors.

use std::collections::BTreeMap;

use casemate_sandbox::{Expected, Received};
use casemate_signing::manifest::{DimensionName, Method, SourceName, ToolName, UpstreamName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Body, CaseError};

/// `tests/recorded/NAME.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// A line for whoever reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
    /// The tool's own name, without the plugin's.
    pub(crate) tool: ToolName,
    /// What it is called with.
    pub(crate) arguments: Map<String, Value>,
    /// The operator's settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) settings: Map<String, Value>,
    /// Targets that the call is granted; none where it is silent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) scope: BTreeMap<DimensionName, Vec<String>>,
    /// Whether a tool above `read` is run for real, against the recording, and not dry.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) execute: bool,
    /// Where upstreams are said to be, for answers that hold whole URLs. Nothing there is contacted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) origins: BTreeMap<UpstreamName, String>,
    /// What is in its byte sources.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) sources: BTreeMap<SourceName, Body>,
    /// What its upstreams are asked and answer.
    #[serde(default)]
    pub(crate) exchanges: Vec<Exchange>,
    /// How it has to end.
    pub(crate) expect: Expect,
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) response: Response,
}

/// A request that has to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) upstream: UpstreamName,
    pub(crate) method: Method,
    /// Path and query, percent-encoded as sent.
    pub(crate) path: String,
    /// Headers that have to be there, among others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Body>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Response {
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Body>,
}

/// How a call has to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Expect {
    /// With a result.
    Returned {
        /// The structured result, whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        structured: Option<Value>,
        /// The structured result, in part: objects may hold more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        includes: Option<Value>,
        /// A part of the text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// With a failure that the plugin reports.
    Failed {
        kind: String,
        /// A part of its message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// With the requests that a dry run would have sent.
    Planned { plan: Vec<Request> },
    /// With the host's no: a layer's reason for the call, or the gate's for a request.
    Refused { reason: String },
}

impl Expect {
    /// The word in the file.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Returned { .. } => "returned",
            Self::Failed { .. } => "failed",
            Self::Planned { .. } => "planned",
            Self::Refused { .. } => "refused",
        }
    }
}

impl Request {
    pub(super) fn expected(&self) -> Result<Expected, CaseError> {
        if !self.path.starts_with('/') {
            return Err(CaseError::Path { path: self.path.clone() });
        }
        Ok(Expected {
            upstream: self.upstream.clone(),
            method: self.method,
            path: self.path.clone(),
            headers: self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect(),
            body: Body::expected(self.body.as_ref(), &self.path)?,
        })
    }
}

impl Response {
    pub(super) fn received(&self, at: &str) -> Result<Received, CaseError> {
        // An informational answer is not the whole answer, and other numbers are no answer at all (RFC 9110, section 15).
        if !(200..600).contains(&self.status) {
            return Err(CaseError::Status { at: at.to_owned(), status: self.status });
        }
        Ok(Received {
            status: self.status,
            headers: self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone().into_bytes())).collect(),
            body: self.body.as_ref().map(|body| body.bytes(at)).transpose()?.unwrap_or_default(),
        })
    }
}
