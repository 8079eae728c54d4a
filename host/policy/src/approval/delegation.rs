//! Delegations: an approver lets the key of one console session speak for them, for a few hours.
//!
//! An approver's own key never leaves its owner. What it signs for a console is this and nothing else: whose word the session's key gives, where,
//! and until when. The session's key signs votes of a kind of their own, each bound to this very delegation. So a vote that came through a
//! console stands on the approver's key as any other does, and nobody gives a delegation on: it counts under an enrolled key alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casemate_signing::{
    Environment,
    dsse::pae,
    key::{PublicKey, SIGNATURE_BYTES},
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{ApproverName, Approvers};
use crate::Timestamp;

/// DSSE payload type of a [`Delegation`].
pub const DELEGATION_TYPE: &str = "application/vnd.casemate.delegation+json";
/// DSSE payload type of a statement that a session's key signs. No signature of an approver's own key is one over this.
const DELEGATED_TYPE: &str = "application/vnd.casemate.approval.delegated";
/// `_type` of a [`Delegation`].
const TYPE: &str = "https://casemate.dev/delegation/v0.1";
/// The longest that a delegation is good: a shift. Who works on signs in anew.
pub const MAX_DELEGATION_MS: u64 = 12 * 3_600_000;
/// Characters of an audience.
const MAX_AUDIENCE: usize = 300;

/// What an approver's key signs for a console: this session's key gives my word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Whose word.
    pub approver: ApproverName,
    /// Of which session.
    pub key: PublicKey,
    /// Where calls are agreed to with it.
    pub environment: Environment,
    /// At which console. What is agreed to does not depend on it: it is for the console, which takes none that was made for another.
    pub audience: String,
    /// From when.
    pub not_before: Timestamp,
    /// Until when; at most [`MAX_DELEGATION_MS`] after that.
    pub expires: Timestamp,
}

impl Delegation {
    /// The payload: canonical JSON (RFC 8785).
    pub fn payload(&self) -> Option<Vec<u8>> {
        serde_json_canonicalizer::to_vec(&json!({
            "_type": TYPE,
            "approver": self.approver.as_str(),
            "audience": self.audience,
            "environment": self.environment.as_str(),
            "expires": self.expires.to_string(),
            "key": STANDARD.encode(self.key.as_bytes()),
            "not_before": self.not_before.to_string(),
        }))
        .ok()
    }

    /// Back from a payload. It must be exactly what [`Self::payload`] writes.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        let json: Value = serde_json::from_slice(payload).ok()?;
        let object: &Map<String, Value> = json.as_object()?;
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let delegation = Self {
            approver: text("approver")?.parse().ok()?,
            key: PublicKey::from_base64(text("key")?).ok()?,
            environment: text("environment")?.parse().ok()?,
            audience: text("audience").filter(|audience| audience.chars().count() <= MAX_AUDIENCE)?.to_owned(),
            not_before: text("not_before")?.parse().ok()?,
            expires: text("expires")?.parse().ok()?,
        };
        (delegation.payload()? == payload).then_some(delegation)
    }
}

/// A delegation and its signature, as they are handed over and kept. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDelegation {
    /// The delegation's payload.
    pub payload: Vec<u8>,
    /// Over the DSSE encoding of it as [`DELEGATION_TYPE`].
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why a delegation lets nobody speak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DelegationFault {
    /// It is no delegation.
    #[error("it is no delegation")]
    Malformed,
    /// Nobody of that name may agree to calls.
    #[error(
        "`{0}` is not an approver\nhelp: the operator adds `[approvers.NAME]` with the key that `casemate approver new` printed"
    )]
    NotEnrolled(ApproverName),
    /// The signature is not theirs.
    #[error("the delegation is not signed by the key of approver `{0}`")]
    Signature(ApproverName),
    /// It is for somebody else.
    #[error("the delegation is of approver `{0}`, and not of who speaks")]
    OtherApprover(ApproverName),
    /// It is for another environment.
    #[error("the delegation is for environment `{0}`")]
    Environment(Environment),
    /// It is good for longer than any may be, or for no time.
    #[error("a delegation is good for 12 hours at most\nhelp: sign in anew: `casemate console login --as NAME`")]
    Length,
    /// It names a key that is a person's.
    #[error("the delegation names the key of approver `{0}`, who speaks with it already")]
    Person(ApproverName),
    /// Not yet, or no longer.
    #[error("the delegation is good from {from} until {until}\nhelp: sign in anew: `casemate console login --as NAME`")]
    Time {
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

impl SignedDelegation {
    /// What the session's key signs to say `payload`: bound to this delegation, and of a type of its own.
    pub fn to_sign(&self, payload: &[u8]) -> Vec<u8> {
        pae(DELEGATED_TYPE, &[Sha256::digest(&self.payload).as_slice(), payload].concat())
    }

    /// The delegation, if it lets its session speak for an approver in this environment at this time.
    pub fn verify(&self, environment: Environment, approvers: &Approvers, at: Timestamp) -> Result<Delegation, DelegationFault> {
        let delegation = Delegation::from_payload(&self.payload).ok_or(DelegationFault::Malformed)?;
        let name = &delegation.approver;
        let approver = approvers.get(name).ok_or_else(|| DelegationFault::NotEnrolled(name.clone()))?;
        approver
            .key
            .verify_strict(&pae(DELEGATION_TYPE, &self.payload), &self.signature)
            .map_err(|_| DelegationFault::Signature(name.clone()))?;
        if delegation.environment != environment {
            return Err(DelegationFault::Environment(delegation.environment));
        }
        let (from, until) = (delegation.not_before, delegation.expires);
        if until <= from || until.since(from) > MAX_DELEGATION_MS {
            return Err(DelegationFault::Length);
        }
        if let Some(person) = approvers.iter().find(|approver| approver.key == delegation.key) {
            return Err(DelegationFault::Person(person.name.clone()));
        }
        if at < from || at >= until {
            return Err(DelegationFault::Time { from, until });
        }
        Ok(delegation)
    }
}
