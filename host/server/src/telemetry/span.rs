//! A call as spans: one for the call, whose id is the call's, and beneath it one for each stage and each request that left.
//!
//! Of a request it says who was asked, by which contract, and what came of it: no URL, no header, no body.

use std::time::Instant;

use casemate_sandbox::{Exchange, ExchangeStatus};
use serde_json::{Value, json};

use super::{
    otlp::{hex, nanos, number, resource, scope, text},
    resource::Teller,
    stage::Stage,
    watch::Story,
};

/// Endings that are no fault: a result, a plan, and what a rule or a person says.
const WELL: [&str; 4] = ["returned", "planned", "denied", "deferred"];
/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK` of the protocol.
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;
/// The trace is recorded.
const SAMPLED: u32 = 1;
/// `SpanKind` of the protocol.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// A call and what is beneath it.
pub(super) fn spans(story: &Story) -> Vec<Value> {
    let (trace, parent) = (hex(&story.known.lineage.trace_bytes()), hex(&story.known.lineage.span_bytes()));
    let mut ids = Ids::new(story.seen.stages.len() + story.seen.requests.len());
    let mut beneath = |name: String, kind: u8, (from, to): (Instant, Instant), attributes: Vec<Value>, fault: bool| {
        json!({
            "traceId": trace,
            "spanId": ids.next(),
            "parentSpanId": parent,
            "flags": SAMPLED | PARENT_IS_KNOWN,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": when(story, from),
            "endTimeUnixNano": when(story, to),
            "attributes": attributes,
            "status": status(fault),
        })
    };
    let mut spans = vec![call(story)];
    spans.extend(story.seen.stages.iter().map(|(stage, from, to)| {
        let attributes = vec![text("casemate.stage", stage.as_str())];
        beneath(stage.as_str().to_owned(), INTERNAL, (*from, *to), attributes, false)
    }));
    spans.extend(story.seen.requests.iter().map(|exchange| {
        let name = format!("{} {}", exchange.method.as_str(), exchange.upstream);
        let (attributes, fault) = request(exchange);
        beneath(name, CLIENT, (exchange.began, exchange.ended.unwrap_or(story.ended)), attributes, fault)
    }));
    spans
}

fn call(story: &Story) -> Value {
    let (known, seen, outcome) = (&story.known, &story.seen, story.outcome());
    let mut attributes = vec![
        text("casemate.call_id", &known.call_id),
        text("casemate.tool", &known.subject.tool),
        text("casemate.plugin", &known.subject.plugin),
        text("casemate.effect", known.subject.effect),
        text("casemate.decision", decision(story)),
        text("casemate.outcome", &outcome),
        text("casemate.via", known.via),
    ];
    attributes.extend(known.principal.as_ref().map(|principal| text("casemate.principal", principal)));
    attributes.extend(seen.mode.map(|mode| text("casemate.mode", mode)));
    attributes.extend(seen.fuel.map(|fuel| number("casemate.fuel", i64::try_from(fuel).unwrap_or(i64::MAX))));
    if let Some((layer, reason)) = &seen.denial {
        attributes.extend([text("casemate.denied.layer", layer), text("casemate.denied.reason", reason)]);
    }
    let parent = known.lineage.parent_bytes();
    json!({
        "traceId": hex(&known.lineage.trace_bytes()),
        "spanId": hex(&known.lineage.span_bytes()),
        "parentSpanId": parent.map(|parent| hex(&parent)).unwrap_or_default(),
        "flags": SAMPLED | PARENT_IS_KNOWN | if parent.is_some() { PARENT_IS_REMOTE } else { 0 },
        "name": "call",
        "kind": SERVER,
        "startTimeUnixNano": nanos(story.began.1),
        "endTimeUnixNano": when(story, story.ended),
        "attributes": attributes,
        "status": status(!WELL.contains(&&*outcome)),
    })
}

/// What was decided on the call, whatever came of it.
fn decision(story: &Story) -> &'static str {
    let ran = story.seen.stages.iter().any(|(stage, ..)| *stage == Stage::Sandbox);
    match &*story.outcome() {
        "deferred" => "deferred",
        "denied" => "denied",
        _ if ran => "permitted",
        _ => "none",
    }
}

/// What is told of a request, and whether it went wrong.
fn request(exchange: &Exchange) -> (Vec<Value>, bool) {
    let mut attributes = vec![
        text("http.request.method", exchange.method.as_str()),
        text("casemate.upstream", exchange.upstream.as_str()),
        text("casemate.contract", exchange.contract.as_str()),
        text("casemate.effect", exchange.effect.as_str()),
    ];
    let fault = match exchange.status {
        ExchangeStatus::Answered { status, .. } => {
            attributes.push(number("http.response.status_code", status.into()));
            (status >= 400).then(|| status.to_string())
        }
        ExchangeStatus::NotSent { .. } => Some("not-sent".to_owned()),
        ExchangeStatus::Broken { .. } => Some("broken".to_owned()),
        ExchangeStatus::Pending => Some("cut-off".to_owned()),
    };
    attributes.extend(fault.as_ref().map(|fault| text("error.type", fault)));
    (attributes, fault.is_some())
}

/// `STATUS_CODE_ERROR`, or nothing.
fn status(fault: bool) -> Value {
    if fault { json!({ "code": 2 }) } else { json!({}) }
}

fn when(story: &Story, at: Instant) -> String {
    nanos(story.began.1 + at.saturating_duration_since(story.began.0))
}

/// Spans as they are sent.
pub(super) fn wrapped(spans: Vec<Value>, teller: &Teller) -> Vec<u8> {
    let scoped = json!({ "scope": scope(), "spans": spans });
    json!({ "resourceSpans": [{ "resource": resource(teller), "scopeSpans": [scoped] }] }).to_string().into_bytes()
}

/// Ids of spans: random, and drawn all at once.
struct Ids(std::vec::IntoIter<u8>);

impl Ids {
    fn new(count: usize) -> Self {
        let mut bytes = vec![0; count * 8];
        // Without random bytes they are only less unique; nothing is secured by them.
        let _ = getrandom::fill(&mut bytes);
        Self(bytes.into_iter())
    }

    fn next(&mut self) -> String {
        hex(&self.0.by_ref().take(8).collect::<Vec<u8>>())
    }
}
