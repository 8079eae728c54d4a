//! Grants, and what calling each tool comes to under each: as `casemate check` says it.

use casemate_policy::Grant;
use http::StatusCode;
use maud::{Markup, html};

use crate::{
    authority,
    console::{
        part::{Kind, data, facts, frame, head, nothing, state, table},
        route::{Answer, Desk},
    },
    exit::Failure,
    house::Rulebook,
};

/// All of them.
pub(in crate::console) fn show(desk: &Desk<'_>) -> Result<Answer, Failure> {
    let book = desk.console.rules(&desk.config)?;
    let body = html! {
        (head("Grants", "Who may use which tools, on which targets, how often, until when. Everything that is not written is denied."))
        div data-live="grants" {
            @if book.policy.grants().next().is_none() { (nothing("Nobody may call anything: there is no grant.")) }
            @for grant in book.policy.grants() { (one(desk, &book, grant)) }
        }
    };
    Ok(Answer(StatusCode::OK, frame(desk, "Grants", "grants", &body)))
}

fn one(desk: &Desk<'_>, book: &Rulebook, grant: &Grant) -> Markup {
    let several = |values: Vec<String>, none: &str| html! { @if values.is_empty() { (none) } @for value in &values { span.tag { (data(value)) } " " } };
    let ended = grant.expires.is_some_and(|at| at <= desk.now);
    let mut rows = vec![
        ("For", several(grant.principals.iter().map(ToString::to_string).collect(), "nobody")),
        ("Worst effect", super::approval::effect(grant.max_effect.as_str())),
        (
            "Expires",
            html! { @match grant.expires { Some(at) => { (crate::console::part::time(&at.to_string())) @if ended { " " (state(Kind::Bad, "has ended")) } }, None => "never" } },
        ),
    ];
    if let Some(session) = grant.session {
        rows.push(("Session", html! { (session) " from the first call on" }));
    }
    if !grant.roles.is_empty() {
        rows.push(("Confers", several(grant.roles.iter().map(ToString::to_string).collect(), "")));
    }
    if !grant.scope.is_empty() {
        let targets = html! { ul.lines { @for (dimension, values) in &grant.scope { li { span.quiet { (data(dimension.as_str())) } " " (several(values.clone(), "none")) } } } };
        rows.push(("Targets", targets));
    }
    if !grant.budgets.is_empty() {
        rows.push(("Budgets", html! { ul.lines { @for budget in &grant.budgets { li { (authority::budget(budget)) } } } }));
    }
    let tools: Vec<Vec<Markup>> = authority::covered(&book.policy, grant)
        .map(|tool| {
            let verdict = authority::verdict(desk.console.environment, grant, tool);
            vec![
                data(tool.served.as_str()),
                super::approval::effect(tool.manifest_tool.effect.as_str()),
                html! { (state(kind(&verdict), &verdict)) },
            ]
        })
        .collect();
    html! {
        section.card {
            h2 { (data(grant.name.as_str())) }
            (facts(&rows))
            @if tools.is_empty() { (nothing("No tool.")) } @else { (table("Tools", &["Tool", "Effect", "What calling it comes to"], &tools)) }
        }
    }
}

fn kind(verdict: &str) -> Kind {
    match verdict {
        "yes" => Kind::Good,
        _ if verdict.starts_with("yes") => Kind::Waits,
        _ if verdict.starts_with("denied") => Kind::Bad,
        _ => Kind::Quiet,
    }
}
