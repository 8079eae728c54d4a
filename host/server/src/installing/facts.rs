//! What the audit log is told of a change of what is installed.

use casemate_signing::{lock::Locked, manifest::PluginId, package::Verified};
use serde_json::{Value, json};

use super::Reason;

/// What the log is told of a change.
pub(super) fn facts(package: &Verified, before: Option<&Locked>, replaced: &[PluginId], reason: &Reason) -> Value {
    let mut facts = json!({
        "plugin": package.id().to_string(),
        "version": package.manifest().plugin.version,
        "release": package.manifest().plugin.release,
        "digest": package.component_digest().to_hex(),
        "capabilities": package.approval().capabilities.to_hex(),
        "signers": package.signers().iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let mut more = Vec::new();
    if let Some(before) = before {
        more.extend([("from_version", json!(before.version)), ("from_release", json!(before.release))]);
    }
    if !replaced.is_empty() {
        more.push(("replaces", replaced.iter().map(ToString::to_string).collect()));
    }
    if let Reason::Rollback(reason) = reason {
        more.push(("reason", json!(reason)));
    }
    if let Some(facts) = facts.as_object_mut() {
        facts.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    facts
}
