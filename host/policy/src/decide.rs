//! The decision: every layer's look at a call, under each grant that covers it, and what follows.
//!
//! Default deny: what no grant covers is denied before any layer looks, in the same words as a tool that does not exist.

mod decision;

use std::{borrow::Cow, sync::Arc};

pub use decision::{Decision, Deferred, Denied, Permit};

use crate::{
    Call, Layer, Outcome, Policy, Principal, Readings, Reason, Timestamp, Verdict,
    layer::{Case, Finding, LAYERS, Objection},
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
    let mut deferred = None;
    let mut denied: Option<(usize, Denied)> = None;
    for cover in covers {
        let case = Case { environment: policy.environment(), principal, cover, call, well_formed, readings, now };
        match judge(&case) {
            Judgement::Pass(asked) => match call.arguments_digest() {
                Some(arguments_digest) => {
                    let (charges, scope) = (Arc::clone(&cover.charges), Arc::clone(&cover.scope));
                    return Decision::Permit(Permit { asked, charges, scope, arguments_digest });
                }
                // Unreachable while the input layer stands, and closed if it ever does not.
                None => denied = Some((0, undigestible(&case, asked.verdicts))),
            },
            Judgement::Defer(asked, objection) => match call.arguments_digest() {
                Some(arguments_digest) => deferred = deferred.or(Some(Deferred { asked, objection, arguments_digest })),
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
            denied.arguments_digest = call.arguments_digest();
            Decision::Denied(denied)
        }
        (None, None) => Decision::Denied(uncovered(policy, principal, call)),
    }
}

enum Judgement {
    Pass(Asked),
    Defer(Asked, Objection),
    Deny(usize, Denied),
}

/// Ask every layer. The first no is the answer; the others are kept as verdicts.
fn judge(case: &Case<'_>) -> Judgement {
    let mut verdicts = Vec::with_capacity(LAYERS.len());
    let mut denial: Option<(Layer, Objection)> = None;
    let mut deferral: Option<Objection> = None;
    let mut denials = 0;
    for look in LAYERS {
        let finding = look.look(case);
        verdicts.push(finding.verdict(look.layer()));
        match finding {
            Finding::Pass(_) => {}
            Finding::Defer(objection) => deferral = deferral.or(Some(objection)),
            Finding::Deny(objection) => {
                denials += 1;
                denial = denial.or_else(|| Some((look.layer(), objection)));
            }
        }
    }
    match (denial, deferral) {
        (Some((layer, objection)), _) => Judgement::Deny(denials, refuse(case, layer, objection, verdicts)),
        (None, Some(objection)) => Judgement::Defer(asked(case, verdicts), objection),
        (None, None) => Judgement::Pass(asked(case, verdicts)),
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
    Denied {
        principal: case.principal.clone(),
        tool: case.call.tool().to_owned(),
        under: Some((case.cover.grant.clone(), Arc::clone(&case.cover.tool))),
        layer,
        objection,
        verdicts,
        arguments_digest: None,
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
    }
}
