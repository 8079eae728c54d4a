//! A policy as it is told of: to a caller whom it stopped, and in the audit log.

use super::source::Place;

/// One of the operator's policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) id: String,
    pub(super) place: Place,
    pub(super) message: Option<String>,
    pub(super) remedy: Option<String>,
}

impl Rule {
    /// What `@id("…")` says, or else `file:line`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What `@message("…")` says: why it forbids.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What `@remedy("…")` says: what the caller may do next.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}
