//! Sending a copy of a recorded request again.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use casemate_plugin::{
    Change, Context, Failure, Readable, clip,
    field::{List, Passage},
    leak, path,
    tolerant::{Flag, Number, Object, Text, Verbatim},
    traffic,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::{FlowId, ParameterName, RequestPath, Value},
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

/// A parameter of the query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameter {
    name: ParameterName,
    value: Value,
}

/// The headers that can be changed: none of them proves who somebody is, or says where the request goes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Headers {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept_language: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_modified_since: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    if_none_match: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    referer: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_agent: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x_requested_with: Option<Value>,
}

impl Headers {
    fn values(&self) -> impl Iterator<Item = &Value> {
        let Self { accept, accept_language, content_type, if_modified_since, if_none_match, .. } = self;
        let Self { origin, referer, user_agent, x_requested_with, .. } = self;
        [accept, accept_language, content_type, if_modified_since, if_none_match, origin, referer, user_agent, x_requested_with]
            .into_iter()
            .flatten()
    }
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
    body: Option<&'a Passage<16_384>>,
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
    let query = harmless(&args)?;
    let Object(stored): Object<Stored> = api::get(cx, path!("/casemate/flows/{}", args.flow_id))?;
    if stored.id.as_str() != args.flow_id.as_str() {
        return Err(Failure::upstream("mitmproxy answered with another flow than the one that was asked for"));
    }
    let (method, target) = (stored.method.as_str(), stored.target.as_str());
    if stored.obstacle.0.is_some() {
        return Err(Failure::invalid_arguments(
            "nothing was sent: mitmproxy cannot replay this flow, which is not over, is a WebSocket, or lacks its content",
        ));
    }
    if args.body.is_some() && !WITH_BODY.contains(&method) && stored.has_body.0 != Some(true) {
        return Err(Failure::invalid_arguments(format!(
            "nothing was sent: the recorded request is a `{}`, without a body",
            clip(method, 20)
        )));
    }
    let Arguments { flow_id, path, headers, body, .. } = &args;
    let order = Order { method, target, path: path.as_ref(), query, headers: headers.as_ref(), body: body.as_ref() };
    let request = api::mitmproxy(cx).post(path!("/casemate/flows/{}/replay", flow_id)).json(&order);
    let Object(outcome): Object<Outcome> = REPLAY.send(request, api::refused)?;
    let Ok(copy) = outcome.id.as_str().parse::<FlowId>() else {
        return Err(REPLAY.unknown("mitmproxy took it and did not say which flow it became"));
    };
    if copy == *flow_id {
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
        copy_of: args.flow_id,
    })
}

/// The parameters to change, where nothing that is changed is a credential or holds one.
fn harmless(args: &Arguments) -> Result<BTreeMap<&str, &str>, Failure> {
    let mut query = BTreeMap::new();
    for Parameter { name, value } in args.query.as_slice() {
        if traffic::is_credential(name.as_str()) {
            return Err(refusal(format!("`{name}` is a credential, which stays as it was recorded")));
        }
        if query.insert(name.as_str(), value.as_str()).is_some() {
            return Err(refusal(format!("`{name}` is there twice")));
        }
    }
    let headers = args.headers.iter().flat_map(Headers::values).map(Value::as_str);
    let body = args.body.as_ref().map(Passage::as_str);
    let texts = query.values().copied().chain(headers).chain(args.path.as_ref().map(RequestPath::as_str)).chain(body);
    if let Some(what) = texts.into_iter().find_map(leak::found) {
        return Err(refusal(format!(
            "what is to be changed holds {what}; a request is replayed with the credentials it had, and no others"
        )));
    }
    let referer = args.headers.as_ref().and_then(|headers| headers.referer.as_ref()).map(Value::as_str);
    if referer.is_some_and(|referer| traffic::url(referer) != referer) {
        return Err(refusal("the referer holds a credential".to_owned()));
    }
    Ok(query)
}

fn refusal(why: String) -> Failure {
    Failure::invalid_arguments(format!("nothing was sent: {why}"))
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
