//! The words of SentinelOne's APIs.

use casemate_plugin::word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

word! {
    /// A site, an account, an agent or a threat.
    pub(crate) Id, "an id: 1 to 20 digits", 1..=20, "^[0-9]{1,20}$", |text| text.bytes().all(|byte| byte.is_ascii_digit()), str::to_owned
}

word! {
    /// Where a list goes on.
    pub(crate) Cursor, "a cursor: 1 to 500 letters, digits and +/=_-", 1..=500, "^[A-Za-z0-9+/=_-]{1,500}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)), str::to_owned
}

word! {
    /// A part of a computer's name.
    pub(crate) ComputerPart, "a part of a computer's name: 1 to 64 letters, digits and ._-", 1..=64, "^[A-Za-z0-9._-]{1,64}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), str::to_owned
}

word! {
    /// A query of the data lake that runs.
    pub(crate) QueryId, "a query's id: 1 to 200 letters, digits and ._:=-, a letter or digit first", 1..=200,
    "^[A-Za-z0-9][A-Za-z0-9_.:=-]{0,199}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && b"_.:=-".contains(&byte)),
    str::to_owned
}

/// What was done about a threat's files and processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MitigationStatus {
    NotMitigated,
    Mitigated,
    MarkedAsBenign,
}

impl MitigationStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotMitigated => "not_mitigated",
            Self::Mitigated => "mitigated",
            Self::MarkedAsBenign => "marked_as_benign",
        }
    }
}

/// How far people are with a threat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IncidentStatus {
    Unresolved,
    InProgress,
    Resolved,
}

impl IncidentStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
        }
    }
}

/// What may be done about a threat. `un-quarantine` and `network-quarantine` are none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mitigation {
    Kill,
    Quarantine,
    Remediate,
    RollbackRemediation,
}

impl Mitigation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Quarantine => "quarantine",
            Self::Remediate => "remediate",
            Self::RollbackRemediation => "rollback-remediation",
        }
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn ids_cursors_and_names() {
        let long = "1".repeat(21);
        check::<Id>(&["225494730938493804", "1"], &["", "x", "-1", "1,2", "1 ", "1\n", "*", "١", &long], true);
        check::<Cursor>(&["YWdlbnRfaWQ6NTgwMjkzODE="], &["", "a b", "a&siteIds=1", "a,b"], true);
        check::<QueryId>(&["ByIhQ1:2-a.b_c="], &["", ".", "..", "a/b", "-a", "a b", "a%2f"], true);
        check::<ComputerPart>(&["WIN-7", "srv.example"], &["", "a,b", "a b", "*", "a&b"], true);
    }
}
