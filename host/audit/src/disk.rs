//! The two things the log asks of a file, so that a test can answer as a full or failing disk would.

use std::{fs::File, io, io::Write as _};

/// Appends to a file, and makes what was appended durable.
pub(crate) trait Disk: Send + Sync {
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()>;
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The machine's own.
pub(crate) struct Machine;

impl Disk for Machine {
    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
