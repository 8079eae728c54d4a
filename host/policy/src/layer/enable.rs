//! Enable: the operator switched the tool on. Whatever changes something is off until then.

use super::{Case, Finding, Look};
use crate::{Layer, Reason};

pub(super) struct Enable;

impl Look for Enable {
    fn layer(&self) -> Layer {
        Layer::Enable
    }

    fn look(&self, case: &Case<'_>) -> Finding {
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
