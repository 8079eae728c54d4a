//! Sending a copy of a recorded request again.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use casemate_plugin::{
    Change, Context, Failure, Readable, clip,
    field::{List, Passage},
    path,
    tolerant::{Flag, Number, Object, Text, Verbatim},
    traffic::{self, Changes, Headers, Parameter, RequestPath},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::FlowId,
    message::{self, Body, Header},
};

const REPLAY: Change = Change {
    service: "mitmproxy",
    unknown: "the request may have been sent; look with get_requests for one that is a replay",
    patience: Duration::from_secs(15),
};

/// Methods whose requests have a body.
const WITH_BODY: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// Arguments of `replay_request`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that get_requests gave
    flow_id: FlowId,
    /// Another path; the query stays
    #[serde(default)]
    path: Option<RequestPath>,
    /// Parameters of the query that get another value; the others stay. None that is a credential
    #[serde(default)]
    query: List<Parameter, 8>,
    /// Headers that get another value; the others stay
    #[serde(default)]
    headers: Option<Headers>,
    /// Another body, of a POST, PUT, PATCH or DELETE
    #[serde(default)]
    body: Option<Passage<16_384>>,
}

/// What is stored, as far as a replay needs it. The gate reads the same answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stored {
    id: Verbatim<36>,
    method: Verbatim<20>,
    target: Verbatim<300>,
    has_body: Flag,
    obstacle: Text<100>,
}

/// What mitmproxy is asked for: what it has stored, and what is to be another.
#[derive(Debug, Serialize)]
struct Order<'a> {
    method: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a RequestPath>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<&'a Headers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

/// What became of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outcome {
    id: Verbatim<36>,
    status: Number,
    error: Text<200>,
    headers: message::Headers,
}

/// What a replay led to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The copy that was sent
    flow_id: FlowId,
    /// The recorded request that it is a copy of
    copy_of: FlowId,
    method: String,
    target: String,
    /// Absent where there was no response, or not yet
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    response_headers: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<Body>,
}

pub(crate) fn replay(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Arguments { flow_id, path, query, headers, body } = args;
    let changes = Changes {
        path: path.as_ref(),
        query: query.as_slice(),
        headers: headers.as_ref(),
        body: body.as_ref().map(Passage::as_str),
    };
    let query = changes.query()?;
    let Object(stored): Object<Stored> = api::get(cx, path!("/casemate/flows/{}", flow_id))?;
    if stored.id.as_str() != flow_id.as_str() {
        return Err(Failure::upstream("mitmproxy answered with another flow than the one that was asked for"));
    }
    let (method, target) = (stored.method.as_str(), stored.target.as_str());
    if stored.obstacle.0.is_some() {
        return Err(Failure::invalid_arguments(
            "nothing was sent: mitmproxy cannot replay this flow, which is not over, is a WebSocket, or lacks its content",
        ));
    }
    if changes.body.is_some() && !WITH_BODY.contains(&method) && stored.has_body.0 != Some(true) {
        return Err(Failure::invalid_arguments(format!(
            "nothing was sent: the recorded request is a `{}`, without a body",
            clip(method, 20)
        )));
    }
    let order = Order { method, target, path: changes.path, query, headers: changes.headers, body: changes.body };
    let request = api::mitmproxy(cx).post(path!("/casemate/flows/{}/replay", flow_id)).json(&order);
    let Object(outcome): Object<Outcome> = REPLAY.send(request, api::refused)?;
    let Ok(copy) = outcome.id.as_str().parse::<FlowId>() else {
        return Err(REPLAY.unknown("mitmproxy took it and did not say which flow it became"));
    };
    if copy == flow_id {
        return Err(Failure::upstream(
            "mitmproxy says that it replayed the recorded request itself and not a copy; somebody has to look",
        ));
    }
    let response_body = match outcome.status.count() {
        Some(_) => outcome.headers.body(cx, path!("/flows/{}/response/content.data", copy), None),
        None => None,
    };
    Ok(Report {
        method: clip(method, 20),
        target: clip(target, 300),
        flow_id: copy,
        status: outcome.status.count(),
        error: outcome.error.0.map(|error| clip(&traffic::text(&error), 200)),
        response_headers: outcome.headers.shown(),
        response_body,
        copy_of: flow_id,
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { flow_id, copy_of, method, target, status, error, .. } = self;
        let mut text = match (status, error) {
            (Some(status), _) => format!("{method} to {target} answered {status}"),
            (None, Some(error)) => format!("{method} to {target} got no response: {error}"),
            (None, None) => format!("{method} to {target} is not answered yet; look with get_request"),
        };
        let _ = write!(text, "; {flow_id} is the copy of {copy_of} that was sent");
        for Header { name, value } in &self.response_headers {
            let _ = write!(text, "\n{name}: {value}");
        }
        if let Some(Body { text: body, .. }) = &self.response_body {
            let _ = write!(text, "\n\n{body}");
        }
        text
    }
}
