//! Refusals: why a request did not leave, for two readers. The guest's says nothing.

use std::fmt;

/// A request that was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    reason: RefusalReason,
    detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Why, as a stable word.
    pub fn reason(&self) -> RefusalReason {
        self.reason
    }

    /// Why, in full. Guest text in it is quoted and bounded.
    pub fn for_operator(&self) -> &str {
        &self.detail
    }

    /// What the guest is told. Always the same: a guest that could tell refusals apart could map the policy.
    pub fn for_guest(&self) -> &'static str {
        "the host does not send this request"
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.code(), self.detail)
    }
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalReason {
    /// The permit is for another plugin, or another build of it.
    WrongPlugin,
    /// The request holds a secret that only the host sends.
    SecretInRequest,
    /// No contract can name the method.
    MethodUnknown,
    /// The origin is not in its one plain spelling.
    OriginMalformed,
    /// No upstream of the plugin is bound to the origin.
    OriginNotBound,
    /// The path has more than one reading.
    PathMalformed,
    /// The query has more than one reading.
    QueryMalformed,
    /// A header has more than one reading.
    HeaderMalformed,
    /// A header that only the host sets.
    HeaderForbidden,
    /// A header that neither the host's allowlist nor the contract names, or a value the contract does not allow.
    HeaderNotAllowed,
    /// A content type with more than one reading, or none where there is a body.
    ContentTypeMalformed,
    /// The body has more than one reading.
    BodyMalformed,
    /// No contract fits.
    NoContract,
    /// More than one contract fits.
    ContractAmbiguous,
    /// The tool may not use the contract.
    ContractNotGranted,
    /// A query parameter that the contract does not name, or a value it does not allow.
    QueryNotAllowed,
    /// A bound target is not in the request.
    ScopeMissing,
    /// A bound target is not written as its kind requires.
    ScopeMalformed,
    /// A target is outside the grant.
    OutOfScope,
    /// A read has not established what the request is held against.
    NotEstablished,
    /// What a read has established is outside the grant.
    EstablishedOutOfScope,
    /// A target that the grant allows and the call did not name.
    TargetNotNamed,
    /// A value is none of those that a read has established.
    NotAmongEstablished,
    /// The body has what the contract forbids, or does not name where it is closed.
    BodyNotAllowed,
    /// The contract's effect is above what this run may do.
    EffectAboveCeiling,
    /// It is not the request of the plan whose turn it is.
    PlanMismatch,
    /// The run has ended with an earlier request.
    RunEnded,
}

impl RefusalReason {
    /// The stable word used in logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::WrongPlugin => "wrong-plugin",
            Self::SecretInRequest => "secret-in-request",
            Self::MethodUnknown => "method-unknown",
            Self::OriginMalformed => "origin-malformed",
            Self::OriginNotBound => "origin-not-bound",
            Self::PathMalformed => "path-malformed",
            Self::QueryMalformed => "query-malformed",
            Self::HeaderMalformed => "header-malformed",
            Self::HeaderForbidden => "header-forbidden",
            Self::HeaderNotAllowed => "header-not-allowed",
            Self::ContentTypeMalformed => "content-type-malformed",
            Self::BodyMalformed => "body-malformed",
            Self::NoContract => "no-contract",
            Self::ContractAmbiguous => "contract-ambiguous",
            Self::ContractNotGranted => "contract-not-granted",
            Self::QueryNotAllowed => "query-not-allowed",
            Self::ScopeMissing => "scope-missing",
            Self::ScopeMalformed => "scope-malformed",
            Self::OutOfScope => "out-of-scope",
            Self::NotEstablished => "not-established",
            Self::EstablishedOutOfScope => "established-out-of-scope",
            Self::TargetNotNamed => "target-not-named",
            Self::NotAmongEstablished => "not-among-established",
            Self::BodyNotAllowed => "body-not-allowed",
            Self::EffectAboveCeiling => "effect-above-ceiling",
            Self::PlanMismatch => "plan-mismatch",
            Self::RunEnded => "run-ended",
        }
    }
}
