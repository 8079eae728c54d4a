//! What is wrong with a rule, or worth knowing.

use schemars::JsonSchema;
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Severity {
    // The rule is none, or means nothing.
    Error,
    // It means something, and perhaps not what was meant.
    Warning,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Finding {
    severity: Severity,
    /// Where it is, such as detection.selection.Image
    place: String,
    message: String,
}

/// Findings, as many as somebody reads.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

/// Findings of one rule.
const MOST: usize = 50;

impl Findings {
    pub(crate) fn error(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Error, place.into(), message.into());
    }

    pub(crate) fn warning(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Warning, place.into(), message.into());
    }

    /// An error is kept, whatever was found before it.
    fn add(&mut self, severity: Severity, place: String, message: String) {
        let place = casemate_plugin::clip(&place, 200);
        let message = casemate_plugin::clip(&message, 400);
        if self.0.len() >= MOST {
            if severity == Severity::Warning || !self.is_valid() {
                return;
            }
            self.0.pop();
        }
        self.0.push(Finding { severity, place, message });
    }

    /// Whether there is no error.
    pub(crate) fn is_valid(&self) -> bool {
        self.0.iter().all(|finding| finding.severity == Severity::Warning)
    }

    pub(crate) fn first_error(&self) -> Option<String> {
        let error = self.0.iter().find(|finding| finding.severity == Severity::Error)?;
        Some(format!("{}: {}", error.place, error.message))
    }

    pub(crate) fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{word}: {}: {}", self.place, self.message)
    }
}
