//! Callers: who is paused, what each has read, and what is left of its budgets.

use casemate_ledger::{Paused, Session};
use casemate_policy::{PrincipalId, approval::MAX_REASON};
use http::StatusCode;
use maud::{Markup, html};

use crate::{
    breaker,
    console::{
        part::{Kind, data, done, frame, head, nothing, state, table, text, time, token, trouble},
        route::{Answer, Desk, status},
    },
    exit::Failure,
    spending::{Spending, spending},
};

/// All of them.
pub(in crate::console) fn show(desk: &Desk<'_>) -> Result<Answer, Failure> {
    page(desk, StatusCode::OK, None)
}

/// Let a paused caller go on. It takes what the command takes: whoever can read this host's state.
pub(in crate::console) fn resume(desk: &Desk<'_>) -> Result<Answer, Failure> {
    if !desk.who().is_local() {
        return Err(Failure::denied("only a local session lets a caller go on\nhelp: `casemate console login` begins one"));
    }
    let name = desk.asked.form.get("principal").ok_or_else(|| Failure::invalid("nobody was named"))?;
    let principal: PrincipalId = name.parse().map_err(Failure::invalid)?;
    let reason = desk.asked.form.get("reason").unwrap_or_default();
    let record = |kind, fields| desk.console.recorder.act(kind, "local", fields);
    match breaker::resume(&principal, reason, (&desk.console.ledger, &record)) {
        Ok(()) => page(desk, StatusCode::OK, Some(&done(&format!("`{principal}` may go on")))),
        Err(failure) => page(desk, status(&failure), Some(&trouble(&failure))),
    }
}

fn page(desk: &Desk<'_>, status: StatusCode, news: Option<&Markup>) -> Result<Answer, Failure> {
    let ledger = &desk.console.ledger;
    let paused = ledger.paused()?;
    let sessions = ledger.sessions(desk.config.guards.session, desk.now)?;
    let spent = spending(&desk.config, ledger, None, desk.now)?;
    let body = html! {
        (head("Callers", "What each has read and spent. Who did too much is paused, until a person lets it go on."))
        @if let Some(news) = news { (news) }
        section {
            h2 { "Paused" span.count { (paused.len()) } }
            @if paused.is_empty() { (nothing("Nobody is paused.")) }
            ul.cards { @for paused in &paused { (one(desk, paused)) } }
        }
        section data-live="read" {
            h2 { "What they have read" }
            @if sessions.is_empty() { (nothing("No session has read anything.")) } @else { (labels(&sessions)) }
        }
        section data-live="spent" {
            h2 { "What they have spent" }
            @if spent.is_empty() { (nothing("No grant has a budget.")) } @else { (budgets(&spent)) }
        }
    };
    Ok(Answer(status, frame(desk, "Callers", "callers", &body)))
}

fn one(desk: &Desk<'_>, paused: &Paused) -> Markup {
    html! {
        li.card {
            p.top { (state(Kind::Bad, "paused")) span.quiet { "since " (time(&paused.pause.since.to_string())) } }
            h3 { (data(&paused.principal)) }
            p { (text(&paused.pause.trip)) }
            @if desk.who().is_local() {
                form method="post" action="/console/callers/resume" {
                    (token(desk))
                    input type="hidden" name="principal" value=(paused.principal);
                    label for={ "why-" (paused.principal) } { "Why" span.quiet { " (on record)" } }
                    input id={ "why-" (paused.principal) } name="reason" maxlength=(MAX_REASON);
                    button type="submit" { "Let it go on" }
                }
            }
        }
    }
}

fn labels(sessions: &[Session]) -> Markup {
    let row = |session: &Session| {
        vec![
            data(&session.principal),
            data(&session.grant),
            html! {
                @if session.labels.is_empty() { span.quiet { "none" } }
                @for held in &session.labels { a.tag href={ "/console/audit/" (text(&held.audit_id)) } { (data(&held.label)) } " " }
            },
            html! { (session.values) },
            html! { @if let Some(since) = session.since { (time(&since.to_string())) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = sessions.iter().map(row).collect();
    table("Labels", &["Caller", "Grant", "Labels held", "Values", "Since"], &rows)
}

fn budgets(spent: &[Spending]) -> Markup {
    let row = |row: &Spending| {
        let limit = row.measure.limit();
        vec![
            data(&row.principal),
            data(&row.grant),
            data(&row.counts),
            html! {
                meter min="0" max=(limit) value=(row.spent.min(limit)) aria-label="Spent" { (row.spent) }
                " " (row.spent) " of " (row.measure) " in " (row.per)
                @if row.spent >= limit { " " (state(Kind::Warns, "spent")) }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = spent.iter().map(row).collect();
    table("Budgets", &["Caller", "Grant", "Counts", "Spent"], &rows)
}
