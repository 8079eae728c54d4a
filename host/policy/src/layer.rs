//! The layers: independent looks at one call under one grant. All look; one no is enough.
//!
//! A layer sees the case and nothing of the other layers. That is what makes the set hold when one of them is
//! configured wide open.

mod approval;
mod budget;
mod catalog;
mod dry_run;
mod effect;
mod enable;
mod identity;
mod input;
mod scope;

pub(crate) use scope::targets;

use std::borrow::Cow;

use casemate_signing::Environment;

use crate::{
    Call, Layer, Outcome, Principal, Readings, Reason, Timestamp, Verdict, call::ArgumentsFault, policy::Cover, rule::ToolRule,
};

/// One call under one grant: everything a layer may look at.
pub(crate) struct Case<'a> {
    pub(crate) environment: Environment,
    pub(crate) principal: &'a Principal,
    pub(crate) cover: &'a Cover,
    pub(crate) call: &'a Call,
    pub(crate) well_formed: Result<(), ArgumentsFault>,
    pub(crate) readings: &'a Readings,
    pub(crate) now: Timestamp,
}

impl Case<'_> {
    fn rule(&self) -> &ToolRule {
        &self.cover.tool.rule
    }

    /// The table of the operator's configuration where the tool's switches are.
    fn tool_table(&self) -> String {
        format!("[plugins.{}.tools.{}]", self.rule().plugin.name, self.rule().tool)
    }

    /// The table of the operator's configuration where the grant is.
    fn grant_table(&self) -> String {
        format!("[grants.{}]", self.cover.grant)
    }
}

/// A layer.
pub(crate) trait Look: Sync {
    /// Which one.
    fn layer(&self) -> Layer;

    /// What it says of a case.
    fn look(&self, case: &Case<'_>) -> Finding;
}

/// All of them, in the order they are reported.
pub(crate) const LAYERS: [&dyn Look; 9] = [
    &identity::Identity,
    &catalog::Catalog,
    &enable::Enable,
    &effect::EffectCeiling,
    &input::Input,
    &scope::Scope,
    &budget::Budget,
    &approval::Approval,
    &dry_run::DryRun,
];

/// What a layer says.
pub(crate) enum Finding {
    Pass(Cow<'static, str>),
    Deny(Objection),
    Defer(Objection),
}

/// Why not, for three readers.
#[derive(Debug, Clone)]
pub(crate) struct Objection {
    pub(crate) reason: Reason,
    /// What happened; may be shown to the caller.
    pub(crate) message: String,
    /// What the caller may do next.
    pub(crate) for_model: String,
    /// What the operator would change to allow it.
    pub(crate) for_operator: String,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Finding {
    fn pass(note: &'static str) -> Self {
        Self::Pass(Cow::Borrowed(note))
    }

    fn deny(reason: Reason, message: String, for_model: impl Into<String>, for_operator: impl Into<String>) -> Self {
        Self::Deny(Objection {
            reason,
            message,
            for_model: for_model.into(),
            for_operator: for_operator.into(),
            retry_after_ms: None,
        })
    }

    pub(crate) fn verdict(&self, layer: Layer) -> Verdict {
        let (outcome, note) = match self {
            Self::Pass(note) => (Outcome::Pass, note.clone()),
            Self::Deny(objection) => (Outcome::Deny(objection.reason), Cow::Owned(objection.message.clone())),
            Self::Defer(objection) => (Outcome::Defer(objection.reason), Cow::Owned(objection.message.clone())),
        };
        Verdict { layer, outcome, note }
    }
}

/// A TOML string.
fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
