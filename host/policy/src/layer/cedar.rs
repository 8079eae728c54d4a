//! Cedar: none of the operator's own policies forbids the call. They can only narrow.

use std::collections::BTreeSet;

use super::{Case, Finding, Look, Objection};
use crate::{
    Layer, Reason,
    cedar::{Ask, Verdict, left},
};

pub(super) struct Cedar;

impl Look for Cedar {
    fn layer(&self) -> Layer {
        Layer::Cedar
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let Some(rules) = &case.guards.policies else { return Finding::pass("the operator has no policies of their own") };
        let Some(session) = case.session else { return case.session_unknown() };
        let labels = session.labels.keys().cloned().collect();
        let tainted = session.carried.iter().map(|carried| carried.argument.clone()).collect();
        let roles: BTreeSet<String> = case.cover.roles.iter().map(ToString::to_string).collect();
        let ask = Ask {
            principal: case.principal,
            roles: &roles,
            grant: &case.cover.grant,
            environment: case.environment,
            tool: case.rule(),
            arguments: case.call.arguments(),
            labels: &labels,
            tainted: &tainted,
            mode: case.rule().mode(),
            approved: case.agreed.is_some(),
            budget: &left(case.charges, case.readings),
            now: case.now,
        };
        match rules.judge(&ask) {
            Verdict::Pass => Finding::pass("no policy forbids it"),
            Verdict::Deny(denial) => Finding::Deny(Objection {
                reason: Reason::Forbidden,
                message: denial.message(),
                for_model: denial.for_model(),
                for_operator: denial.for_operator(),
                retry_after_ms: None,
            }),
        }
    }
}
