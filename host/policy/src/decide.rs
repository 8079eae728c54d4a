//! The decision: every layer's look at a call, under each grant that covers it, and what follows.
//!
//! Default deny: what no grant covers is denied before any layer looks, in the same words as a tool that does not exist.

mod decision;

use std::{borrow::Cow, sync::Arc};

pub use decision::{Decision, Deferred, Denied, Permit};

use crate::{
    Call, Charge, Layer, Mode, Outcome, Policy, Principal, Readings, Reason, Timestamp, Verdict,
    approval::{self, Agreed, ApprovalId},
    layer::{Case, Finding, LAYERS, Objection},
    policy::Cover,
    session::SessionReading,
    text::quote,
};
use decision::Asked;

/// Decide one call.
///
/// Grants that cover the tool are tried in the order of their names. The first under which every layer passes
/// permits; else the first under which a person must agree defers; else the call is denied, with the answer of the
/// grant under which the fewest layers said no.
pub fn decide(policy: &Policy, principal: &Principal, call: &Call, readings: &Readings, now: Timestamp) -> Decision {
    let covers = policy.covering(principal, call.tool());
    if covers.is_empty() {
        return Decision::Denied(uncovered(policy, principal, call));
    }
    let well_formed = call.well_formed();
    let arguments_digest = well_formed.is_ok().then(|| call.arguments_digest()).flatten();
    let mut deferred = None;
    let mut denied: Option<(usize, Denied)> = None;
    for cover in covers {
        let charges = cover.charges(call);
        let (agreed, waiting) = match arguments_digest.as_deref() {
            Some(digest) => approvals(policy, principal, cover, digest, readings, now),
            None => (None, None),
        };
        let session = readings.of_session(&cover.grant);
        let case = Case {
            environment: policy.environment(),
            principal,
            cover,
            call,
            well_formed,
            guards: policy.guards(),
            readings,
            session,
            charges: &charges,
            agreed: agreed.as_ref(),
            now,
        };
        match judge(&case) {
            Judgement::Pass(asked, is_agreed) => match arguments_digest.clone() {
                Some(arguments_digest) => {
                    let agreed = agreed.filter(|_| is_agreed);
                    return Decision::Permit(permit(asked, cover, charges, agreed, arguments_digest, session, now));
                }
                // Unreachable while the input layer stands, and closed if it ever does not.
                None => denied = Some((0, undigestible(&case, asked.verdicts))),
            },
            Judgement::Defer(asked, objections) => match arguments_digest.clone() {
                Some(arguments_digest) => {
                    // Planned first: the permit is for that and no more.
                    let mut permit = permit(asked, cover, charges, None, arguments_digest, session, now);
                    permit.mode = Mode::DryRun;
                    let why = objections.iter().map(|objection| objection.message.clone()).collect();
                    let first = objections.into_iter().next();
                    deferred = deferred.or(first.map(|objection| Deferred { permit, objection, why, waiting }));
                }
                None => denied = Some((0, undigestible(&case, asked.verdicts))),
            },
            Judgement::Deny(count, refusal) => {
                if denied.as_ref().is_none_or(|(fewest, _)| count < *fewest) {
                    denied = Some((count, refusal));
                }
            }
        }
    }
    match (deferred, denied) {
        (Some(deferred), _) => Decision::Deferred(deferred),
        (None, Some((_, mut denied))) => {
            denied.arguments_digest = arguments_digest;
            Decision::Denied(denied)
        }
        (None, None) => Decision::Denied(uncovered(policy, principal, call)),
    }
}

/// An approval of this very call by enough people, if there is one; else the one that waits for them.
fn approvals(
    policy: &Policy,
    principal: &Principal,
    cover: &Cover,
    arguments_digest: &str,
    readings: &Readings,
    now: Timestamp,
) -> (Option<Agreed>, Option<ApprovalId>) {
    let rule = &cover.tool.rule;
    let asked = approval::Asked {
        environment: policy.environment(),
        principal: principal.id(),
        grant: &cover.grant,
        plugin: &rule.plugin,
        plugin_digest: &rule.digest,
        tool: &rule.served,
        arguments_digest,
    };
    let approvers = &policy.guards().approvers;
    let mut waiting = None;
    for approval in readings.approvals() {
        if let Some(agreed) = approval.agreed(&asked, &rule.approval, approvers, now) {
            return (Some(agreed), None);
        }
        if waiting.is_none() && approval.is_about(&asked, now) {
            waiting = Some(approval.id.clone());
        }
    }
    (None, waiting)
}

fn permit(
    asked: Asked,
    cover: &Cover,
    charges: Vec<Charge>,
    agreed: Option<Agreed>,
    arguments_digest: String,
    session: Option<&SessionReading>,
    now: Timestamp,
) -> Permit {
    let mode = asked.tool.rule.mode();
    let (scope, ends, max_result) = (Arc::clone(&cover.scope), cover.ends(session, now), cover.max_result);
    Permit { asked, charges, scope, arguments_digest, mode, agreed, ends, max_result }
}

enum Judgement {
    /// And whether a person's agreement was needed for it.
    Pass(Asked, bool),
    /// Every layer's reason why a person must agree.
    Defer(Asked, Vec<Objection>),
    Deny(usize, Denied),
}

/// Ask every layer. The first no is the answer; the others are kept as verdicts.
fn judge(case: &Case<'_>) -> Judgement {
    let mut verdicts = Vec::with_capacity(LAYERS.len());
    let mut denial: Option<(Layer, Objection)> = None;
    let mut deferrals = Vec::new();
    let mut agreed = false;
    let mut denials = 0;
    for look in LAYERS {
        let finding = look.look(case);
        verdicts.push(finding.verdict(look.layer()));
        match finding {
            Finding::Pass(_) => {}
            Finding::Agreed(_) => agreed = true,
            Finding::Defer(objection) => deferrals.push(objection),
            Finding::Deny(objection) => {
                denials += 1;
                denial = denial.or_else(|| Some((look.layer(), objection)));
            }
        }
    }
    match denial {
        Some((layer, objection)) => Judgement::Deny(denials, refuse(case, layer, objection, verdicts)),
        None if deferrals.is_empty() => Judgement::Pass(asked(case, verdicts), agreed),
        None => Judgement::Defer(asked(case, verdicts), deferrals),
    }
}

fn asked(case: &Case<'_>, verdicts: Vec<Verdict>) -> Asked {
    Asked {
        principal: case.principal.clone(),
        grant: case.cover.grant.clone(),
        environment: case.environment,
        tool: Arc::clone(&case.cover.tool),
        arguments: case.call.shared_arguments(),
        verdicts,
    }
}

fn refuse(case: &Case<'_>, layer: Layer, objection: Objection, verdicts: Vec<Verdict>) -> Denied {
    let opened = verdicts.iter().any(|verdict| verdict.outcome == Outcome::Deny(Reason::BreakerOpened));
    let trip = case.readings.of_breaker().filter(|_| opened).and_then(|reading| case.guards.breaker.trip(reading));
    Denied {
        principal: case.principal.clone(),
        tool: case.call.tool().to_owned(),
        under: Some((case.cover.grant.clone(), Arc::clone(&case.cover.tool))),
        layer,
        objection,
        verdicts,
        arguments_digest: None,
        trip,
    }
}

fn undigestible(case: &Case<'_>, verdicts: Vec<Verdict>) -> Denied {
    let objection = Objection {
        reason: Reason::ArgumentsInvalid,
        message: "the arguments have no canonical form".to_owned(),
        for_model: "correct the arguments and call again".to_owned(),
        for_operator: "the arguments cannot be written as RFC 8785 requires".to_owned(),
        retry_after_ms: None,
    };
    refuse(case, Layer::Input, objection, verdicts)
}

/// Nothing covers the call. Whether the tool exists shows in what the operator reads, and nowhere else.
fn uncovered(policy: &Policy, principal: &Principal, call: &Call) -> Denied {
    let shown = quote(call.tool(), 64);
    let known = policy.holds_any(principal);
    let (layer, objection) = if known {
        let for_operator = if policy.installed(call.tool()) {
            format!("{shown} is installed: add it to `tools` of a grant that `{}` holds", principal.id())
        } else {
            format!("no installed tool is called {shown}: `casemate list` shows the installed tools")
        };
        let objection = Objection {
            reason: Reason::UnknownTool,
            message: format!("there is no tool {shown}"),
            for_model: "use one of the tools in the list".to_owned(),
            for_operator,
            retry_after_ms: None,
        };
        (Layer::Catalog, objection)
    } else {
        let objection = Objection {
            reason: Reason::NoGrant,
            message: "nothing is granted to this caller".to_owned(),
            for_model: "ask the operator for a grant; retrying will not help".to_owned(),
            for_operator: format!("add `principals = [\"{}\"]` under a `[grants.NAME]`", principal.id()),
            retry_after_ms: None,
        };
        (Layer::Identity, objection)
    };
    let verdicts = LAYERS
        .iter()
        .map(|look| match look.layer() {
            Layer::Identity if known => {
                Verdict { layer: Layer::Identity, outcome: Outcome::Pass, note: Cow::Borrowed("the principal holds a grant") }
            }
            other if other == layer => {
                Verdict { layer, outcome: Outcome::Deny(objection.reason), note: Cow::Owned(objection.message.clone()) }
            }
            other => Verdict { layer: other, outcome: Outcome::NotReached, note: Cow::Borrowed("nothing to look at") },
        })
        .collect();
    Denied {
        principal: principal.clone(),
        tool: call.tool().to_owned(),
        under: None,
        layer,
        objection,
        verdicts,
        arguments_digest: call.arguments_digest(),
        trip: None,
    }
}
