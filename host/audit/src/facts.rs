//! What is written down of each event: typed facts in, the fields of one record out.
//!
//! Whatever policy has proved is taken from its own types, so that nobody can record one call and make another.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use casemate_policy::{
    Charge, Deferred, Denied, Permit, Principal, PrincipalId, Timestamp, Verdict, approval::ApprovalId, session::SessionReading,
};
use ed25519_dalek::VerifyingKey;
use serde_json::Value;

use crate::{EventId, Hash, KeptDetails, OpenIntent, Outcome, canonical::Object, prune::Removal, record::Draft};

/// Who the host itself is, in `principal_id`.
pub const HOST: &str = "casemate";

/// What the server knows of a call, whatever becomes of it.
#[derive(Debug, Clone)]
pub struct CallFacts {
    /// Follows the call through every log: a trace id.
    pub call_id: String,
    /// How it came in: `stdio`, `http`, `command`.
    pub via: &'static str,
    /// The trace id (W3C Trace Context) under which the client says it makes the call. Its word, and nothing is decided by it.
    pub trace: Option<String>,
    /// The arguments, with what the schema marks `x-secret` already replaced. The digest of the full ones is policy's.
    pub arguments: Value,
}

/// What the server knows of an intent.
pub type IntentFacts = CallFacts;

/// What the server knows of a call that was denied or deferred.
pub type DeniedFacts = CallFacts;

/// Why a call that policy permitted, or was not asked about, is not made, such as a budget that another call spent in between.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    /// The layer, or the room of the house, that stopped it.
    pub layer: Cow<'static, str>,
    /// Why, as a stable word.
    pub reason: Cow<'static, str>,
    /// What happened.
    pub message: String,
    /// When trying again could help.
    pub retry_after_ms: Option<u64>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct OutcomeFacts {
    /// The call's id, as in the intent.
    pub call_id: String,
    /// `Allowed` where it did what was asked, `Denied` where the gate or the output check stopped it, `Error` where it failed, `Unknown` where
    /// something was sent and no answer came.
    pub outcome: Outcome,
    /// How, as a stable word: `returned`, `failed`, `planned`, `refused`, `withheld`, `limit`, `cancelled`, ….
    pub ending: Cow<'static, str>,
    /// The cause, for the operator.
    pub detail: Option<String>,
    /// Every request that passed the gate, in order.
    pub requests: Vec<RequestFacts>,
    /// What the result carries.
    pub labels: Vec<String>,
    /// Units of fuel.
    pub fuel: u64,
    /// The most bytes of linear memory.
    pub memory_bytes: u64,
    /// Wall clock, in microseconds.
    pub duration_us: u64,
    /// Bytes of the result.
    pub output_bytes: u64,
    /// How often a secret was taken out of the result.
    pub redactions: u64,
    /// What the result's words look like: `instruction-like`, `matched:NAME`, ….
    pub flags: Vec<String>,
    /// Of the plan, where the call was run dry.
    pub plan_digest: Option<String>,
    /// The full exchanges, where they are kept.
    pub details: Option<KeptDetails>,
}

/// One request that passed the gate.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Which upstream.
    pub upstream: String,
    /// Which contract it matched.
    pub contract: String,
    /// Its method.
    pub method: String,
    /// Its URL, without the credential.
    pub url: String,
    /// What it may do.
    pub effect: String,
    /// Bytes of its body.
    pub request_bytes: u64,
    /// Lower-case hex SHA-256 of its body.
    pub request_sha256: String,
    /// What came of it.
    pub status: RequestStatus,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub enum RequestStatus {
    /// It was on its way when the call ended.
    Pending,
    /// It never left.
    NotSent {
        /// Why.
        reason: String,
    },
    /// A whole answer came.
    Answered {
        /// HTTP status.
        status: u16,
        /// Bytes of the body.
        bytes: u64,
        /// Where it came from.
        address: Option<IpAddr>,
    },
    /// It left, and no whole answer came.
    Broken {
        /// Why.
        reason: String,
    },
}

/// What happened apart from calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A plugin was installed.
    PluginInstalled,
    /// Another version took a plugin's place.
    PluginUpdated,
    /// An older release took a newer one's place, as an exception.
    PluginRolledBack,
    /// A plugin is held at its version, or no longer.
    PluginPinned,
    /// A plugin was taken away.
    PluginRemoved,
    /// A plugin was verified and made ready.
    PluginLoaded,
    /// A plugin was refused.
    PluginLoadFailed,
    /// A publisher's key was trusted, or no longer.
    TrustChanged,
    /// A configuration took effect.
    ConfigLoaded,
    /// A configuration was refused.
    ConfigRefused,
    /// A plugin sends other secrets from here on.
    SecretsRenewed,
    /// A secret could not be renewed, and its last known value is sent for a while.
    SecretsKept,
    /// A secret is gone, and its plugin with it.
    SecretsLost,
    /// A person had a credential tried out.
    SecretChecked,
    /// A caller proved who it is.
    AuthAccepted,
    /// A caller did not.
    AuthRefused,
    /// A person who came in at the console went.
    AuthEnded,
    /// A token was made.
    TokenCreated,
    /// A token was revoked.
    TokenRevoked,
    /// This host cosigned another's log.
    LogWitnessed,
    /// Another host's word on this log was kept.
    LogCosigned,
    /// A caller read something that takes no call.
    ResourceRead,
    /// A caller was given a prompt.
    PromptRead,
    /// A caller was paused.
    BreakerOpened,
    /// A person resumed a caller.
    BreakerResumed,
    /// A person said something of a call that waits.
    ApprovalVoted,
    /// A person took an approval back.
    ApprovalWithdrawn,
    /// A person made a session forget what it has read.
    SessionCleared,
    /// The host began to serve.
    HostStarted,
    /// The host stopped in good order.
    HostStopped,
}

impl EventKind {
    /// The `event_type` in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PluginInstalled => "plugin.installed",
            Self::PluginUpdated => "plugin.updated",
            Self::PluginRolledBack => "plugin.rolled-back",
            Self::PluginPinned => "plugin.pinned",
            Self::PluginRemoved => "plugin.removed",
            Self::PluginLoaded => "plugin.loaded",
            Self::PluginLoadFailed => "plugin.load-failed",
            Self::TrustChanged => "config.trust",
            Self::ConfigLoaded => "config.loaded",
            Self::ConfigRefused => "config.refused",
            Self::SecretsRenewed => "config.secrets-renewed",
            Self::SecretsKept => "config.secrets-kept",
            Self::SecretsLost => "config.secrets-lost",
            Self::SecretChecked => "config.secret-checked",
            Self::AuthAccepted => "auth.accepted",
            Self::AuthRefused => "auth.refused",
            Self::AuthEnded => "auth.ended",
            Self::TokenCreated => "auth.token-created",
            Self::TokenRevoked => "auth.token-revoked",
            Self::LogWitnessed => "audit.witnessed",
            Self::LogCosigned => "audit.cosigned",
            Self::ResourceRead => "resource.read",
            Self::PromptRead => "prompt.read",
            Self::BreakerOpened => "breaker.opened",
            Self::BreakerResumed => "breaker.resumed",
            Self::ApprovalVoted => "approval.voted",
            Self::ApprovalWithdrawn => "approval.withdrawn",
            Self::SessionCleared => "session.cleared",
            Self::HostStarted => "host.started",
            Self::HostStopped => "host.stopped",
        }
    }
}

/// An event apart from calls.
#[derive(Debug, Clone)]
pub struct EventFacts {
    /// What happened.
    pub kind: EventKind,
    /// Who did it; [`HOST`] for the host itself.
    pub principal: String,
    /// How it went.
    pub outcome: Outcome,
    /// What else is known: an object without secrets.
    pub fields: Value,
}

pub(crate) const INTENT: &str = "intent";
const OUTCOME: &str = "outcome";
const DENIED: &str = "denied";
const DEFERRED: &str = "deferred";
const RECOVERED: &str = "audit.recovered";
const CLOCK: &str = "audit.clock-went-back";
pub(crate) const HANDED_OVER: &str = "audit.key-rotated";
pub(crate) const PRUNED: &str = "audit.pruned";

pub(crate) fn intent(permit: &Permit, facts: &CallFacts, now: Timestamp) -> Draft {
    draft(INTENT, permit.principal().id().as_str(), permit.served().as_str(), Outcome::Allowed, now, |fields| {
        if let Some(agreed) = permit.agreed() {
            fields.text("approval", agreed.id.as_str());
            fields.texts("approved_by", agreed.by.iter().map(String::as_str));
        }
        fields.value("arguments", &facts.arguments);
        fields.text("arguments_digest", permit.arguments_digest());
        budgets(fields, permit.charges());
        fields.text("call_id", &facts.call_id);
        carried(fields, permit.session());
        fields.text("effect", permit.effect().as_str());
        fields.text("environment", permit.environment().as_str());
        fields.text("grant", permit.grant().as_str());
        fields.text("mode", permit.mode().as_str());
        fields.text("plugin", &permit.plugin().to_string());
        fields.text("plugin_digest", permit.digest());
        read(fields, permit.session());
        roles(fields, permit.principal());
        targets(fields, &permit.targets());
        fields.maybe("trace", facts.trace.as_deref());
        verdicts(fields, permit.verdicts());
        fields.text("via", facts.via);
    })
}

pub(crate) fn withdrawn(permit: &Permit, facts: &CallFacts, why: &Withdrawal, now: Timestamp) -> Draft {
    draft(DENIED, permit.principal().id().as_str(), permit.served().as_str(), Outcome::Denied, now, |fields| {
        fields.value("arguments", &facts.arguments);
        fields.text("arguments_digest", permit.arguments_digest());
        budgets(fields, permit.charges());
        fields.text("call_id", &facts.call_id);
        carried(fields, permit.session());
        fields.text("effect", permit.effect().as_str());
        fields.text("environment", permit.environment().as_str());
        fields.text("grant", permit.grant().as_str());
        fields.text("layer", &why.layer);
        fields.text("message", &why.message);
        fields.text("mode", permit.mode().as_str());
        fields.text("plugin", &permit.plugin().to_string());
        fields.text("plugin_digest", permit.digest());
        read(fields, permit.session());
        fields.text("reason", &why.reason);
        if let Some(millis) = why.retry_after_ms {
            fields.number("retry_after_ms", millis);
        }
        roles(fields, permit.principal());
        targets(fields, &permit.targets());
        fields.maybe("trace", facts.trace.as_deref());
        verdicts(fields, permit.verdicts());
        fields.text("via", facts.via);
    })
}

/// A call that was turned away before policy looked at it.
pub(crate) fn turned_away(principal: &PrincipalId, tool: &str, facts: &CallFacts, why: &Withdrawal, now: Timestamp) -> Draft {
    draft(DENIED, principal.as_str(), tool, Outcome::Denied, now, |fields| {
        fields.value("arguments", &facts.arguments);
        fields.text("call_id", &facts.call_id);
        fields.text("layer", &why.layer);
        fields.text("message", &why.message);
        fields.text("reason", &why.reason);
        fields.maybe("trace", facts.trace.as_deref());
        fields.text("via", facts.via);
    })
}

pub(crate) fn denied(denied: &Denied, facts: &CallFacts, now: Timestamp) -> Draft {
    draft(DENIED, denied.principal().id().as_str(), denied.tool(), Outcome::Denied, now, |fields| {
        fields.value("arguments", &facts.arguments);
        fields.maybe("arguments_digest", denied.arguments_digest());
        fields.text("call_id", &facts.call_id);
        carried(fields, denied.session());
        fields.maybe("grant", denied.grant().map(|grant| grant.as_str()));
        fields.text("layer", denied.layer().as_str());
        fields.text("message", denied.message());
        fields.text("operator", denied.for_operator());
        fields.maybe("plugin_digest", denied.digest());
        read(fields, denied.session());
        fields.text("reason", denied.reason().code());
        if let Some(millis) = denied.retry_after_ms() {
            fields.number("retry_after_ms", millis);
        }
        roles(fields, denied.principal());
        targets(fields, &denied.targets());
        fields.maybe("trace", facts.trace.as_deref());
        verdicts(fields, denied.verdicts());
        fields.text("via", facts.via);
    })
}

pub(crate) fn deferred(deferred: &Deferred, approval: Option<&ApprovalId>, facts: &CallFacts, now: Timestamp) -> Draft {
    draft(DEFERRED, deferred.principal().id().as_str(), deferred.served().as_str(), Outcome::Deferred, now, |fields| {
        fields.maybe("approval", approval.map(ApprovalId::as_str));
        fields.value("arguments", &facts.arguments);
        fields.text("arguments_digest", deferred.arguments_digest());
        fields.text("call_id", &facts.call_id);
        carried(fields, deferred.session());
        fields.text("effect", deferred.effect().as_str());
        fields.text("environment", deferred.environment().as_str());
        fields.text("grant", deferred.grant().as_str());
        fields.text("message", deferred.message());
        fields.text("operator", deferred.for_operator());
        fields.text("plugin", &deferred.plugin().to_string());
        fields.text("plugin_digest", deferred.digest());
        read(fields, deferred.session());
        fields.text("reason", deferred.reason().code());
        roles(fields, deferred.principal());
        targets(fields, &deferred.targets());
        fields.maybe("trace", facts.trace.as_deref());
        verdicts(fields, deferred.verdicts());
        fields.text("via", facts.via);
    })
}

pub(crate) fn outcome(intent: EventId, of: &OpenIntent, facts: &OutcomeFacts, now: Timestamp) -> Draft {
    draft(OUTCOME, &of.principal_id, &of.tool_name, facts.outcome, now, |fields| {
        fields.text("call_id", &facts.call_id);
        fields.maybe("detail", facts.detail.as_deref());
        kept(fields, facts.details.as_ref());
        fields.number("duration_us", facts.duration_us);
        fields.text("ending", &facts.ending);
        fields.texts("flags", facts.flags.iter().map(String::as_str));
        fields.number("fuel", facts.fuel);
        fields.number("intent", intent);
        fields.texts("labels", facts.labels.iter().map(String::as_str));
        fields.number("memory_bytes", facts.memory_bytes);
        fields.number("output_bytes", facts.output_bytes);
        fields.maybe("plan_digest", facts.plan_digest.as_deref());
        fields.number("redactions", facts.redactions);
        fields.objects("requests", &facts.requests, request);
    })
}

/// The end of an intent that nobody else ends, and why.
pub(crate) fn unfinished(
    intent: EventId,
    of: &OpenIntent,
    (outcome, ending): (Outcome, &str),
    details: Option<&KeptDetails>,
    now: Timestamp,
) -> Draft {
    draft(OUTCOME, &of.principal_id, &of.tool_name, outcome, now, |fields| {
        kept(fields, details);
        fields.text("ending", ending);
        fields.number("intent", intent);
    })
}

pub(crate) fn event(facts: &EventFacts, now: Timestamp) -> Draft {
    draft(facts.kind.as_str(), &facts.principal, "", facts.outcome, now, |fields| fields.value("fields", &facts.fields))
}

pub(crate) fn recovered(recovery: &crate::Recovery, now: Timestamp) -> Draft {
    draft(RECOVERED, HOST, "", Outcome::Allowed, now, |fields| {
        if let Some(torn) = &recovery.torn {
            fields.number("cut_bytes", torn.bytes);
            fields.number("cut_offset", torn.offset);
            fields.text("cut_segment", &torn.segment);
            fields.number("cut_sha256", torn.sha256);
        }
        fields.number("torn_checkpoint_bytes", recovery.torn_checkpoint);
        fields.number("torn_keys_bytes", recovery.torn_keys);
        fields.number("unfinished", recovery.unfinished.len());
    })
}

/// The clock stands before the record that was written last. Ids go on; `occurred_at` is what the clock says.
pub(crate) fn clock_went_back(from: Timestamp, now: Timestamp) -> Draft {
    draft(CLOCK, HOST, "", Outcome::Allowed, now, |fields| fields.text("from", &from.to_string()))
}

/// The last record under one key, which names the next.
pub(crate) fn handed_over(by: &str, old: &VerifyingKey, new: &VerifyingKey, now: Timestamp) -> Draft {
    let hex = |key: &VerifyingKey| Hash::from_bytes(*key.as_bytes());
    draft(HANDED_OVER, by, "", Outcome::Allowed, now, |fields| {
        fields.number("new_key", hex(new));
        fields.number("old_key", hex(old));
    })
}

/// Records that are about to be removed for their age.
pub(crate) fn pruned(by: &str, removal: &Removal, now: Timestamp) -> Draft {
    draft(PRUNED, by, "", Outcome::Allowed, now, |fields| {
        fields.number("bytes", removal.bytes);
        fields.number("details_removed", removal.details.len());
        fields.number("last_hash", removal.last_hash);
        fields.text("older_than", &removal.older_than.to_string());
        fields.number("removed_before", removal.before);
        fields.number("removed_from", removal.from);
        fields.number("segments", removal.segments.len());
    })
}

fn kept(fields: &mut Object<'_>, details: Option<&KeptDetails>) {
    if let Some(details) = details {
        fields.object("details", |fields| {
            fields.number("bytes", details.bytes);
            fields.number("omitted_bytes", details.omitted);
            fields.number("sha256", details.sha256);
        });
    }
}

fn draft(
    event_type: &str,
    principal: &str,
    tool: &str,
    outcome: Outcome,
    now: Timestamp,
    fill: impl FnOnce(&mut Object<'_>),
) -> Draft {
    Draft::new(event_type, principal, tool, outcome, now, fill)
}

fn budgets(fields: &mut Object<'_>, charges: &[Charge]) {
    fields.texts("budgets", charges.iter().map(|charge| charge.key().as_str()));
}

/// What the session had read by then, and in which calls: what led here. Left out where nobody asked.
fn read(fields: &mut Object<'_>, session: Option<&SessionReading>) {
    let Some(session) = session else { return };
    fields.objects("read", &session.labels, |object, (label, read)| {
        object.text("audit_id", &read.audit_id);
        object.text("label", label.as_str());
        object.text("tool", read.tool.as_str());
    });
}

/// Which arguments have a value that was in a result first, and in which.
fn carried(fields: &mut Object<'_>, session: Option<&SessionReading>) {
    let Some(session) = session else { return };
    fields.objects("carried", &session.carried, |object, carried| {
        object.text("argument", &carried.argument);
        object.maybe("audit_id", carried.audit_id.as_deref());
        object.text("label", carried.label.as_str());
        object.text("tool", &carried.from);
    });
}

fn roles(fields: &mut Object<'_>, principal: &Principal) {
    fields.texts("roles", principal.roles().iter().map(|role| role.as_str()));
}

/// What the arguments name, in each dimension that the tool binds.
fn targets(fields: &mut Object<'_>, targets: &BTreeMap<&str, Vec<String>>) {
    fields.objects("targets", targets, |object, (dimension, values)| {
        object.text("dimension", dimension);
        object.texts("values", values.iter().map(String::as_str));
    });
}

fn verdicts(fields: &mut Object<'_>, verdicts: &[Verdict]) {
    fields.objects("verdicts", verdicts, |object, verdict| {
        object.text("layer", verdict.layer.as_str());
        object.text("note", &verdict.note);
        object.text("outcome", verdict.outcome.as_str());
        object.maybe("reason", verdict.outcome.reason().map(|reason| reason.code()));
    });
}

fn request(object: &mut Object<'_>, request: &RequestFacts) {
    if let RequestStatus::Answered { address: Some(address), .. } = request.status {
        object.number("address", address);
    }
    if let RequestStatus::Answered { bytes, .. } = request.status {
        object.number("bytes", bytes);
    }
    object.text("contract", &request.contract);
    object.text("effect", &request.effect);
    object.text("method", &request.method);
    if let RequestStatus::NotSent { reason } | RequestStatus::Broken { reason } = &request.status {
        object.text("reason", reason);
    }
    object.number("request_bytes", request.request_bytes);
    object.text("request_sha256", &request.request_sha256);
    match request.status {
        RequestStatus::Pending => object.text("state", "pending"),
        RequestStatus::NotSent { .. } => object.text("state", "not-sent"),
        RequestStatus::Answered { .. } => object.text("state", "answered"),
        RequestStatus::Broken { .. } => object.text("state", "broken"),
    }
    if let RequestStatus::Answered { status, .. } = request.status {
        object.number("status", status);
    }
    object.text("upstream", &request.upstream);
    object.text("url", &request.url);
}
