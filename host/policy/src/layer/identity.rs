//! Identity: an authenticated principal with a live grant.

use super::{Case, Finding, Look};
use crate::{Layer, Reason};

pub(super) struct Identity;

impl Look for Identity {
    fn layer(&self) -> Layer {
        Layer::Identity
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        match case.cover.expires {
            Some(end) if !case.cover.is_live(case.now) => Finding::deny(
                Reason::GrantExpired,
                format!("the grant for this tool ended at {end}"),
                "ask the operator to renew the grant; retrying will not help",
                format!("set a later `expires` under `{}`, held by `{}`", case.grant_table(), case.principal.id()),
            ),
            _ => Finding::pass("the principal holds a live grant"),
        }
    }
}
