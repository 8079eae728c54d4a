//! The proof that something was written down before it happens.

use crate::EventId;

/// A `T` that is in the audit log: for what changes anything outside, on disk; for what only reads, unless the operator said that it
/// goes on without. Only [`crate::Log::begin`] makes one.
#[derive(Debug)]
pub struct Recorded<T> {
    value: T,
    id: EventId,
    written: bool,
}

impl<T> Recorded<T> {
    pub(crate) fn new(value: T, id: EventId) -> Self {
        Self { value, id, written: true }
    }

    /// What only reads, where the operator lets that go on though the log cannot be written.
    pub(crate) fn unwritten(value: T, id: EventId) -> Self {
        Self { value, id, written: false }
    }

    /// Whether it is in the log; otherwise nothing of this call is, and whoever makes it has to say so.
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// What was recorded.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Under which id; [`crate::Log::outcome`] takes it.
    pub fn id(&self) -> EventId {
        self.id
    }
}
