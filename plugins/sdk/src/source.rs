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

    /// All of it, as text.
    ///
    /// # Errors
    /// When it is more than `most` bytes, is not UTF-8, or cannot be read.
    pub fn text(&self, most: u64) -> Result<String, Failure> {
        let size = self.size()?;
        if size > most {
            return Err(Failure::invalid_arguments(format!("the source has {size} bytes, and at most {most} are read at once")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        while let Some(left) = size.checked_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).filter(|left| *left > 0) {
            let read = self.read(size - left, u32::try_from(left).unwrap_or(MAX_READ).min(MAX_READ))?;
            if read.is_empty() {
                return Err(Failure::unavailable("the source was cut while it was read"));
            }
            bytes.extend_from_slice(&read);
        }
        String::from_utf8(bytes).map_err(|_| Failure::invalid_arguments("the source is not text in UTF-8"))
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::ScriptedSource;

    fn text(source: impl Into<ScriptedSource>, most: u64) -> Result<String, String> {
        let cx = Context::scripted([]).with_source("rules", source);
        cx.source("rules").unwrap().text(most).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_source_is_read_whole_or_not_at_all() {
        let long = "ä".repeat(usize::try_from(MAX_READ).unwrap());
        assert_eq!(text(&long, 4 << 20).as_deref(), Ok(long.as_str()));
        assert_eq!(text("", 0).as_deref(), Ok(""));
        assert!(text("abc", 2).unwrap_err().contains("3 bytes, and at most 2"));
        assert!(text([0xff, 0xfe], 9).unwrap_err().contains("not text"));
        let cut = ScriptedSource::from(&long).then("");
        assert!(text(cut, 4 << 20).unwrap_err().contains("was cut"));
    }
}
