//! Byte sources, such as log files: read-only, bound by the operator, known by a name.

use crate::{Context, Failure, world};

/// The most that one read returns.
pub const MAX_READ: u32 = 1 << 20;

/// Why a source cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The manifest does not declare it, or the operator did not bind it.
    #[error("there is no source of that name")]
    NotFound,
    /// More than [`MAX_READ`] bytes were asked for.
    #[error("more bytes were asked for than one read may return")]
    TooLarge,
    /// The host could not read it.
    #[error("the source cannot be read; the operator's log says why")]
    Unreadable,
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let text = error.to_string();
        match error {
            SourceError::NotFound => Self::not_found(text),
            SourceError::TooLarge => Self::internal(text),
            SourceError::Unreadable => Self::unavailable(text),
        }
    }
}

/// An open source. It stays what was opened, also when the file gets another name or another file gets its name.
#[derive(Debug)]
pub struct Source(world::OpenSource);

impl Source {
    /// How many bytes it holds now. A log grows, and may be cut.
    ///
    /// # Errors
    /// When the host cannot say.
    pub fn size(&self) -> Result<u64, SourceError> {
        self.0.size()
    }

    /// Up to `length` bytes from `offset`, [`MAX_READ`] at most; fewer at the end, none behind it.
    ///
    /// # Errors
    /// When the host cannot read it, or too much is asked for.
    pub fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, SourceError> {
        self.0.read(offset, length)
    }
}

impl Context {
    /// The names of the sources that the operator bound, sorted.
    pub fn sources(&self) -> Vec<String> {
        self.world.sources()
    }

    /// Open a source.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be opened.
    pub fn source(&self, name: &str) -> Result<Source, SourceError> {
        self.world.open(name).map(Source)
    }
}
