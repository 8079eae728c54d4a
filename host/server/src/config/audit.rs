//! How the audit log is written and kept.

use std::time::Duration;

use casemate_audit::{OnFailure, Sync};
use casemate_policy::Window;

use super::{Resolver, file};

/// How long records stay unless the configuration says otherwise: long enough that an intrusion which is found late is still on record.
const KEEP: Duration = Duration::from_secs(90 * 86_400);

/// `[audit]`, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditConfig {
    /// Which records are durable before the call goes on.
    pub sync: Sync,
    /// What happens once the log cannot be written.
    pub on_failure: OnFailure,
    /// How old a record must be before it may be removed.
    pub keep: Duration,
}

impl Resolver<'_> {
    pub(super) fn audit(&mut self, audit: &file::Audit) -> AuditConfig {
        let keep = audit.keep.as_ref().and_then(|keep| self.form::<Window>(keep));
        AuditConfig {
            sync: match audit.sync {
                file::AuditSync::Group => Sync::Group,
                file::AuditSync::Always => Sync::Always,
            },
            on_failure: match audit.on_failure {
                file::AuditFailure::Deny => OnFailure::Deny,
                file::AuditFailure::ReadOnly => OnFailure::ReadOnly,
            },
            keep: keep.map_or(KEEP, |keep| Duration::from_millis(keep.as_millis())),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{path::Path, time::Duration};

    use casemate_audit::{OnFailure, Sync};

    use super::{super::Config, AuditConfig, KEEP};

    fn parse(text: &str) -> Result<AuditConfig, String> {
        let text = format!("environment = \"dev\"\n[audit]\n{text}");
        Config::parse(Path::new("casemate.toml"), &text).map(|config| config.audit).map_err(|error| error.to_string())
    }

    #[test]
    fn the_log_is_strict_unless_the_operator_says_otherwise() {
        assert_eq!(parse("").unwrap(), AuditConfig { sync: Sync::Group, on_failure: OnFailure::Deny, keep: KEEP });
        let all = "sync = \"always\"\non_failure = \"read-only\"\nkeep = \"365d\"";
        let keep = Duration::from_secs(365 * 86_400);
        assert_eq!(parse(all).unwrap(), AuditConfig { sync: Sync::Always, on_failure: OnFailure::ReadOnly, keep });
        for wrong in
            ["on_failure = \"allow\"", "on_failure = true", "keep = \"0d\"", "keep = 90", "sync = \"never\"", "kept = \"1d\""]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
