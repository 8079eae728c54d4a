//! The calls that wait for people, and what became of the others.

use casemate_ledger::{Approval, State};
use http::StatusCode;
use maud::{Markup, html};

use crate::{
    approval::sheet,
    console::{
        part::{Kind, data, frame, head, nothing, state, table, text, time},
        route::{Answer, Desk},
    },
    exit::Failure,
};

/// Closed ones that are listed; the audit log has all.
const CLOSED: usize = 50;

/// What waits, the newest first; then what became of the others.
pub(in crate::console) fn list(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let all = desk.console.ledger.approvals(true, desk.now)?;
    let (open, closed): (Vec<_>, Vec<_>) = all.into_iter().partition(|approval| approval.state == State::Open);
    let body = html! {
        (head("Approvals", "Calls that a person looks at before they are made. Each is for one call, once."))
        section data-live="waits" {
            h2 { "Waiting" span.count { (open.len()) } }
            (waiting(desk, &open))
        }
        section data-live="closed" {
            h2 { "What became of the others" }
            @if closed.is_empty() { (nothing("Nothing yet.")) } @else { (others(&closed)) }
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, "Approvals", "approvals", &body)))
}

/// Those that wait, as cards.
pub(super) fn waiting(desk: &Desk<'_>, open: &[Approval]) -> Markup {
    html! {
        @if open.is_empty() { (nothing("Nothing waits.")) }
        ul.cards {
            @for approval in open {
                @let subject = &approval.open.subject;
                li.card {
                    p.top { (state(Kind::Waits, "waits")) span.quiet { (sheet::left(subject.expires, desk.now)) " left" } }
                    h3 { a href={ "/console/approvals/" (approval.open.id) } { (data(subject.tool.as_str())) } }
                    p { "for " (data(subject.principal.as_str())) " under " (data(subject.grant.as_str())) }
                    p.quiet { (targets(approval)) }
                    (quorum(desk, approval))
                }
            }
        }
    }
}

/// What it would send, in one line.
fn targets(approval: &Approval) -> String {
    let requests = approval.open.subject.plan.get("requests").and_then(serde_json::Value::as_array);
    let first = requests.and_then(|requests| requests.first());
    let word = |name: &str| first.and_then(|first| first.get(name)?.as_str()).map(text).unwrap_or_default();
    match requests.map_or(0, Vec::len) {
        0 => "reads, and changes nothing".to_owned(),
        1 => format!("{} {}", word("method"), word("url")),
        many => format!("{} {} and {} more", word("method"), word("url"), many - 1),
    }
}

/// How many agreed, of how many.
pub(super) fn quorum(desk: &Desk<'_>, approval: &Approval) -> Markup {
    let (people, need) = (sheet::people(approval, &desk.config), sheet::quorum(approval, &desk.config));
    let have = u32::try_from(people.len()).unwrap_or(u32::MAX);
    html! {
        div.quorum {
            meter min="0" max=(need) value=(have.min(need)) aria-label="People who agreed" { (have) " of " (need) }
            span { (have) " of " (need) " agreed" @for name in &people { ", " (data(name.as_str())) } }
        }
    }
}

/// The state of one, in a word.
pub(super) fn standing(approval: &Approval) -> Markup {
    let word = approval.state.as_str();
    let kind = match word {
        "open" => Kind::Waits,
        "used" => Kind::Good,
        "denied" => Kind::Bad,
        _ => Kind::Quiet,
    };
    state(kind, if word == "open" { "waits" } else { word })
}

fn others(closed: &[Approval]) -> Markup {
    let row = |approval: &Approval| {
        let (subject, id) = (&approval.open.subject, approval.open.id.as_str());
        let (by, at) = approval.closed.as_ref().map(|(by, at)| (text(by), at.to_string())).unwrap_or_default();
        vec![
            standing(approval),
            html! { a href={ "/console/approvals/" (id) } { (data(subject.tool.as_str())) } },
            data(subject.principal.as_str()),
            html! { (by) },
            time(if at.is_empty() { subject.expires.to_string() } else { at }.as_str()),
        ]
    };
    let rows: Vec<Vec<Markup>> = closed.iter().take(CLOSED).map(row).collect();
    table("Closed approvals", &["State", "Tool", "Asked by", "Closed by", "When"], &rows)
}
