//! Approvals: what a person agrees to, who agreed, and whether that is enough.
//!
//! A person agrees to one call: its caller, its arguments, the signed plugin, and every request it would send. The approval is good for that
//! call and no other, once. Who agreed is proved by a signature over all of it, and the proof is checked again when the call is made, so
//! that whoever can write the ledger still cannot agree.

mod delegation;
mod vote;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::{Environment, key::PublicKey, manifest::PluginId};
pub use delegation::{DELEGATION_TYPE, Delegation, DelegationFault, MAX_DELEGATION_MS, SignedDelegation};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
pub use vote::{Said, Statement, Vote, VoteFault};

use crate::{GrantName, PrincipalId, ServedName, Timestamp, ToolRule, Window, call::hex, name::shared_name};

/// DSSE payload type of a [`Statement`].
pub const PAYLOAD_TYPE: &str = "application/vnd.casemate.approval+json";
/// How long a request for approval waits, and an approval is good, where the operator says nothing.
const LASTS_MS: u64 = 3_600_000;
/// Characters of a person's reason.
pub const MAX_REASON: usize = 500;

shared_name!(
    /// A role: `incident_commander`. Grants confer them on callers, and approvers have them.
    RoleName, "role", "it has the form ^[a-z][a-z0-9_-]{0,62}$",
    |text| (1..=63).contains(&text.len()) && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')));
shared_name!(
    /// A person who may agree to calls.
    ApproverName, "approver's name", "it has the form ^[a-z][a-z0-9._-]{0,62}$",
    |text| (1..=63).contains(&text.len()) && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')));
shared_name!(
    /// An approval's id: the first 20 hex digits of its subject's digest.
    ApprovalId, "approval id", "it is 20 lower-case hex digits: `casemate approvals list` shows them",
    |text| text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));

/// Who must agree before a call runs for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApprovalMode {
    /// Nobody.
    None,
    /// Whoever sits at the client: it asks, and its answer is believed. An approver's agreement does as well.
    InBand,
    /// Enrolled approvers, each with a key that the client does not have.
    Operator,
}

impl ApprovalMode {
    /// The word used in configuration and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InBand => "in-band",
            Self::Operator => "operator",
        }
    }
}

/// `approval = { … }` of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Who.
    pub mode: ApprovalMode,
    /// How many different people; at least one.
    pub quorum: u32,
    /// Each of them must have one of these; empty: any approver.
    pub roles: BTreeSet<RoleName>,
    /// How long a request waits, and from when on an approval is no longer good.
    pub lasts: Window,
}

impl ApprovalRule {
    /// Of this mode, by one person, for an hour.
    pub fn of(mode: ApprovalMode) -> Self {
        // The constant is not zero.
        let lasts = Window::from_millis(LASTS_MS).unwrap_or(Window::MILLISECOND);
        Self { mode, quorum: 1, roles: BTreeSet::new(), lasts }
    }

    /// How many people must agree to this subject: what it showed them counts, and what the operator says now, whichever is more.
    pub fn quorum_of(&self, subject: &Subject) -> u32 {
        self.quorum.max(subject.quorum).max(1)
    }

    /// Whether the person at the client may agree to it alone. Nobody knows who sits there: a role is not met, and one person is no quorum.
    pub(crate) fn is_met_in_band(&self, subject: &Subject) -> bool {
        self.mode == ApprovalMode::InBand && self.quorum_of(subject) == 1 && self.roles.is_empty()
    }
}

/// A person who may agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// Whom a vote counts for.
    pub name: ApproverName,
    /// Whose signatures are theirs.
    pub key: PublicKey,
    /// The principals that are this person, or act for them: their calls this person does not approve.
    pub principals: BTreeSet<PrincipalId>,
    /// What else is known of them.
    pub roles: BTreeSet<RoleName>,
}

impl Approver {
    /// Whether this person is asking. A token of the same name is taken for theirs.
    pub fn is(&self, principal: &PrincipalId) -> bool {
        self.principals.contains(principal) || principal.as_str().strip_prefix("token:") == Some(self.name.as_str())
    }
}

/// Everyone who may agree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvers(BTreeMap<ApproverName, Approver>);

/// Two approvers who are one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "approvers `{0}` and `{1}` have the same key\nhelp: a quorum counts people: give each their own, with `casemate approver new`"
)]
pub struct SharedKey(pub ApproverName, pub ApproverName);

impl Approvers {
    /// No two of them may have one key: one person would count twice.
    pub fn new(approvers: impl IntoIterator<Item = Approver>) -> Result<Self, SharedKey> {
        let mut known = BTreeMap::<ApproverName, Approver>::new();
        for approver in approvers {
            if let Some(other) = known.values().find(|other| other.name != approver.name && other.key == approver.key) {
                return Err(SharedKey(other.name.clone(), approver.name));
            }
            known.insert(approver.name.clone(), approver);
        }
        Ok(Self(known))
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Approver> {
        self.0.values()
    }

    /// One of them.
    pub fn get(&self, name: &ApproverName) -> Option<&Approver> {
        self.0.get(name)
    }

    /// How many could agree to a call of this principal under this rule.
    pub fn able(&self, rule: &ApprovalRule, principal: &PrincipalId) -> usize {
        self.iter().filter(|approver| !approver.is(principal) && has_role(approver, &rule.roles)).count()
    }
}

fn has_role(approver: &Approver, roles: &BTreeSet<RoleName>) -> bool {
    roles.is_empty() || !roles.is_disjoint(&approver.roles)
}

/// What is agreed to: one call and every request it would send.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Where.
    pub environment: Environment,
    /// Who asked.
    pub principal: PrincipalId,
    /// Under which grant.
    pub grant: GrantName,
    /// Whose tool.
    pub plugin: PluginId,
    /// The plugin's component digest, lower-case hex.
    pub plugin_digest: String,
    /// The tool, as clients see it.
    pub tool: ServedName,
    /// The arguments, with what the tool's schema marks `x-secret` left out.
    pub arguments: Value,
    /// Lower-case hex SHA-256 of the whole arguments' canonical form (RFC 8785).
    pub arguments_digest: String,
    /// The plan of the call that was run dry: [`crate::egress::Plan::to_json`].
    pub plan: Value,
    /// Its digest, lower-case hex.
    pub plan_digest: String,
    /// Why a person is asked, in the host's words.
    pub why: Vec<String>,
    /// How many people must agree.
    pub quorum: u32,
    /// When it was asked for.
    pub requested: Timestamp,
    /// From when on nobody can agree to it, and nothing runs under it.
    pub expires: Timestamp,
}

impl Subject {
    /// All of it, as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "arguments": self.arguments,
            "arguments_digest": self.arguments_digest,
            "environment": self.environment.as_str(),
            "expires": self.expires.to_string(),
            "grant": self.grant.as_str(),
            "plan": self.plan,
            "plan_digest": self.plan_digest,
            "plugin": self.plugin.to_string(),
            "plugin_digest": self.plugin_digest,
            "principal": self.principal.as_str(),
            "quorum": self.quorum,
            "requested": self.requested.to_string(),
            "tool": self.tool.as_str(),
            "why": self.why,
        })
    }

    /// Back from [`Self::to_json`]; none where anything is missing, of another form, or too much.
    pub fn from_json(json: &Value) -> Option<Self> {
        let object = json.as_object().filter(|object| object.len() == 14)?;
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        Some(Self {
            environment: text("environment")?.parse().ok()?,
            principal: text("principal")?.parse().ok()?,
            grant: text("grant")?.parse().ok()?,
            plugin: text("plugin")?.parse().ok()?,
            plugin_digest: text("plugin_digest")?.to_owned(),
            tool: text("tool")?.parse().ok()?,
            arguments: object.get("arguments")?.clone(),
            arguments_digest: text("arguments_digest")?.to_owned(),
            plan: object.get("plan")?.clone(),
            plan_digest: text("plan_digest")?.to_owned(),
            why: object.get("why")?.as_array()?.iter().map(|line| line.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            quorum: object.get("quorum")?.as_u64()?.try_into().ok()?,
            requested: text("requested")?.parse().ok()?,
            expires: text("expires")?.parse().ok()?,
        })
    }

    /// Lower-case hex SHA-256 of its canonical form (RFC 8785); none where it has none.
    pub fn digest(&self) -> Option<String> {
        let canonical = serde_json_canonicalizer::to_vec(&self.to_json()).ok()?;
        Some(hex(&Sha256::digest([b"casemate approval subject v1\0", canonical.as_slice()].concat())))
    }

    /// What people call it.
    pub fn id(&self) -> Option<ApprovalId> {
        self.digest()?.get(..20)?.parse().ok()
    }
}

/// An approval that is open, as the ledger knows it: neither used, nor denied, nor withdrawn.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenApproval {
    /// Which.
    pub id: ApprovalId,
    /// What is agreed to.
    pub subject: Arc<Subject>,
    /// What approvers said.
    pub votes: Vec<Vote>,
    /// Whether the person at the client agreed, in an answer that only this host could have asked for.
    pub in_band: bool,
}

/// What is to be approved, as the call that is made now has it.
pub(crate) struct Asked<'a> {
    pub(crate) environment: Environment,
    pub(crate) principal: &'a PrincipalId,
    pub(crate) grant: &'a GrantName,
    pub(crate) plugin: &'a PluginId,
    pub(crate) plugin_digest: &'a str,
    pub(crate) tool: &'a ServedName,
    pub(crate) arguments_digest: &'a str,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(
        environment: Environment,
        principal: &'a PrincipalId,
        grant: &'a GrantName,
        rule: &'a ToolRule,
        arguments_digest: &'a str,
    ) -> Self {
        let ToolRule { plugin, digest, served, .. } = rule;
        Self { environment, principal, grant, plugin, plugin_digest: digest, tool: served, arguments_digest }
    }
}

/// An approval that is enough for the call at hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreed {
    /// Which; the ledger takes it when the call is charged, and it is gone.
    pub id: ApprovalId,
    /// Digest of its subject, which the ledger compares.
    pub digest: String,
    /// The requests that may be sent.
    pub plan: Arc<Subject>,
    /// Who agreed.
    pub by: Vec<String>,
}

impl OpenApproval {
    /// Whether it is about this very call, and in time.
    pub(crate) fn is_about(&self, asked: &Asked<'_>, now: Timestamp) -> bool {
        let subject = &self.subject;
        now < subject.expires
            && subject.environment == asked.environment
            && subject.principal == *asked.principal
            && subject.grant == *asked.grant
            && subject.plugin == *asked.plugin
            && subject.plugin_digest == asked.plugin_digest
            && subject.tool == *asked.tool
            && subject.arguments_digest == asked.arguments_digest
    }

    /// Whether enough people agreed to this very call, by the rule as it is now.
    pub(crate) fn agreed(&self, asked: &Asked<'_>, rule: &ApprovalRule, approvers: &Approvers, now: Timestamp) -> Option<Agreed> {
        if !self.is_about(asked, now) {
            return None;
        }
        let subject = &self.subject;
        let digest = subject.digest()?;
        if !digest.starts_with(self.id.as_str()) {
            return None;
        }
        let by = self.people(rule, approvers)?;
        let quorum = rule.quorum_of(subject);
        let in_band = self.in_band && rule.is_met_in_band(subject);
        if u32::try_from(by.len()).is_ok_and(|count| count >= quorum) || in_band {
            let mut by: Vec<String> = by.iter().map(ToString::to_string).collect();
            if in_band {
                by.push(format!("in-band:{}", subject.principal));
            }
            return Some(Agreed { id: self.id.clone(), digest, plan: Arc::clone(subject), by });
        }
        None
    }

    /// The different people who agreed; none where one of them said no.
    pub fn people(&self, rule: &ApprovalRule, approvers: &Approvers) -> Option<BTreeSet<ApproverName>> {
        let mut people = BTreeSet::new();
        for vote in &self.votes {
            match vote.verify(&self.subject, rule, approvers) {
                Ok(statement) if statement.said == Said::Deny => return None,
                Ok(statement) => drop(people.insert(statement.approver)),
                Err(_) => {}
            }
        }
        Some(people)
    }
}

#[cfg(test)]
#[path = "approval/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "approval/delegated_tests.rs"]
mod delegated_tests;
