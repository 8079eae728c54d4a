//! What the audit log is told of what is served, and under which configuration.

use std::time::Duration;

use casemate_audit::{EventFacts, EventKind, HOST, Outcome};
use casemate_signing::manifest::{PluginId, UpstreamName};
use serde_json::{Value, json};

use super::{open::Refused, serving::Served};
use crate::{advisories::waived, config::Config};

/// The host begins.
pub(super) fn started(config: &Config) -> EventFacts {
    let fields = json!({ "version": env!("CARGO_PKG_VERSION"), "environment": config.environment.as_str() });
    of_host(EventKind::HostStarted, Outcome::Allowed, fields)
}

/// A plugin is about to be served.
pub(super) fn loaded(served: &Served) -> EventFacts {
    let mut fields = which(served);
    waived(&mut fields, served.findings.iter());
    of_host(EventKind::PluginLoaded, Outcome::Allowed, fields)
}

/// A plugin is not served although it is installed.
pub(super) fn load_failed(refused: &Refused) -> EventFacts {
    tracing::warn!(plugin = %refused.plugin, reason = refused.reason, "a plugin is not served");
    let fields = json!({ "plugin": refused.plugin.to_string(), "reason": refused.reason });
    of_host(EventKind::PluginLoadFailed, Outcome::Denied, fields)
}

/// A plugin is no longer served because it is no longer installed.
pub(super) fn removed(served: &Served) -> EventFacts {
    of_host(EventKind::PluginRemoved, Outcome::Allowed, which(served))
}

/// A configuration is in force from here on.
pub(super) fn config_loaded(config: &Config) -> EventFacts {
    let fields = json!({ "grants": config.grants.len(), "plugins": config.plugins.len(), "sha256": config.sha256 });
    of_host(EventKind::ConfigLoaded, Outcome::Allowed, fields)
}

/// A configuration is not taken up.
pub(super) fn config_refused(reason: &impl std::fmt::Display) -> EventFacts {
    of_host(EventKind::ConfigRefused, Outcome::Denied, json!({ "reason": reason.to_string() }))
}

/// A plugin sends other secrets from here on.
pub(super) fn secrets_renewed(plugin: &PluginId) -> EventFacts {
    of_host(EventKind::SecretsRenewed, Outcome::Allowed, json!({ "plugin": plugin.to_string() }))
}

/// A secret could not be renewed, and its last known value is sent for a while.
pub(super) fn secrets_kept(plugin: &PluginId, reason: &str, bound: Duration) -> EventFacts {
    let fields = json!({ "plugin": plugin.to_string(), "reason": reason, "for_seconds": bound.as_secs() });
    of_host(EventKind::SecretsKept, Outcome::Allowed, fields)
}

/// A secret is gone, and its plugin with it.
pub(super) fn secrets_lost(plugin: &PluginId, reason: &str) -> EventFacts {
    of_host(EventKind::SecretsLost, Outcome::Denied, json!({ "plugin": plugin.to_string(), "reason": reason }))
}

/// A person has the credential of an upstream tried out.
pub(crate) fn secret_checked(plugin: &PluginId, upstream: &UpstreamName, fields: Value) -> EventFacts {
    let fields = json!({ "plugin": plugin.to_string(), "upstream": upstream.as_str(), "found": fields });
    EventFacts { kind: EventKind::SecretChecked, principal: "local".to_owned(), outcome: Outcome::Allowed, fields }
}

fn of_host(kind: EventKind, outcome: Outcome, fields: Value) -> EventFacts {
    EventFacts { kind, principal: HOST.to_owned(), outcome, fields }
}

fn which(served: &Served) -> Value {
    let plugin = &served.plugin;
    json!({ "plugin": plugin.id().to_string(), "version": plugin.manifest().plugin.version, "digest": plugin.digest() })
}
