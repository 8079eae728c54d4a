//! Enable: the operator switched the tool on, for the roles of this grant. Whatever changes something is off until then.

use super::{Case, Finding, Look};
use crate::{Layer, Reason, approval::RoleName};

pub(super) struct Enable;

impl Look for Enable {
    fn layer(&self) -> Layer {
        Layer::Enable
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let roles = &case.rule().roles;
        if !roles.is_empty() && roles.is_disjoint(&case.cover.roles) {
            let roles: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
            return Finding::deny(
                Reason::RoleMissing,
                format!("`{}` is for the roles: {}", case.rule().served, roles.join(", ")),
                "use another tool; retrying will not help",
                format!(
                    "add one of them to `roles` under `{}`; the tool asks for them under `{}`",
                    case.grant_table(),
                    case.tool_table()
                ),
            );
        }
        if case.rule().enabled {
            Finding::pass("the tool is enabled")
        } else {
            Finding::deny(
                Reason::Disabled,
                format!("`{}` is disabled", case.rule().served),
                "use another tool, or ask the operator to enable this one; retrying will not help",
                format!("add `enabled = true` under `{}`", case.tool_table()),
            )
        }
    }
}
