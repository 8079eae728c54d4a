//! The first page: what waits, what was refused lately, who is paused, how risky the settings are, and whether the log is whole.

use casemate_audit::{Entry, Filter};
use http::StatusCode;
use maud::{Markup, html};

use super::{approvals, audit, health::Health, posture};
use crate::{
    console::{
        part::{Kind, data, frame, head, nothing, state, text},
        route::{Answer, Desk},
    },
    exit::Failure,
    posture::Severity,
    trail,
};

/// Refusals that are shown, of the last day.
const REFUSALS: usize = 6;
const DAY_MS: u64 = 86_400_000;

/// Show it.
pub(in crate::console) fn show(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let console = desk.console;
    let waiting = console.ledger.approvals(false, desk.now)?;
    let paused = console.ledger.paused()?;
    let since = desk.now.as_millis().saturating_sub_unsigned(DAY_MS);
    let lately = Filter {
        outcome: Some("denied".to_owned()),
        since: Some(casemate_policy::Timestamp::from_millis(since)),
        ..Filter::default()
    };
    let denied: Vec<Entry> = trail::recent(&console.state, &lately)?.into_iter().rev().collect();
    let (health, ago) = Health::of(console);
    let body = html! {
        (head("Overview", ""))
        div data-live="overview" {
            section.tiles {
                (tile("Waiting", "/console/approvals", waiting.len(), if waiting.is_empty() { (Kind::Good, "nobody is asked") } else { (Kind::Waits, "for a person") }))
                (tile("Refused in a day", "/console/audit?outcome=denied", denied.len(), if denied.is_empty() { (Kind::Good, "none") } else { (Kind::Quiet, "see below") }))
                (tile("Paused callers", "/console/callers", paused.len(), if paused.is_empty() { (Kind::Good, "nobody") } else { (Kind::Bad, "until a person decides") }))
                (risks(desk))
            }
            section {
                h2 { "What waits" }
                (approvals::waiting(desk, &waiting))
            }
            section {
                h2 { "Refused lately" }
                @if denied.is_empty() { (nothing("Nothing was refused in the last day.")) } @else {
                    (audit::rows(denied.get(..REFUSALS.min(denied.len())).unwrap_or_default()))
                    @if denied.len() > REFUSALS { p { a href="/console/audit?outcome=denied" { "All " (denied.len()) } } }
                }
            }
            @if !paused.is_empty() {
                section {
                    h2 { "Paused" }
                    ul.plain { @for paused in &paused { li { (data(&paused.principal)) ": " (text(&paused.pause.trip)) } } }
                }
            }
            section {
                h2 { "Audit log" }
                (health.show(ago))
            }
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, "Overview", "/", &body)))
}

fn tile(title: &str, place: &str, count: usize, (kind, word): (Kind, &str)) -> Markup {
    html! { a.tile.card href=(place) { span.title { (title) } span.figure { (count) } (state(kind, word)) } }
}

/// How risky the settings are; a configuration that makes no sense is the worst of them.
fn risks(desk: &Desk<'_>) -> Markup {
    let found = desk.console.rules(&desk.config).and_then(|book| posture::found(desk, &book));
    match found {
        Ok(found) => {
            let worst = found.first().map(|finding| finding.severity);
            let said = match worst {
                Some(Severity::High) => (Kind::Bad, "some are high"),
                Some(_) => (Kind::Warns, "none is high"),
                None => (Kind::Good, "nothing found"),
            };
            tile("Risky settings", "/console/posture", found.len(), said)
        }
        Err(_) => tile("Risky settings", "/console/posture", 1, (Kind::Bad, "cannot be loaded")),
    }
}
