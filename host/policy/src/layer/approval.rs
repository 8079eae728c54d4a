//! Approval: a person agrees first, where one must.

use super::{Case, Finding, Look, Objection};
use crate::{ApprovalMode, Layer, Mode, Reason};

pub(super) struct Approval;

impl Look for Approval {
    fn layer(&self) -> Layer {
        Layer::Approval
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let rule = case.rule();
        match (rule.approval, rule.mode()) {
            (ApprovalMode::None, _) => Finding::pass("no approval is asked for"),
            (ApprovalMode::Operator, Mode::DryRun) => Finding::pass("a dry run sends nothing that needs approval"),
            (ApprovalMode::Operator, Mode::Real) => Finding::Defer(Objection {
                reason: Reason::ApprovalRequired,
                message: format!("`{}` needs a person's approval", rule.served),
                for_model: "tell the user that the operator must approve this call; retrying will not help".to_owned(),
                for_operator: format!(
                    "add `dry_run = true` under `{table}` to see its requests, or `approval = {{ mode = \"none\" }}` to let it run unasked",
                    table = case.tool_table()
                ),
                retry_after_ms: None,
            }),
        }
    }
}
