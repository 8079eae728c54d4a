//! The layers: independent looks at one call under one grant. All look; one no is enough.
//!
//! A layer sees the case and nothing of the other layers. That is what makes the set hold when one of them is
//! configured wide open.

mod approval;
mod breaker;
mod budget;
mod catalog;
mod cedar;
mod dry_run;
mod effect;
mod enable;
mod flow;
mod identity;
mod input;
mod scope;

use std::borrow::Cow;

use casemate_signing::Environment;

pub(crate) use scope::targets;

use crate::{
    Call, Charge, Layer, Outcome, Principal, Readings, Reason, Timestamp, Verdict,
    approval::Agreed,
    call::ArgumentsFault,
    policy::{Cover, Guards},
    rule::ToolRule,
    session::SessionReading,
};

/// One call under one grant: everything a layer may look at.
pub(crate) struct Case<'a> {
    pub(crate) environment: Environment,
    pub(crate) principal: &'a Principal,
    pub(crate) cover: &'a Cover,
    pub(crate) call: &'a Call,
    pub(crate) well_formed: Result<(), ArgumentsFault>,
    pub(crate) guards: &'a Guards,
    pub(crate) readings: &'a Readings,
    pub(crate) session: Option<&'a SessionReading>,
    pub(crate) charges: &'a [Charge],
    /// A person's agreement to this very call, if there is enough of it.
    pub(crate) agreed: Option<&'a Agreed>,
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

    fn session_unknown(&self) -> Finding {
        Finding::deny(
            Reason::SessionUnknown,
            "it is not known what this session has read".to_owned(),
            "try again later",
            format!("the ledger gave no reading for the session of `{}` under `{}`", self.principal.id(), self.cover.grant),
        )
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
pub(crate) const LAYERS: [&dyn Look; 12] = [
    &identity::Identity,
    &catalog::Catalog,
    &enable::Enable,
    &effect::EffectCeiling,
    &input::Input,
    &scope::Scope,
    &flow::Flow,
    &budget::Budget,
    &breaker::Breaker,
    &cedar::Cedar,
    &approval::Approval,
    &dry_run::DryRun,
];

/// What a layer says.
pub(crate) enum Finding {
    Pass(Cow<'static, str>),
    /// It passes because people agreed: their approval is used up by it.
    Agreed(String),
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

    /// A person has to agree, or has.
    fn unless_agreed(case: &Case<'_>, objection: Objection) -> Self {
        match case.agreed {
            Some(agreed) => Self::Agreed(format!("approved as {} by {}", agreed.id, agreed.by.join(", "))),
            None => Self::Defer(objection),
        }
    }

    pub(crate) fn verdict(&self, layer: Layer) -> Verdict {
        let (outcome, note) = match self {
            Self::Pass(note) => (Outcome::Pass, note.clone()),
            Self::Agreed(note) => (Outcome::Pass, Cow::Owned(note.clone())),
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
