//! One recorded request and its response.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, path, tolerant::Object};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    field::FlowId,
    flow::{self, Line},
    message::{Body, Header},
};

/// Arguments of `get_request`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that get_requests gave
    flow_id: FlowId,
    /// Whether to show the beginning of the bodies, where they are text
    #[serde(default)]
    include_bodies: bool,
}

/// A request and its response.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    #[serde(flatten)]
    line: Line,
    http_version: String,
    request_headers: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    response_headers: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<Body>,
}

pub(crate) fn report(Arguments { flow_id, include_bodies }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let found = flow::all(cx)?.into_iter().find(|flow| flow.id.as_str() == flow_id.as_str());
    let Some((flow, line)) = found.and_then(|flow| flow.line().map(|line| (flow, line))) else {
        return Err(Failure::not_found(
            "mitmproxy has no such request; it may have been cleared, or be hidden by mitmweb's filter",
        ));
    };
    let (Object(request), Object(response)) = (flow.request, flow.response);
    let (request_body, response_body) = if include_bodies {
        let sent = request.headers.body(cx, path!("/flows/{}/request/content.data", flow_id), request.length.count());
        let came = response
            .status_code
            .0
            .and_then(|_| response.headers.body(cx, path!("/flows/{}/response/content.data", flow_id), response.length.count()));
        (sent, came)
    } else {
        (None, None)
    };
    Ok(Report {
        line,
        http_version: request.http_version.0.unwrap_or_default(),
        request_headers: request.headers.shown(),
        request_body,
        reason: response.reason.0,
        response_headers: response.headers.shown(),
        response_body,
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Line { method, url, status, .. } = &self.line;
        let mut text = format!("{method} {url} {}", self.http_version);
        let part = |text: &mut String, headers: &[Header], body: Option<&Body>| {
            for Header { name, value } in headers {
                let _ = write!(text, "\n{name}: {value}");
            }
            if let Some(Body { text: body, .. }) = body {
                let _ = write!(text, "\n\n{body}");
            }
        };
        part(&mut text, &self.request_headers, self.request_body.as_ref());
        match status {
            Some(status) => {
                let _ = write!(text, "\n\n{status} {}", self.reason.as_deref().unwrap_or_default());
                part(&mut text, &self.response_headers, self.response_body.as_ref());
            }
            None => text.push_str("\n\nno response"),
        }
        text
    }
}
