//! The proof that something was written down before it happens.

use crate::EventId;

/// A `T` that is in the audit log: for what changes anything outside, on disk. Only [`crate::Log::begin`] makes one.
#[derive(Debug)]
pub struct Recorded<T> {
    value: T,
    id: EventId,
}

impl<T> Recorded<T> {
    pub(crate) fn new(value: T, id: EventId) -> Self {
        Self { value, id }
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
