//! The steps of the chain, as they are reported to whoever asks why.

use std::fmt;

/// A step of [`crate::Untrusted::verify`] or [`crate::Verified::approve`], in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepName {
    /// The component is no larger than it may be.
    Size,
    /// The signature file can be read.
    Bundle,
    /// A key that is said to have signed is enrolled.
    Keys,
    /// Every signature by an enrolled key verifies.
    Signatures,
    /// The signed payload is a statement.
    Statement,
    /// The manifest obeys the loader's rules.
    Rules,
    /// Who signed owns the name.
    Owner,
    /// Enough keys signed that may, here.
    Threshold,
    /// The component is the one that was signed.
    Component,
    /// Nothing of it was taken back.
    Revocations,
    /// The keyset and the revocation list are the newest this host has seen.
    Documents,
    /// The release is the newest this host has seen.
    Release,
    /// The lock file names exactly this package.
    Lock,
    /// A person agreed to what it may do and to what its tools say.
    Approval,
}

impl StepName {
    /// A stable word for scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Bundle => "bundle",
            Self::Keys => "keys",
            Self::Signatures => "signatures",
            Self::Statement => "statement",
            Self::Rules => "rules",
            Self::Owner => "owner",
            Self::Threshold => "threshold",
            Self::Component => "component",
            Self::Revocations => "revocations",
            Self::Documents => "documents",
            Self::Release => "release",
            Self::Lock => "lock",
            Self::Approval => "approval",
        }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step that was taken. A refusal is the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// The code of the refusal; none where it passed.
    pub refused: Option<&'static str>,
    /// One line for people: what was looked at, or what is wrong.
    pub detail: String,
}

/// An error with a stable word, one for each step.
pub(crate) trait Code: fmt::Display {
    fn code(&self) -> &'static str;
}

/// Reports each step as it is taken.
pub(super) struct Steps<'a>(pub(super) &'a mut dyn FnMut(Step));

/// Characters of a step's line.
const MAX_DETAIL: usize = 400;

impl Steps<'_> {
    /// Report one step and pass its result on.
    pub(super) fn take<T, E: Code>(
        &mut self,
        name: StepName,
        result: Result<T, E>,
        passed: impl FnOnce(&T) -> String,
    ) -> Result<T, E> {
        let (refused, detail) = match &result {
            Ok(value) => (None, passed(value)),
            Err(error) => (Some(error.code()), error.to_string()),
        };
        let line = detail.lines().next().unwrap_or_default();
        let detail = line.chars().filter(|c| !crate::manifest::text::is_hidden(*c)).take(MAX_DETAIL).collect();
        (self.0)(Step { name, refused, detail });
        result
    }
}
