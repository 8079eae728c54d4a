//! Sessions: what one principal has read, kept by grant and counted under all of its grants. Kept by the ledger, not by the transport: reconnecting washes nothing.

pub mod provenance;

use std::collections::BTreeMap;

use casemate_signing::manifest::Label;

use crate::{ServedName, Timestamp, Window};

pub use provenance::{Fingerprint, Values};

/// How long a label is held after it was last read, where the operator says nothing.
pub const KEEP_MS: u64 = 86_400_000;

/// `[session]` of the operator's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRules {
    /// How long labels and values are held after they were last read.
    pub keep: Option<Window>,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { keep: Window::from_millis(KEEP_MS) }
    }
}

/// What the ledger says of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionReading {
    /// When the principal first used the grant; none if it has not, or a person cleared the session.
    pub since: Option<Timestamp>,
    /// What it has read, by label.
    pub labels: BTreeMap<Label, Read>,
    /// Which of the asked values were seen first in a result, and with what labels.
    pub carried: Vec<Carried>,
}

/// A result that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Which tool's.
    pub tool: ServedName,
    /// When it was read first.
    pub at: Timestamp,
    /// The audit record of that call.
    pub audit_id: String,
}

/// An argument whose value was seen first in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Where in the arguments (RFC 6901).
    pub argument: String,
    /// The label of that result.
    pub label: Label,
    /// Which tool's result it was.
    pub from: String,
    /// The audit record of the call that returned it; none where that was not kept: too much was seen, or long ago.
    pub audit_id: Option<String>,
}
