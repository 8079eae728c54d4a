//! Settings that are allowed and risky, with the safer value: as `casemate check` says it.

use http::StatusCode;
use maud::{Markup, html};

use crate::{
    console::{
        part::{Kind, data, frame, head, long, nothing, state, text},
        route::{Answer, Desk},
    },
    exit::Failure,
    house::{Rulebook, store},
    posture::{Finding, Severity, findings},
};

/// Every finding of the configuration in force, the worst first.
pub(super) fn found(desk: &Desk<'_>, book: &Rulebook) -> Result<Vec<Finding>, Failure> {
    Ok(findings(&book.config, &book.policy, &store::tokens(&desk.console.state)?, desk.now))
}

/// How much one matters.
fn severity(finding: &Finding) -> Markup {
    let kind = match finding.severity {
        Severity::High => Kind::Bad,
        Severity::Medium => Kind::Warns,
        Severity::Low => Kind::Quiet,
    };
    state(kind, &finding.severity.to_string())
}

/// All of them.
pub(in crate::console) fn show(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let book = desk.console.rules(&desk.config)?;
    let found = found(desk, &book)?;
    let body = html! {
        (head("Posture", "Settings that are allowed and risky: where one wrong step is left to a single layer."))
        div data-live="posture" {
            @for refused in &book.refused {
                section.notice.is-bad { p { (state(Kind::Bad, "not served")) " " strong { (data(&refused.plugin.to_string())) } " " (text(&refused.reason)) } }
            }
            @if found.is_empty() { (nothing("Nothing found.")) }
            ul.cards {
                @for finding in &found {
                    li.card {
                        p.top { (severity(finding)) span.quiet { (data(finding.code)) } }
                        h2 { (text(&finding.what)) }
                        dl.facts {
                            div { dt { "At" } dd { (long(&finding.place)) } }
                            div { dt { "Safer" } dd { (data(&finding.safer)) } }
                        }
                    }
                }
            }
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, "Posture", "posture", &body)))
}
