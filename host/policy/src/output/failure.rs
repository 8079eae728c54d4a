//! Failures that a plugin reports: its words are the plugin's, and are checked as such.

use super::{Flags, Redactor, Screen};
use crate::text::visible;

/// Characters of a failure's message.
const MAX_MESSAGE: usize = 1000;
/// Characters of an upstream's code.
const MAX_CODE: usize = 80;
/// The longest wait a plugin can ask for: a day.
const MAX_RETRY_MS: u64 = 86_400_000;

/// What a plugin says of a call that did not work.
#[derive(Clone)]
pub struct RawFailure {
    /// The class of the fault.
    pub kind: FailureKind,
    /// The upstream's own code.
    pub code: Option<String>,
    /// One sentence.
    pub message: String,
    /// When trying again could help.
    pub retry_after_ms: Option<u64>,
}

/// The class of a fault, as the plugin sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The arguments fit the schema and make no sense.
    InvalidArguments,
    /// What was asked for does not exist.
    NotFound,
    /// The upstream refused the credential.
    Unauthorized,
    /// The upstream wants fewer requests.
    RateLimited,
    /// The upstream cannot be reached.
    Unavailable,
    /// The upstream answered with an error, or nonsense.
    Upstream,
    /// A fault of the plugin.
    Internal,
}

impl FailureKind {
    /// The word used in logs and results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArguments => "invalid-arguments",
            Self::NotFound => "not-found",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// A failure that may be shown. Only [`check_failure`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedFailure {
    kind: FailureKind,
    code: Option<String>,
    message: String,
    retry_after_ms: Option<u64>,
    flags: Flags,
}

impl CheckedFailure {
    /// What its words look like.
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    /// The class of the fault, as the plugin sees it.
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The upstream's own code.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The plugin's words: bounded, nothing hidden, no secret in them.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// When trying again could help, in milliseconds; at most a day.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.retry_after_ms
    }
}

/// Words with nothing hidden, no secret and none of the operator's patterns in them, at most `max` characters.
pub(super) fn clean(text: &str, max: usize, redactor: &Redactor, screen: &Screen, flags: &mut Flags) -> String {
    screen.note(text, flags);
    // Redact before cutting: a cut could leave the half of a secret that is no longer found.
    let redacted = redactor.redact_counting(visible(text).into_owned(), &mut 0);
    let redacted = screen.apply(redacted, flags);
    match redacted.char_indices().nth(max).and_then(|(end, _)| redacted.get(..end)) {
        Some(head) => format!("{head}…"),
        None => redacted,
    }
}

/// Check a failure's words as a result's words are checked.
pub fn check_failure(raw: RawFailure, redactor: &Redactor, screen: &Screen) -> CheckedFailure {
    let mut flags = Flags::new();
    let mut clean = |text: &str, max: usize| clean(text, max, redactor, screen, &mut flags);
    let (code, message) = (raw.code.map(|code| clean(&code, MAX_CODE)), clean(&raw.message, MAX_MESSAGE));
    CheckedFailure {
        kind: raw.kind,
        code,
        message,
        flags,
        retry_after_ms: raw.retry_after_ms.map(|millis| millis.min(MAX_RETRY_MS)),
    }
}
