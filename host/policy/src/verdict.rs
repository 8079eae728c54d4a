//! Layers, what each said, and why.

use std::{borrow::Cow, fmt};

/// The layers a call passes, in the order they are reported. Each can only say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// An authenticated principal with a live grant.
    Identity,
    /// The tool exists, the grant covers it, and its plugin is the one the lock file pins.
    Catalog,
    /// The operator switched the tool on.
    Enable,
    /// The tool's effect is within the grant's, and the environment allows it.
    Effect,
    /// The arguments fit the signed schema.
    Input,
    /// Every target is within the grant's values.
    Scope,
    /// Nothing the session has read forbids it.
    Flow,
    /// The grant's budgets are not spent.
    Budget,
    /// The principal is not paused.
    Breaker,
    /// The operator's own policies do not forbid it.
    Cedar,
    /// A person has agreed, where one must.
    Approval,
    /// For real, or planned only. Never says no: it lowers what the run may send.
    DryRun,
}

impl Layer {
    /// The word used in logs and results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Catalog => "catalog",
            Self::Enable => "enable",
            Self::Effect => "effect",
            Self::Input => "input",
            Self::Scope => "scope",
            Self::Flow => "flow",
            Self::Budget => "budget",
            Self::Breaker => "breaker",
            Self::Cedar => "cedar",
            Self::Approval => "approval",
            Self::DryRun => "dry-run",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a layer did not pass a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The principal holds no grant at all.
    NoGrant,
    /// The caller's access token was not issued for this.
    InsufficientScope,
    /// The grant that covers the tool has ended.
    GrantExpired,
    /// No such tool, or none that this principal may know of.
    UnknownTool,
    /// The plugin is not the one the lock file pins.
    NotPinned,
    /// The operator has not switched the tool on.
    Disabled,
    /// The grant confers none of the roles that the tool asks for.
    RoleMissing,
    /// The grant's session is over.
    SessionEnded,
    /// The tool's effect is above the grant's `max_effect`.
    EffectAboveGrant,
    /// Destructive, in production, and nobody would be asked.
    ApprovalNeededInProd,
    /// The arguments are not a JSON object.
    ArgumentsNotObject,
    /// The arguments nest too deeply.
    ArgumentsTooDeep,
    /// An argument is a number that not every JSON reader reads alike.
    NumberOutOfRange,
    /// The arguments do not fit the tool's schema.
    ArgumentsInvalid,
    /// A target is not written as its kind requires.
    ScopeMalformed,
    /// A target that the tool binds is missing.
    ScopeMissing,
    /// A target is outside the grant.
    OutOfScope,
    /// What the session has read forbids it.
    FlowForbidden,
    /// What the session has read forbids it, unless a person agrees.
    FlowNeedsApproval,
    /// It is not known what the session has read.
    SessionUnknown,
    /// The principal is paused.
    Paused,
    /// The principal's conduct has just opened the breaker.
    BreakerOpened,
    /// The ledger has said nothing about the principal's conduct.
    BreakerUnknown,
    /// One of the operator's policies forbids it.
    Forbidden,
    /// A budget is spent.
    BudgetExhausted,
    /// The ledger has said nothing about a budget.
    BudgetUnknown,
    /// A person must agree first.
    ApprovalRequired,
}

impl Reason {
    /// The stable word used in logs and results.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoGrant => "no-grant",
            Self::InsufficientScope => "insufficient-scope",
            Self::GrantExpired => "grant-expired",
            Self::UnknownTool => "unknown-tool",
            Self::NotPinned => "not-pinned",
            Self::Disabled => "disabled",
            Self::RoleMissing => "role-missing",
            Self::SessionEnded => "session-ended",
            Self::EffectAboveGrant => "effect-above-grant",
            Self::ApprovalNeededInProd => "approval-needed-in-prod",
            Self::ArgumentsNotObject => "arguments-not-object",
            Self::ArgumentsTooDeep => "arguments-too-deep",
            Self::NumberOutOfRange => "number-out-of-range",
            Self::ArgumentsInvalid => "arguments-invalid",
            Self::ScopeMalformed => "scope-malformed",
            Self::ScopeMissing => "scope-missing",
            Self::OutOfScope => "out-of-scope",
            Self::FlowForbidden => "flow-forbidden",
            Self::FlowNeedsApproval => "flow-needs-approval",
            Self::SessionUnknown => "session-unknown",
            Self::Paused => "paused",
            Self::BreakerOpened => "breaker-opened",
            Self::BreakerUnknown => "breaker-unknown",
            Self::Forbidden => "forbidden",
            Self::BudgetExhausted => "budget-exhausted",
            Self::BudgetUnknown => "budget-unknown",
            Self::ApprovalRequired => "approval-required",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What one layer said of one call. All of them are in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Who says it.
    pub layer: Layer,
    /// What it says.
    pub outcome: Outcome,
    /// In a few words, for the operator.
    pub note: Cow<'static, str>,
}

/// What a layer can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing against it.
    Pass,
    /// No.
    Deny(Reason),
    /// Not before a person agrees.
    Defer(Reason),
    /// There was nothing to look at: no tool that this principal may know of.
    NotReached,
}

impl Outcome {
    /// The word used in logs and results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Deny(_) => "deny",
            Self::Defer(_) => "defer",
            Self::NotReached => "not-reached",
        }
    }

    /// Why, where there is a reason.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Deny(reason) | Self::Defer(reason) => Some(reason),
            Self::Pass | Self::NotReached => None,
        }
    }
}
