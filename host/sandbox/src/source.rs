//! A byte source the operator bound: one regular file, opened anew for each call.

use std::{fs::File, io, path::PathBuf};

use rustix::fs::{Mode, OFlags};

/// A file that a plugin may read under a name. The path is the operator's and never reaches the plugin.
#[derive(Debug, Clone)]
pub struct BoundSource {
    path: PathBuf,
}

impl BoundSource {
    /// The file at `path`. It need not exist yet: logs rotate.
    pub fn file(path: PathBuf) -> Self {
        Self { path }
    }

    /// Open it, if it is a regular file. A FIFO would block the call and a device would never end.
    pub(crate) fn open(&self) -> io::Result<File> {
        let file = File::from(rustix::fs::open(&self.path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_regular_file_opens_and_a_device_or_folder_does_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(BoundSource::file(file.path().to_owned()).open().is_ok());
        assert!(BoundSource::file("/dev/zero".into()).open().is_err());
        assert!(BoundSource::file("/tmp".into()).open().is_err());
        assert!(BoundSource::file("/nonexistent".into()).open().is_err());
    }
}
