//! Effect: the tool's worst effect is within the grant's, and the environment allows it.

use casemate_signing::{Environment, manifest::Effect};

use super::{Case, Finding, Look};
use crate::{Layer, Mode, Reason, approval::ApprovalMode};

pub(super) struct EffectCeiling;

impl Look for EffectCeiling {
    fn layer(&self) -> Layer {
        Layer::Effect
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let (rule, most) = (case.rule(), case.cover.max_effect);
        let effect = rule.manifest_tool.effect;
        if effect > most {
            return Finding::deny(
                Reason::EffectAboveGrant,
                format!("`{}` is `{effect}`, and the grant allows at most `{most}`", rule.served),
                format!("use a tool whose effect is at most `{most}`; retrying will not help"),
                format!("set `max_effect = \"{effect}\"` under `{}`", case.grant_table()),
            );
        }
        // In production nothing destroys on the word of a model or of its client, whatever the switches say.
        let unasked = rule.approval.mode != ApprovalMode::Operator && rule.mode() == Mode::Real;
        if case.environment == Environment::Prod && effect == Effect::Destructive && unasked {
            return Finding::deny(
                Reason::ApprovalNeededInProd,
                format!("`{}` is destructive, and in production an approver must agree to it", rule.served),
                "ask the operator; retrying will not help",
                format!("add `approval = {{ mode = \"operator\" }}` or `dry_run = true` under `{}`", case.tool_table()),
            );
        }
        Finding::pass("the tool's effect is within the grant")
    }
}
