//! The audit log: a table that follows what is written, with filters and pages.

use casemate_audit::{Entry, Filter};
use http::StatusCode;
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    console::{
        form::Fields,
        part::{Kind, data, frame, head, nothing, state, table, text, time},
        route::{Answer, Desk},
    },
    exit::Failure,
    trail,
};

/// Records of one page.
const ROWS: usize = 50;

/// The fields of the filter: name, word, and what may be written there.
const FIELDS: [Field; 3] =
    [("principal", "Who", "token:ci"), ("tool", "Tool", "its served name"), ("target", "Target", "part of a target or a URL")];

/// Those that are asked for less often.
const MORE: [Field; 6] = [
    ("type", "Type", "intent, plugin"),
    ("approval", "Approval", "its id"),
    ("call", "Call", "its id"),
    ("trace", "Trace", "32 hex digits"),
    ("since", "From (UTC)", "2026-01-31, 2h"),
    ("until", "Until (UTC)", "2026-01-31T18:00:00Z"),
];

type Field = (&'static str, &'static str, &'static str);

/// The newest records that fit, the newest first.
pub(in crate::console) fn list(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let query = &desk.asked.query;
    let filter = filter(query)?;
    let before = query.get("before").and_then(|cursor| cursor.split_once('~'));
    let target = query.get("target").map(str::to_lowercase);
    let fits = |entry: &Entry| {
        before.is_none_or(|cursor| (entry.occurred_at(), entry.event_id()) < cursor)
            && target.as_ref().is_none_or(|target| is_about(entry, target))
    };
    let state = &desk.console.state;
    let mut found = trail::recent(state, &filter)?;
    found.retain(fits);
    // What was written lately is read first: it is all of it, or enough.
    if found.len() <= ROWS {
        found = trail::records(state, &filter, None)?;
        found.retain(fits);
    }
    let older = found.len() > ROWS;
    let shown: Vec<Entry> = found.into_iter().rev().take(ROWS).collect();
    let cursor = shown.last().filter(|_| older).map(|last| format!("{}~{}", last.occurred_at(), last.event_id()));
    let body = html! {
        (head("Audit", "Every decision, before its effect, in chains that cannot be changed unnoticed."))
        (form(query))
        div data-live=[before.is_none().then_some("records")] {
            @if shown.is_empty() { (nothing("No record fits.")) } @else { (rows(&shown)) }
        }
        nav.pages aria-label="Pages" {
            @if before.is_some() { a href={ "/console/audit?" (query.with("before", None)) } { "Newest" } }
            @if let Some(cursor) = cursor { a rel="next" href={ "/console/audit?" (query.with("before", Some(&cursor))) } { "Older" } }
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, "Audit", "audit", &body)))
}

fn filter(query: &Fields) -> Result<Filter, Failure> {
    let text = |name: &str| query.get(name).map(str::to_owned);
    let moment = |name: &str| {
        query.get(name).map(|at| trail::moment(at).map_err(|error| Failure::invalid(format!("{name}: {error}")))).transpose()
    };
    Ok(Filter {
        principal: text("principal"),
        tool: text("tool"),
        event_type: text("type"),
        outcome: text("outcome"),
        approval: text("approval"),
        call_id: text("call"),
        trace: text("trace"),
        since: moment("since")?,
        until: moment("until")?,
        ..Filter::default()
    })
}

/// Whether a text is in what a call names, was asked with, or sent.
fn is_about(entry: &Entry, target: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(target);
    let urls = entry
        .field("requests")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|request| request.get("url")?.as_str());
    entry.targets().chain(urls).any(has) || entry.field("arguments").is_some_and(|arguments| has(&arguments.to_string()))
}

fn form(query: &Fields) -> Markup {
    html! {
        form.filter method="get" action="/console/audit" role="search" aria-label="Filter" {
            @for field in FIELDS { (asked(query, field)) }
            div {
                label for="by-outcome" { "Outcome" }
                select #by-outcome name="outcome" {
                    @for outcome in ["", "allowed", "denied", "deferred", "error", "unknown"] {
                        option value=(outcome) selected[query.get("outcome").unwrap_or_default() == outcome] { (if outcome.is_empty() { "any" } else { outcome }) }
                    }
                }
            }
            details open[MORE.iter().any(|(name, ..)| query.get(name).is_some())] {
                summary { "More filters" }
                div.more { @for field in MORE { (asked(query, field)) } }
            }
            div.buttons {
                button type="submit" { "Filter" }
                a href="/console/audit" { "All" }
            }
        }
    }
}

fn asked(query: &Fields, (name, word, hint): Field) -> Markup {
    html! {
        div {
            label for={ "by-" (name) } { (word) }
            input id={ "by-" (name) } name=(name) value=(query.get(name).unwrap_or_default()) placeholder=(hint) autocapitalize="none" spellcheck="false";
        }
    }
}

/// Records as rows: when, what came of it, who, what, and why.
pub(super) fn rows(entries: &[Entry]) -> Markup {
    let rows: Vec<Vec<Markup>> = entries.iter().map(row).collect();
    table("Records", &["When (UTC)", "Outcome", "Type", "Who", "What", "Why"], &rows)
}

fn row(entry: &Entry) -> Vec<Markup> {
    let fact = |name: &str| entry.field(name).or_else(|| entry.field("fields")?.get(name)).and_then(Value::as_str).map(text);
    let what = if entry.tool_name().is_empty() {
        fact("plugin").or_else(|| fact("approval")).unwrap_or_default()
    } else {
        text(entry.tool_name())
    };
    let why: Vec<String> =
        ["ending", "said", "reason", "how"].into_iter().filter_map(fact).filter(|part| !part.is_empty()).collect();
    // Whose word it is, and not through whose session it came.
    let who = fact("approver").unwrap_or_else(|| text(entry.principal_id()));
    vec![
        html! { a href={ "/console/audit/" (text(entry.event_id())) } { (time(entry.occurred_at())) } },
        state(Kind::of_outcome(entry.outcome()), entry.outcome()),
        data(entry.event_type()),
        data(&who),
        data(&what),
        html! { (why.join(": ")) },
    ]
}
