//! What would follow of a call, for people and for programs.

use casemate_policy::{Decision, Explained, Outcome, Verdict, Word, text::visible};
use serde_json::{Value, json};

use crate::{exit::Exit, hypothesis::Foretold};

/// As a call of it would end: a call that only would be planned is not refused.
pub(super) fn exit(told: &Foretold) -> Exit {
    match told.decision {
        Decision::Permit(_) => Exit::Done,
        Decision::Deferred(_) | Decision::Denied(_) => Exit::Denied,
    }
}

/// The decision, and who would change it.
pub(super) fn line(told: &Foretold) -> String {
    let word = told.word();
    match &told.decision {
        Decision::Permit(permit) => match word {
            "planned" => format!("{word}: under grant {}; a dry run sends nothing above read", permit.grant()),
            _ => format!("{word}: under grant {}", permit.grant()),
        },
        Decision::Deferred(deferred) => format!(
            "{word}: {} ({})\n  operator  {}",
            visible(deferred.message()),
            deferred.reason(),
            visible(deferred.for_operator())
        ),
        Decision::Denied(denied) => format!(
            "{word}: {} ({}, by the layer {})\n  operator  {}",
            visible(denied.message()),
            denied.reason(),
            denied.layer(),
            visible(denied.for_operator())
        ),
    }
}

/// The decision, and below it every layer's word under every grant.
pub(super) fn text(told: &Foretold) -> String {
    let mut text = format!("{}\n", line(told));
    for Explained { grant, words } in &told.under {
        text.push_str(&format!("\ngrant {grant}\n"));
        words.iter().for_each(|word| text.push_str(&lines(&word.verdict, word.remedies.as_ref())));
    }
    if let (true, Decision::Denied(denied)) = (told.under.is_empty(), &told.decision) {
        text.push_str("\nno grant covers it\n");
        denied.verdicts().iter().for_each(|verdict| text.push_str(&lines(verdict, None)));
    }
    text
}

fn lines(verdict: &Verdict, remedies: Option<&(String, String)>) -> String {
    let mark = match verdict.outcome {
        Outcome::Pass => "pass",
        Outcome::Deny(_) => "DENY",
        Outcome::Defer(_) => "ASK",
        Outcome::NotReached => "-",
    };
    let reason = verdict.outcome.reason().map_or_else(String::new, |reason| format!("{reason}: "));
    let mut text = format!("  {mark:<4}  {:<8}  {reason}{}\n", verdict.layer.as_str(), visible(&verdict.note));
    if let Some((model, operator)) = remedies {
        text.push_str(&format!(
            "                  model     {}\n                  operator  {}\n",
            visible(model),
            visible(operator)
        ));
    }
    text
}

/// For programs.
pub(super) fn json(told: &Foretold) -> Value {
    let grants: Vec<Value> = told
        .under
        .iter()
        .map(
            |Explained { grant, words }| json!({ "grant": grant.as_str(), "layers": words.iter().map(word).collect::<Vec<_>>() }),
        )
        .collect();
    let mut value = json!({ "decision": told.word(), "grants": grants });
    let more = match &told.decision {
        Decision::Permit(permit) => json!({ "grant": permit.grant().as_str(), "mode": permit.mode().as_str() }),
        Decision::Deferred(deferred) => json!({
            "grant": deferred.grant().as_str(), "reason": deferred.reason().code(), "message": deferred.message(), "why": deferred.why(),
            "remedy": { "model": deferred.for_model(), "operator": deferred.for_operator() },
        }),
        Decision::Denied(denied) => json!({
            "grant": denied.grant().map(|grant| grant.as_str()), "layer": denied.layer().as_str(), "reason": denied.reason().code(),
            "message": denied.message(), "remedy": { "model": denied.for_model(), "operator": denied.for_operator() },
        }),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

fn word(Word { verdict, remedies }: &Word) -> Value {
    let remedy = remedies.as_ref().map(|(model, operator)| json!({ "model": model, "operator": operator }));
    json!({
        "layer": verdict.layer.as_str(), "outcome": verdict.outcome.as_str(), "reason": verdict.outcome.reason().map(|reason| reason.code()),
        "note": verdict.note, "remedy": remedy,
    })
}
