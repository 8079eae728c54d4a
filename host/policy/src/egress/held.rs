//! Held plans: what a person agreed to, read back, and the request that each real one must be.

use casemate_signing::manifest::Effect;
use serde_json::Value;

use super::{
    Checked,
    difference::{self, Held},
    plan::{self, RESTS},
    refusal::{Refusal, RefusalReason},
};
use crate::call::canonical_digest;

/// A plan that was agreed to. Only its JSON and the digest that was agreed to make one, and only if they belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldPlan {
    requests: Vec<HeldRequest>,
}

/// One request of it, as [`plan::request`] wrote it.
#[derive(Debug, Clone, PartialEq)]
struct HeldRequest {
    shown: Value,
    how: Held,
}

/// Why a stored plan cannot be held to. The culprit is whoever kept it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeldPlanError {
    /// Not JSON.
    #[error("the stored plan is not JSON\nhelp: what was agreed to is lost; the call has to be approved again")]
    NotJson,
    /// Other words than those that were agreed to.
    #[error(
        "the stored plan has the digest `{found}`, and `{agreed}` was agreed to\nhelp: it was changed where it is kept; the call has to be approved again"
    )]
    OtherPlan {
        /// What was agreed to.
        agreed: String,
        /// What the stored words have.
        found: String,
    },
    /// JSON that no dry run writes.
    #[error(
        "the stored plan is not one that a dry run makes: {0}\nhelp: another version of the host may have written it; the call has to be approved again"
    )]
    NotAPlan(&'static str),
}

impl HeldPlan {
    /// Read what [`super::Plan::to_json`] wrote, and believe it only if it has the digest that was agreed to, [`super::Plan::digest`].
    pub fn read(json: &str, digest: &str) -> Result<Self, HeldPlanError> {
        let stored: Value = serde_json::from_str(json).map_err(|_| HeldPlanError::NotJson)?;
        let found = canonical_digest(&stored).ok_or(HeldPlanError::NotJson)?;
        if found != digest {
            return Err(HeldPlanError::OtherPlan { agreed: digest.chars().take(80).collect(), found });
        }
        let Value::Object(mut plan) = stored else { return Err(HeldPlanError::NotAPlan("it is no object")) };
        let Some(Value::Array(requests)) = plan.remove("requests") else {
            return Err(HeldPlanError::NotAPlan("it has no list of requests"));
        };
        if !plan.is_empty() {
            return Err(HeldPlanError::NotAPlan("it has more than requests"));
        }
        Ok(Self { requests: requests.into_iter().map(HeldRequest::read).collect::<Result<_, _>>()? })
    }

    /// How many requests it has.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether nothing above `read` was agreed to.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether a request is the one at a place of the plan, from 0.
    pub(super) fn check(&self, at: usize, request: &Checked) -> Result<(), Refusal> {
        let mismatch = |what: String| Err(Refusal::new(RefusalReason::PlanMismatch, what));
        let (number, count) = (at + 1, self.requests.len());
        let Some(held) = self.requests.get(at) else {
            return mismatch(format!("the plan has {count} requests, and `{}` would be one more", request.contract()));
        };
        match difference::between(&held.shown, &plan::request(request, usize::MAX), held.how) {
            None => Ok(()),
            Some(part) => mismatch(format!("request {number} of {count} is not the planned one: {part}")),
        }
    }
}

impl HeldRequest {
    /// Nothing is missing that a request is held to, nothing is there that is not understood, and nothing of it only reads.
    fn read(mut shown: Value) -> Result<Self, HeldPlanError> {
        const TEXTS: [&str; 5] = ["upstream", "contract", "effect", "method", "url"];
        const OBJECTS: [&str; 2] = ["headers", "targets"];
        let Value::Object(fields) = &mut shown else { return Err(HeldPlanError::NotAPlan("a request is no object")) };
        let how = match fields.remove(RESTS) {
            None => Held::Exactly,
            Some(Value::Bool(true)) => Held::InKind,
            Some(_) => return Err(HeldPlanError::NotAPlan("a request rests on something else than an assumed answer")),
        };
        let complete = TEXTS.iter().all(|name| fields.get(*name).is_some_and(Value::is_string))
            && OBJECTS.iter().all(|name| fields.get(*name).is_some_and(Value::is_object));
        let known = |name: &str| TEXTS.contains(&name) || OBJECTS.contains(&name) || matches!(name, "body" | "volatile");
        if !complete || !fields.keys().all(|name| known(name)) {
            return Err(HeldPlanError::NotAPlan("a request has other parts than a request"));
        }
        if fields.get("effect").and_then(Value::as_str) == Some(Effect::Read.as_str()) {
            return Err(HeldPlanError::NotAPlan("a request of it only reads"));
        }
        Ok(Self { shown, how })
    }
}
