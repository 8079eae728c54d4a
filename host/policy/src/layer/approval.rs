//! Approval: a person agrees first, where one must.

use super::{Case, Finding, Look, Objection};
use crate::{Layer, Mode, Reason, approval::ApprovalMode};

pub(super) struct Approval;

impl Look for Approval {
    fn layer(&self) -> Layer {
        Layer::Approval
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let rule = case.rule();
        match (rule.approval.mode, rule.mode()) {
            (ApprovalMode::None, _) => Finding::pass("no approval is asked for"),
            (_, Mode::DryRun) => Finding::pass("a dry run sends nothing that needs approval"),
            (ApprovalMode::InBand | ApprovalMode::Operator, Mode::Real) => Finding::unless_agreed(
                case,
                Objection {
                    reason: Reason::ApprovalRequired,
                    message: match rule.approval.quorum {
                        0 | 1 => format!("`{}` needs a person's approval", rule.served),
                        quorum => format!("`{}` needs the approval of {quorum} people", rule.served),
                    },
                    for_model: "tell the user that this call waits for approval, and make the same call again once it is given"
                        .to_owned(),
                    for_operator: format!(
                        "look at it with `casemate approvals list`; `approval` under `{table}` says who must agree",
                        table = case.tool_table()
                    ),
                    retry_after_ms: None,
                },
            ),
        }
    }
}
