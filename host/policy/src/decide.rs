//! The decision: every layer's look at a call, under each grant that covers it, and what follows.
//!
//! Default deny: what no grant covers is denied before any layer looks, in the same words as a tool that does not exist.

mod decision;

use std::{borrow::Cow, sync::Arc};

pub use decision::{Decision, Deferred, Denied, Explained, Permit, Word};

use crate::{
    Call, Charge, Layer, Mode, Outcome, Policy, Principal, Readings, Reason, Timestamp, Verdict,
    approval::{self, Agreed, ApprovalId},
    call::ArgumentsFault,
    layer::{Case, Finding, LAYERS, Look, Objection},
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
    let covers = policy.covering(principal, call);
    if covers.is_empty() {
        return Decision::Denied(uncovered(policy, principal, call));
    }
    let question = Question::new(policy, principal, call, readings, now);
    let mut deferred = None;
    let mut denied: Option<(usize, Denied)> = None;
    for cover in covers {
        let under = question.under(cover);
        let case = under.case(&question);
        match judge(&case, &LAYERS) {
            Judgement::Pass(asked, is_agreed) => match question.arguments_digest.clone() {
                Some(arguments_digest) => {
                    let (session, agreed) = (under.session, under.agreed.filter(|_| is_agreed));
                    return Decision::Permit(permit(asked, cover, under.charges, agreed, arguments_digest, session, now));
                }
                // Unreachable while the input layer stands, and closed if it ever does not.
                None => denied = Some((0, undigestible(&case, asked.verdicts))),
            },
            Judgement::Defer(asked, objections) => match question.arguments_digest.clone() {
                Some(arguments_digest) => {
                    // Planned first: the permit is for that and no more.
                    let mut permit = permit(asked, cover, under.charges, None, arguments_digest, under.session, now);
                    permit.mode = Mode::DryRun;
                    let why = objections.iter().map(|objection| objection.message.clone()).collect();
                    let (first, waiting) = (objections.into_iter().next(), under.waiting);
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
            denied.arguments_digest = question.arguments_digest;
            Decision::Denied(denied)
        }
        (None, None) => Decision::Denied(uncovered(policy, principal, call)),
    }
}

/// Every layer's word on a call, under every grant that covers it: for an operator who asks before it happens.
///
/// Each layer looks, as in [`decide`]; nothing is permitted by it.
pub fn explain(policy: &Policy, principal: &Principal, call: &Call, readings: &Readings, now: Timestamp) -> Vec<Explained> {
    let question = Question::new(policy, principal, call, readings, now);
    let explained = |cover: &Cover| {
        let under = question.under(cover);
        let case = under.case(&question);
        Explained { grant: cover.grant.clone(), words: LAYERS.iter().map(|look| word(look.layer(), look.look(&case))).collect() }
    };
    policy.covering(principal, call).into_iter().map(explained).collect()
}

fn word(layer: Layer, finding: Finding) -> Word {
    let verdict = finding.verdict(layer);
    let remedies = match finding {
        Finding::Deny(objection) | Finding::Defer(objection) => Some((objection.for_model, objection.for_operator)),
        Finding::Pass(_) | Finding::Agreed(_) => None,
    };
    Word { verdict, remedies }
}

/// What is asked, whatever the grant.
struct Question<'a> {
    policy: &'a Policy,
    principal: &'a Principal,
    call: &'a Call,
    readings: &'a Readings,
    well_formed: Result<(), ArgumentsFault>,
    arguments_digest: Option<String>,
    now: Timestamp,
}

/// The same under one grant.
struct Under<'a> {
    cover: &'a Cover,
    charges: Vec<Charge>,
    /// An approval of this very call by enough people.
    agreed: Option<Agreed>,
    /// Else the one that waits for them.
    waiting: Option<ApprovalId>,
    session: Option<&'a SessionReading>,
}

impl<'a> Question<'a> {
    fn new(policy: &'a Policy, principal: &'a Principal, call: &'a Call, readings: &'a Readings, now: Timestamp) -> Self {
        let well_formed = call.well_formed();
        let arguments_digest = well_formed.is_ok().then(|| call.arguments_digest()).flatten();
        Self { policy, principal, call, readings, well_formed, arguments_digest, now }
    }

    fn under(&self, cover: &'a Cover) -> Under<'a> {
        let (agreed, waiting) = self.arguments_digest.as_deref().map_or((None, None), |digest| self.approvals(cover, digest));
        Under {
            cover,
            charges: cover.charges(self.principal, self.call),
            agreed,
            waiting,
            session: self.readings.of_session(&cover.grant),
        }
    }

    fn approvals(&self, cover: &Cover, arguments_digest: &str) -> (Option<Agreed>, Option<ApprovalId>) {
        let rule = &cover.tool.rule;
        let asked = approval::Asked::of(self.policy.environment(), self.principal.id(), &cover.grant, rule, arguments_digest);
        let approvers = &self.policy.guards().approvers;
        let mut waiting = None;
        for approval in self.readings.approvals() {
            if let Some(agreed) = approval.agreed(&asked, &rule.approval, approvers, self.now) {
                return (Some(agreed), None);
            }
            if waiting.is_none() && approval.is_about(&asked, self.now) {
                waiting = Some(approval.id.clone());
            }
        }
        (None, waiting)
    }
}

impl Under<'_> {
    fn case<'b>(&'b self, question: &'b Question<'b>) -> Case<'b> {
        Case {
            environment: question.policy.environment(),
            principal: question.principal,
            cover: self.cover,
            call: question.call,
            well_formed: question.well_formed,
            guards: question.policy.guards(),
            readings: question.readings,
            session: self.session,
            charges: &self.charges,
            agreed: self.agreed.as_ref(),
            now: question.now,
        }
    }
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

/// Ask every layer. The first no is the answer, but for a paused caller's: to that nothing else matters. The others are kept as verdicts.
fn judge(case: &Case<'_>, layers: &[&dyn Look]) -> Judgement {
    let mut verdicts = Vec::with_capacity(layers.len());
    let mut denial: Option<(Layer, Objection)> = None;
    let mut deferrals = Vec::new();
    let mut agreed = false;
    let mut denials = 0;
    for look in layers {
        let finding = look.look(case);
        verdicts.push(finding.verdict(look.layer()));
        match finding {
            Finding::Pass(_) => {}
            Finding::Agreed(_) => agreed = true,
            Finding::Defer(objection) => deferrals.push(objection),
            Finding::Deny(objection) => {
                denials += 1;
                denial = match denial {
                    Some(first) if look.layer() != Layer::Breaker => Some(first),
                    _ => Some((look.layer(), objection)),
                };
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
        session: case.session.cloned(),
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
        arguments: case.call.shared_arguments(),
        session: case.session.cloned(),
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
    let what = if call.reads_source() { "source" } else { "tool" };
    let known = policy.holds_any(principal);
    let (layer, objection) = if known {
        let for_operator = if call.reads_source() {
            format!("name the source in `sources` of a grant that `{}` holds, if it is to be read", principal.id())
        } else if policy.installed(call.tool()) {
            format!("{shown} is installed: add it to `tools` of a grant that `{}` holds", principal.id())
        } else {
            format!("no installed tool is called {shown}: `casemate list` shows the installed tools")
        };
        let objection = Objection {
            reason: Reason::UnknownTool,
            message: format!("there is no {what} {shown}"),
            for_model: format!("use one of the {what}s in the list"),
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
        arguments: call.shared_arguments(),
        session: None,
        trip: None,
    }
}

#[cfg(test)]
mod tests;
