//! Catalog: the grant covers the tool, and its plugin is the one the lock file pins.
//!
//! That the tool exists and is covered is established before a case is made: see `decide`.

use super::{Case, Finding, Look};
use crate::{Layer, Reason};

pub(super) struct Catalog;

impl Look for Catalog {
    fn layer(&self) -> Layer {
        Layer::Catalog
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let rule = case.rule();
        if rule.pinned {
            Finding::pass("the grant covers the tool, and its plugin is pinned")
        } else {
            Finding::deny(
                Reason::NotPinned,
                format!("the plugin behind `{}` is not the one that was approved", rule.served),
                "ask the operator to look at the plugin; retrying will not help",
                format!(
                    "`{}` with digest sha256:{} is not in casemate.lock: install it with `casemate install`",
                    rule.plugin, rule.digest
                ),
            )
        }
    }
}
