//! Identity: an authenticated principal with a live grant.

use super::{Case, Finding, Look};
use crate::{Layer, Reason, TokenScope};

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
            _ => step_up(case).unwrap_or_else(|| session(case)),
        }
    }
}

/// What an access token was not issued for, its bearer may not do with it, whatever is granted.
fn step_up(case: &Case<'_>) -> Option<Finding> {
    let effect = case.rule().manifest_tool.effect;
    let lacking = case.guards.lacking(case.principal, effect);
    let list: Vec<&str> = lacking.iter().map(TokenScope::as_str).collect();
    (!lacking.is_empty()).then(|| {
        Finding::deny(
            Reason::InsufficientScope,
            format!("this call needs an access token with the scope `{}`", list.join(" ")),
            "the client has to ask its authorization server for that scope; with the token it has now, retrying will not help",
            format!(
                "let the authorization server give `{}` that scope, or change `step_up` under `[http.oauth]`",
                case.principal.id()
            ),
        )
    })
}

/// A grant may last only so long from its first use.
fn session(case: &Case<'_>) -> Finding {
    let Some(length) = case.cover.session else { return Finding::pass("the principal holds a live grant") };
    let Some(reading) = case.session else { return case.session_unknown() };
    match reading.since {
        Some(since) if since.plus_millis(length.as_millis()) <= case.now => Finding::deny(
            Reason::SessionEnded,
            format!("the session under this grant began at {since} and lasted {length}"),
            "ask the operator for a new session; retrying will not help",
            format!(
                "end it with `casemate sessions clear {} {}`: the next call begins another",
                case.principal.id(),
                case.cover.grant
            ),
        ),
        _ => Finding::pass("the principal holds a live grant, and its session is not over"),
    }
}
