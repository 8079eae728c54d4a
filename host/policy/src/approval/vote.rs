//! Votes: what an approver says of a subject, signed, and whether it counts.

use casemate_signing::{dsse::pae, key::SIGNATURE_BYTES};
use serde_json::{Map, Value, json};

use super::{
    ApprovalRule, Approver, ApproverName, Approvers, DelegationFault, PAYLOAD_TYPE, RoleName, SignedDelegation, Subject, has_role,
};
use crate::{Timestamp, text::quote};

/// `_type` of a [`Statement`].
const STATEMENT_TYPE: &str = "https://casemate.dev/approval/v0.1";

/// What one person said of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It may happen.
    Approve,
    /// It must not.
    Deny,
}

impl Said {
    /// The word in a statement.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// What an approver signs: the subject, whole, and what they say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Who.
    pub approver: ApproverName,
    /// What.
    pub said: Said,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Of what.
    pub subject: Subject,
}

impl Statement {
    /// The payload: canonical JSON (RFC 8785); none where the subject has no such form.
    pub fn payload(&self) -> Option<Vec<u8>> {
        serde_json_canonicalizer::to_vec(&json!({
            "_type": STATEMENT_TYPE,
            "approver": self.approver.as_str(),
            "at": self.at.to_string(),
            "reason": self.reason,
            "said": self.said.as_str(),
            "subject": self.subject.to_json(),
        }))
        .ok()
    }

    /// What the signature is over: the DSSE encoding of [`Self::payload`].
    pub fn to_sign(payload: &[u8]) -> Vec<u8> {
        pae(PAYLOAD_TYPE, payload)
    }

    /// Back from a payload. It must be exactly what [`Self::payload`] writes.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(payload).ok()?;
        let object: &Map<String, Value> = json.as_object()?;
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let statement = Self {
            approver: text("approver")?.parse().ok()?,
            said: match text("said")? {
                "approve" => Said::Approve,
                "deny" => Said::Deny,
                _ => return None,
            },
            reason: text("reason")?.to_owned(),
            at: text("at")?.parse().ok()?,
            subject: Subject::from_json(object.get("subject")?)?,
        };
        (statement.payload()? == payload).then_some(statement)
    }
}

/// A statement and its signature, as the ledger keeps them. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The statement's payload.
    pub payload: Vec<u8>,
    /// Over [`Statement::to_sign`] by the approver's own key; over [`SignedDelegation::to_sign`] by a session's.
    pub signature: [u8; SIGNATURE_BYTES],
    /// What lets a session's key give the approver's word; none where the approver's own signed.
    pub delegation: Option<SignedDelegation>,
}

/// Why a vote does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VoteFault {
    /// It is no statement.
    #[error("it is no statement about an approval")]
    Malformed,
    /// It is about another subject.
    #[error("it is about another call")]
    OtherSubject,
    /// Nobody of that name may agree.
    #[error(
        "{0} is not an approver\nhelp: the operator adds `[approvers.NAME]` with the key that `casemate approver new` printed"
    )]
    NotEnrolled(String),
    /// The signature is not theirs.
    #[error("the signature is not by the key of approver `{0}`")]
    Signature(ApproverName),
    /// It was said through a console, which may not say it.
    #[error(transparent)]
    Delegation(#[from] DelegationFault),
    /// They asked for it themselves.
    #[error("`{0}` asked for this call, and nobody approves a call of their own\nhelp: another approver has to look at it")]
    Requester(ApproverName),
    /// They lack the role.
    #[error("`{0}` has none of the roles that this tool's approvers must have: {1}")]
    Role(ApproverName, String),
    /// It was said too late, or the clock is wrong.
    #[error("it was said at {0}, outside the time this approval was open")]
    Time(Timestamp),
}

impl Vote {
    /// The statement, if an approver who may say so signed it.
    pub fn verify(&self, subject: &Subject, rule: &ApprovalRule, approvers: &Approvers) -> Result<Statement, VoteFault> {
        let statement = Statement::from_payload(&self.payload).ok_or(VoteFault::Malformed)?;
        // `2` and `2.0` are one number: what counts is the canonical form.
        if statement.subject.digest() != subject.digest() {
            return Err(VoteFault::OtherSubject);
        }
        let name = &statement.approver;
        let approver = approvers.get(name).ok_or_else(|| VoteFault::NotEnrolled(quote(name.as_str(), 64)))?;
        self.is_by(approver, &statement, approvers)?;
        // Whoever asked may still say no.
        if statement.said == Said::Approve {
            if approver.is(&subject.principal) {
                return Err(VoteFault::Requester(name.clone()));
            }
            if !has_role(approver, &rule.roles) {
                let roles: Vec<&str> = rule.roles.iter().map(RoleName::as_str).collect();
                return Err(VoteFault::Role(name.clone(), roles.join(", ")));
            }
        }
        if statement.at < subject.requested || statement.at >= subject.expires {
            return Err(VoteFault::Time(statement.at));
        }
        Ok(statement)
    }

    /// Whether the approver's key signed it, or the key of a session that the approver's key lets speak at that time.
    fn is_by(&self, approver: &Approver, statement: &Statement, approvers: &Approvers) -> Result<(), VoteFault> {
        let name = &approver.name;
        let signed = match &self.delegation {
            None => approver.key.verify_strict(&Statement::to_sign(&self.payload), &self.signature),
            Some(signed) => {
                let delegation = signed.verify(statement.subject.environment, approvers, statement.at)?;
                if delegation.approver != *name {
                    return Err(DelegationFault::OtherApprover(delegation.approver).into());
                }
                delegation.key.verify_strict(&signed.to_sign(&self.payload), &self.signature)
            }
        };
        signed.map_err(|_| VoteFault::Signature(name.clone()))
    }
}
