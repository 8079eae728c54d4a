//! Flow: what the session has read does not forbid the call.

use super::{Case, Finding, Look, Objection};
use crate::{
    Layer, Reason,
    flow::{FlowRule, FlowWhen},
    session::provenance::shown,
};

pub(super) struct Flow;

impl Look for Flow {
    fn layer(&self) -> Layer {
        Layer::Flow
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let rule = case.rule();
        let refused = rule.manifest_tool.labels.refuses.iter();
        // A plan sends nothing that matters here.
        let refused: Vec<_> = refused.filter(|_| rule.mode() == crate::Mode::Real).collect();
        let mut flows = case.guards.flows.iter().filter(|flow| flow.forbids.covers(&rule.served, rule.ceiling())).peekable();
        if refused.is_empty() && flows.peek().is_none() {
            return Finding::pass("no rule is about what was read before");
        }
        let Some(session) = case.session else { return case.session_unknown() };
        // First what no approval lifts: nobody is asked about a call that is forbidden in any case.
        let (lifted, forbidden): (Vec<_>, Vec<_>) = flows.partition(|flow| flow.unless_approved);
        if let Some((what, why)) = forbidden.into_iter().find_map(|flow| applies(flow, case, session)) {
            return Finding::Deny(Objection {
                for_model: "do not try to reach the same another way: tell the user what you wanted to do and why".to_owned(),
                ..objection(case, Reason::FlowForbidden, what, why)
            });
        }
        let mut last = Finding::pass("nothing that was read before forbids it");
        for label in refused {
            if let Some(read) = session.labels.get(label) {
                let what = format!(
                    "`{}` refuses sessions that have read `{label}` results, and this one has, from `{}`",
                    rule.served, read.tool
                );
                let why = format!("the plugin's manifest says so; see audit record {}", read.audit_id);
                last = match Finding::unless_agreed(case, objection(case, Reason::FlowNeedsApproval, what, why)) {
                    agreed @ Finding::Agreed(_) => agreed,
                    other => return other,
                };
            }
        }
        for flow in lifted {
            let Some((what, why)) = applies(flow, case, session) else { continue };
            last = match Finding::unless_agreed(case, objection(case, Reason::FlowNeedsApproval, what, why)) {
                agreed @ Finding::Agreed(_) => agreed,
                other => return other,
            };
        }
        last
    }
}

/// What a rule has against a call, for the caller and for the operator.
fn applies(flow: &FlowRule, case: &Case<'_>, session: &crate::session::SessionReading) -> Option<(String, String)> {
    match &flow.when {
        FlowWhen::After(label) => {
            let read = session.labels.get(label)?;
            Some((
                format!(
                    "this session has read a `{label}` result of `{}`, and `{}` is forbidden after that",
                    read.tool,
                    case.rule().served
                ),
                format!("flow rule `{}`; it was read at {} in audit record {}", flow.name, read.at, read.audit_id),
            ))
        }
        FlowWhen::Carries(label) => {
            let carried = session.carried.iter().find(|carried| carried.label == *label)?;
            let value = shown(case.call.arguments(), &carried.argument);
            Some((
                format!(
                    "{value} at `{}` was seen first in a `{label}` result of `{}`: it may be an attacker's choice",
                    carried.argument, carried.from
                ),
                format!("flow rule `{}`", flow.name),
            ))
        }
    }
}

fn objection(case: &Case<'_>, reason: Reason, message: String, why: String) -> Objection {
    Objection {
        reason,
        message,
        for_model: "tell the user that this call waits for approval, and make the same call again once it is given".to_owned(),
        for_operator: format!(
            "{why}; `casemate approvals list` shows what waits, and `casemate sessions clear {}` forgets what was read",
            case.principal.id()
        ),
        retry_after_ms: None,
    }
}
