//! Byte sources of a test: what a file holds, and what it holds after the next read.

use std::{cell::Cell, rc::Rc};

use crate::{MAX_READ, SourceError};

/// A byte source whose content may be another after each read, as a log that grows, is cut or is replaced in place.
///
/// ```
/// use casemate_plugin::{Context, testing::ScriptedSource};
///
/// let grows = ScriptedSource::from("a\n").then("a\nb\n");
/// let cx = Context::scripted([]).with_source("log", grows);
/// let log = cx.source("log").unwrap();
/// assert_eq!(log.read(0, 9).unwrap(), b"a\n");
/// assert_eq!(log.read(2, 9).unwrap(), b"b\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScriptedSource {
    contents: Vec<Option<Vec<u8>>>,
}

impl ScriptedSource {
    /// One that is bound and cannot be opened.
    pub fn unreadable() -> Self {
        Self::default()
    }

    /// After one more read it holds this.
    #[must_use]
    pub fn then(mut self, content: impl AsRef<[u8]>) -> Self {
        self.contents.push(Some(content.as_ref().to_vec()));
        self
    }

    /// After one more read it cannot be read.
    #[must_use]
    pub fn then_unreadable(mut self) -> Self {
        self.contents.push(None);
        self
    }

    pub(crate) fn open(&self) -> Result<OpenSource, SourceError> {
        if self.contents.is_empty() {
            return Err(SourceError::Unreadable);
        }
        Ok(OpenSource { contents: Rc::from(self.contents.as_slice()), reads: Cell::new(0) })
    }
}

impl<T: AsRef<[u8]>> From<T> for ScriptedSource {
    fn from(content: T) -> Self {
        Self { contents: vec![Some(content.as_ref().to_vec())] }
    }
}

/// One that is open.
#[derive(Debug)]
pub(crate) struct OpenSource {
    contents: Rc<[Option<Vec<u8>>]>,
    reads: Cell<usize>,
}

impl OpenSource {
    fn content(&self) -> Result<&[u8], SourceError> {
        let at = self.reads.get().min(self.contents.len().saturating_sub(1));
        self.contents.get(at).and_then(Option::as_deref).ok_or(SourceError::Unreadable)
    }

    pub(crate) fn size(&self) -> Result<u64, SourceError> {
        self.content().map(|content| u64::try_from(content.len()).unwrap_or(u64::MAX))
    }

    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, SourceError> {
        if length > MAX_READ {
            return Err(SourceError::TooLarge);
        }
        let content = self.content()?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let read = content.iter().skip(from).take(usize::try_from(length).unwrap_or(usize::MAX)).copied().collect();
        self.reads.set(self.reads.get() + 1);
        Ok(read)
    }
}
