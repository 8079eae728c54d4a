//! The words of HackerOne's API.

use casemate_plugin::word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

word! {
    /// A program. The first character is one that a grant can name.
    pub(crate) Handle, "a program's handle: 1 to 64 letters, digits, `_`, `.` and `-`, a letter or digit first", 1..=64,
    "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && b"_.-".contains(&byte)),
    str::to_owned
}

word! {
    /// A report.
    pub(crate) ReportId, "a report's id: 1 to 12 digits, no zero first", 1..=12, "^[1-9][0-9]{0,11}$",
    |text| !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()), str::to_owned
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    New,
    PendingProgramReview,
    Triaged,
    NeedsMoreInfo,
    Resolved,
    NotApplicable,
    Informative,
    Duplicate,
    Spam,
    Retesting,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::PendingProgramReview => "pending-program-review",
            Self::Triaged => "triaged",
            Self::NeedsMoreInfo => "needs-more-info",
            Self::Resolved => "resolved",
            Self::NotApplicable => "not-applicable",
            Self::Informative => "informative",
            Self::Duplicate => "duplicate",
            Self::Spam => "spam",
            Self::Retesting => "retesting",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    None,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn handles_and_ids() {
        let (longest, longer) = ("x".repeat(64), "x".repeat(65));
        check::<Handle>(&["acme", "acme_inc-2.x", "7", &longest], &["", "-x", "_x", "a/b", "a b", "é", "acme\n", &longer], true);
        check::<ReportId>(&["1", "2871337", "999999999999"], &["", "0", "01", "1x", "-1", "1/activities", "1234567890123"], true);
    }
}
