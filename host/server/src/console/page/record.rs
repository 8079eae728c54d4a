//! One record whole, and the others of the same call.

use casemate_audit::{Entry, EventId, Filter};
use http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    console::{
        part::{Kind, block, data, facts, frame, head, long, state, table, text, time},
        route::{Answer, Desk},
    },
    exit::Failure,
    trail,
};

/// Show it.
pub(in crate::console) fn show(desk: &Desk<'_>, id: &str) -> Result<Answer, Failure> {
    let id: EventId = id.parse().map_err(Failure::invalid)?;
    let all = trail::records(&desk.console.state, &Filter { event: Some(id), ..Filter::default() }, None)?;
    let entry = all.iter().find(|entry| entry.event_id() == id.to_string());
    let entry = entry
        .ok_or_else(|| Failure::invalid(format!("there is no record `{id}`\nhelp: `casemate audit show` shows every one")))?;
    let call = entry.field("call_id").and_then(Value::as_str).map(str::to_owned);
    let of_call = match &call {
        Some(call) => trail::records(&desk.console.state, &Filter { call_id: Some(call.clone()), ..Filter::default() }, None)?,
        None => all.clone(),
    };
    let fact = |name: &str| entry.field(name).and_then(Value::as_str).unwrap_or_default();
    let title = if entry.tool_name().is_empty() { entry.event_type() } else { entry.tool_name() };
    let why: Vec<String> = ["reason", "message", "ending", "detail"]
        .map(fact)
        .iter()
        .filter(|part| !part.is_empty())
        .map(|part| text(part))
        .collect();
    let mut rows =
        vec![("When", time(entry.occurred_at())), ("Who", data(entry.principal_id())), ("Record", data(entry.event_id()))];
    rows.extend(call.as_deref().map(|call| ("Call", data(call))));
    rows.extend(Some(fact("grant")).filter(|grant| !grant.is_empty()).map(|grant| ("Grant", data(grant))));
    rows.extend((!why.is_empty()).then(|| ("Why", html! { (why.join(": ")) })));
    let body = html! {
        p.crumbs { a href="/console/audit" { "Audit" } }
        (head(title, ""))
        div.summary.card {
            p.top { (state(Kind::of_outcome(entry.outcome()), entry.outcome())) span.quiet { (text(entry.event_type())) } }
            (facts(&rows))
        }
        (verdicts(entry))
        (requests(entry))
        @if call.is_some() { (super::graph::show(desk, entry.event_id())) }
        @if of_call.len() > 1 { section { h2 { "The same call" } (super::audit::rows(&of_call)) } }
        section {
            h2 { "The record" }
            (block("The record", &format!("{:#}", entry.raw)))
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, title, "audit", &body)))
}

fn list<'a>(entry: &'a Entry, name: &str) -> Vec<&'a Value> {
    entry.field(name).and_then(Value::as_array).into_iter().flatten().collect()
}

fn word(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(word)) => text(word),
        Some(other) => text(&other.to_string()),
        None => String::new(),
    }
}

/// What every layer said.
fn verdicts(entry: &Entry) -> Markup {
    let row = |verdict: &&Value| {
        let outcome = word(verdict, "outcome");
        let kind = match outcome.as_str() {
            "pass" | "passed" => Kind::Good,
            "deny" | "denied" => Kind::Bad,
            _ => Kind::Waits,
        };
        vec![
            data(&word(verdict, "layer")),
            state(kind, &outcome),
            html! { (word(verdict, "reason")) },
            html! { (word(verdict, "note")) },
        ]
    };
    let rows: Vec<Vec<Markup>> = list(entry, "verdicts").iter().map(row).collect();
    html! { @if !rows.is_empty() { section { h2 { "What each layer said" } (table("Verdicts", &["Layer", "Verdict", "Reason", "Note"], &rows)) } } }
}

/// What was sent, and what came back.
fn requests(entry: &Entry) -> Markup {
    let row = |request: &&Value| {
        vec![
            html! { span.method { (word(request, "method")) } },
            long(&word(request, "url")),
            super::approval::effect(&word(request, "effect")),
            html! { (word(request, "state")) " " (word(request, "status")) },
        ]
    };
    let rows: Vec<Vec<Markup>> = list(entry, "requests").iter().map(row).collect();
    html! { @if !rows.is_empty() { section { h2 { "Requests" } (table("Requests", &["Method", "URL", "Effect", "Answer"], &rows)) } } }
}
