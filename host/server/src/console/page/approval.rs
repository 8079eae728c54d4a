//! One call that waits: all of it, as it will be sent; who asked and why; what is different from the last one; and a person's word.

use casemate_audit::Filter;
use casemate_ledger::{Approval, Closed, State};
use casemate_policy::approval::{ApprovalId, MAX_REASON, Said};
use http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::approvals::{quorum, standing};
use crate::{
    approval::{say, sheet},
    console::{
        part::{Kind, block, data, done, facts, frame, head, long, nothing, state, text, time, token, trouble},
        route::{Answer, Desk, status},
        session::Who,
    },
    exit::Failure,
    trail,
};

/// Lines of a difference that are shown around what differs.
const AROUND: usize = 3;

fn find(desk: &Desk<'_>, id: &str) -> Result<Approval, Failure> {
    let id: ApprovalId = id.parse().map_err(Failure::invalid)?;
    say::find(&desk.console.ledger, &id, desk.now)
}

/// Show it.
pub(in crate::console) fn show(desk: &Desk<'_>, id: &str) -> Result<Answer, Failure> {
    let approval = find(desk, id)?;
    page(desk, &approval, StatusCode::OK, None)
}

/// Say what the approver says, and show what came of it.
pub(in crate::console) fn say(desk: &Desk<'_>, id: &str) -> Result<Answer, Failure> {
    let approval = find(desk, id)?;
    match speak(desk, &approval) {
        Ok((approval, sentence)) => page(desk, &approval, StatusCode::OK, Some(&done(&sentence))),
        Err(failure) => page(desk, &find(desk, id)?, status(&failure), Some(&trouble(&failure))),
    }
}

fn speak(desk: &Desk<'_>, approval: &Approval) -> Result<(Approval, String), Failure> {
    let speaker = desk.who().speaker().ok_or_else(|| {
        Failure::denied(
            "only an approver says yes or no, with a session that their own key lets speak\nhelp: sign in with `casemate console login --as NAME --key FILE`",
        )
    })?;
    let said = match desk.asked.form.get("said") {
        Some("approve") => Said::Approve,
        Some("deny") => Said::Deny,
        _ => return Err(Failure::invalid("neither yes nor no was said")),
    };
    let console = desk.console;
    let approval = say::waiting(&console.ledger, &approval.open.id, desk.now)?;
    let reason = desk.asked.form.get("reason").unwrap_or_default();
    let word = say::Word { approver: &speaker.name, said, reason, via: "console" };
    let record = |kind, fields| console.recorder.act(kind, "local", fields);
    say::say(&word, &approval, |payload| Ok(speaker.sign(payload)), (&console.ledger, &desk.config, &record))
}

/// Take it back, as whoever can read this host's state may.
pub(in crate::console) fn withdraw(desk: &Desk<'_>, id: &str) -> Result<Answer, Failure> {
    if !desk.who().is_local() {
        return Err(Failure::denied(
            "only a local session takes a request back\nhelp: an approver says no instead; `casemate console login` begins a local session",
        ));
    }
    let approval = find(desk, id)?;
    let reason = desk.asked.form.get("reason").unwrap_or_default();
    let record = |kind, fields| desk.console.recorder.act(kind, "local", fields);
    match say::withdraw(&approval.open.id, reason, "local", (&desk.console.ledger, &record)) {
        Ok(()) => {
            let sentence = format!("withdrew {}: nothing will run under it", approval.open.id);
            page(desk, &find(desk, id)?, StatusCode::OK, Some(&done(&sentence)))
        }
        Err(failure) => page(desk, &approval, status(&failure), Some(&trouble(&failure))),
    }
}

fn page(desk: &Desk<'_>, approval: &Approval, status: StatusCode, news: Option<&Markup>) -> Result<Answer, Failure> {
    let subject = &approval.open.subject;
    let requests = subject.plan.get("requests").and_then(Value::as_array).cloned().unwrap_or_default();
    let whole = sheet::text(approval, &desk.config, desk.now);
    let title = subject.tool.to_string();
    let body = html! {
        p.crumbs { a href="/console/approvals" { "Approvals" } }
        (head(&title, ""))
        @if let Some(news) = news { (news) }
        div data-live="standing" {
            div.summary.card {
                p.top {
                    (standing(approval))
                    @if approval.state == State::Open { span.quiet { (sheet::left(subject.expires, desk.now)) " left" } }
                }
                (quorum(desk, approval))
                (facts(&[
                    ("Asked by", html! { (data(subject.principal.as_str())) " under grant " (data(subject.grant.as_str())) }),
                    ("Plugin", html! { (data(&subject.plugin.to_string())) }),
                    ("Environment", html! { (subject.environment) }),
                    ("Asked", time(&subject.requested.to_string())),
                    ("Good until", time(&subject.expires.to_string())),
                ]))
                (said(desk, approval))
            }
        }
        section {
            h2 { "Why a person is asked" }
            ul.plain { @for line in &subject.why { li { (text(line)) } } }
        }
        (lookalikes(&whole))
        section {
            h2 { "What it will send" span.count { (requests.len()) } }
            @if requests.is_empty() { (nothing("Nothing above read. What it reads is not listed.")) }
            @for (number, request) in requests.iter().enumerate() { (one(number + 1, request)) }
        }
        section {
            h2 { "Arguments" }
            (block("Arguments", &format!("{:#}", subject.arguments)))
        }
        (difference(desk, approval)?)
        div data-live="graph" { (super::graph::show(desk, approval.open.id.as_str())) }
        (read_before(desk, approval)?)
        section {
            h2 { "What is signed" }
            details {
                summary { "The whole sheet, as casemate approvals show prints it" }
                (block("The whole sheet", &whole))
            }
        }
        (word(desk, approval))
        div data-live="trail" { (trail(desk, approval)?) }
    };
    Ok(Answer(status, frame(desk, &title, "approvals", &body)))
}

/// One request: what and where in a line, then what it carries, then all of it.
fn one(number: usize, request: &Value) -> Markup {
    let field = |name: &str| request.get(name).and_then(Value::as_str).map(text).unwrap_or_default();
    let pairs = |name: &str| request.get(name).and_then(Value::as_object).into_iter().flatten();
    let body = request.get("body").filter(|body| !body.is_null());
    html! {
        article.request.card {
            h3 { span.number { (number) } " " span.method { (field("method")) } " " (long(&field("url"))) }
            p { (effect(&field("effect"))) span.quiet { " by contract " (data(&field("contract"))) } }
            dl.facts {
                @for (name, values) in pairs("targets") { div { dt { "Target " (data(name)) } dd { (long(&plain(values))) } } }
                @for (name, value) in pairs("headers") { div { dt { "Header " (data(name)) } dd { (long(&plain(value))) } } }
            }
            @if let Some(body) = body {
                p.quiet { "Body" @if let Some(bytes) = body.get("bytes") { ", " (plain(bytes)) " bytes" } ", as it is sent:" }
                pre.block.wraps tabindex="0" role="region" aria-label={ "Body of request " (number) } { code { (text(&plain(body.get("text").unwrap_or(body)))) } }
            }
            details {
                summary { "Every field of this request" }
                (block(&format!("Request {number}"), &format!("{request:#}")))
            }
        }
    }
}

/// A value in words: a text as it is, several one after the other.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The worst that something may do.
pub(super) fn effect(effect: &str) -> Markup {
    let kind = match effect {
        "read" => Kind::Quiet,
        "write" => Kind::Warns,
        _ => Kind::Grave,
    };
    state(kind, effect)
}

fn lookalikes(whole: &str) -> Markup {
    let found = sheet::lookalikes(whole);
    let list = found.trim().trim_start_matches("characters that may look like others: ");
    html! {
        @if !list.is_empty() {
            section.notice.is-warns {
                h2 { "Characters that may look like others" }
                p.data { (text(list)) }
            }
        }
    }
}

fn said(desk: &Desk<'_>, approval: &Approval) -> Markup {
    html! {
        @for statement in sheet::statements(approval, &desk.config) {
            p.said {
                (state(if statement.said == Said::Approve { Kind::Good } else { Kind::Bad }, if statement.said == Said::Approve { "agreed" } else { "denied" }))
                " " strong { (data(statement.approver.as_str())) } " " (time(&statement.at.to_string()))
                @if !statement.reason.is_empty() { br; q { (text(&statement.reason)) } }
            }
        }
        @if let Some((by, at)) = &approval.closed {
            p { "Closed " (time(&at.to_string())) " by " (data(by)) }
        }
    }
}

/// What is different from the last call of this tool that people agreed to and that was made.
fn difference(desk: &Desk<'_>, approval: &Approval) -> Result<Markup, Failure> {
    let subject = &approval.open.subject;
    let all = desk.console.ledger.approvals(true, desk.now)?;
    let before = all.iter().find(|other| {
        let theirs = &other.open.subject;
        other.state == State::Closed(Closed::Taken)
            && theirs.tool == subject.tool
            && theirs.plugin == subject.plugin
            && theirs.requested < subject.requested
    });
    let Some(before) = before else {
        return Ok(
            html! { section { h2 { "Compared with the last one" } (nothing("No call of this tool was approved and made before, as far as the ledger remembers.")) } },
        );
    };
    let whole = |approval: &Approval| {
        let subject = &approval.open.subject;
        text(&format!("{:#}", json!({ "arguments": subject.arguments, "requests": subject.plan.get("requests") })))
    };
    let (old, new) = (whole(before), whole(approval));
    let lines = TextDiff::from_lines(&old, &new);
    Ok(html! {
        section {
            h2 { "Compared with the last one" }
            p.quiet { "That was " a href={ "/console/approvals/" (before.open.id) } { (data(before.open.id.as_str())) } ", approved and made " (time(&before.open.subject.requested.to_string())) "." }
            @if old == new { (nothing("The same arguments, and the same requests.")) } @else {
                pre.block.diff tabindex="0" role="region" aria-label="Difference" {
                    @for (number, group) in lines.grouped_ops(AROUND).iter().enumerate() {
                        @if number > 0 { span.gap { "⋯\n" } }
                        @for line in group.iter().flat_map(|operation| lines.iter_changes(operation)) { (changed(line.tag(), line.value())) }
                    }
                }
            }
        }
    })
}

fn changed(tag: ChangeTag, line: &str) -> Markup {
    let line = line.trim_end_matches('\n');
    match tag {
        ChangeTag::Equal => html! { span { "  " (line) "\n" } },
        ChangeTag::Delete => html! { del { "- " (line) "\n" } },
        ChangeTag::Insert => html! { ins { "+ " (line) "\n" } },
    }
}

/// What the caller had read: what may have led it here.
fn read_before(desk: &Desk<'_>, approval: &Approval) -> Result<Markup, Failure> {
    let principal = approval.open.subject.principal.as_str();
    let mut sessions = desk.console.ledger.sessions(desk.config.guards.session, desk.now)?;
    sessions.retain(|session| session.principal == principal && !session.labels.is_empty());
    Ok(html! {
        section {
            h2 { "What the caller had read" }
            @if sessions.is_empty() { (nothing("Nothing with a label is held of this caller now.")) }
            ul.plain {
                @for held in sessions.iter().flat_map(|session| &session.labels) {
                    li {
                        strong { (data(&held.label)) } " from " (data(&held.tool)) ", " (time(&held.last.to_string())) " "
                        a href={ "/console/audit/" (text(&held.audit_id)) } { "first record" }
                    }
                }
            }
        }
    })
}

/// Where an approver says yes or no.
fn word(desk: &Desk<'_>, approval: &Approval) -> Markup {
    if approval.state != State::Open {
        return html! {};
    }
    let action = format!("/console/approvals/{}", approval.open.id);
    html! {
        section.word.card #word {
            h2 { "Your word" }
            @match desk.who() {
                Who::Approver(speaker) => {
                    p { "You speak as " strong { (data(speaker.name.as_str())) } ". What you say is signed, and on record. A no is final." }
                    form method="post" action=(action) {
                        (token(desk))
                        label for="reason" { "Why" span.quiet { " (on record)" } }
                        textarea #reason name="reason" rows="2" maxlength=(MAX_REASON) {}
                        div.buttons {
                            button.primary type="submit" name="said" value="approve" { "Approve this call" }
                            button.danger type="submit" name="said" value="deny" { "Deny" }
                        }
                    }
                }
                Who::Local => {
                    p { "A local session gives no approval: that takes an approver's key. It can take the request back." }
                    form method="post" action={ (action) "/withdraw" } {
                        (token(desk))
                        label for="reason" { "Why" span.quiet { " (on record)" } }
                        textarea #reason name="reason" rows="2" maxlength=(MAX_REASON) required {}
                        button.danger type="submit" { "Withdraw this request" }
                    }
                }
                Who::Viewer(..) => p { "You look, and no more. An approver signs in with " code { "casemate console login --as NAME" } "." }
            }
        }
    }
}

/// What is on record of it.
fn trail(desk: &Desk<'_>, approval: &Approval) -> Result<Markup, Failure> {
    let filter = Filter { approval: Some(approval.open.id.to_string()), ..Filter::default() };
    let entries = trail::recent(&desk.console.state, &filter)?;
    Ok(html! {
        section {
            h2 { "On record" }
            @if entries.is_empty() { (nothing("Nothing lately.")) } @else { (super::audit::rows(&entries)) }
        }
    })
}
