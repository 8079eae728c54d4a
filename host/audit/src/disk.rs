//! What the log asks of its folder, so that a test can answer as a full, failing or vanishing disk would.
//!
//! Every boundary at which a power cut can come between two steps is one method.

use std::{
    fs::File,
    io::{self, Write as _},
};

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _, OpenOptions, OpenOptionsExt as _};

/// The writing half of a folder, as the machine has it.
pub(crate) trait Disk: Send + Sync {
    /// Append to a file.
    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Make what was appended durable.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Make the names in a folder durable.
    fn sync_dir(&self, dir: &Dir, folder: &str) -> io::Result<()> {
        Ok(rustix::fs::fsync(dir.open(folder)?)?)
    }

    /// A file to append to and to read, for its owner alone; made where it is not there, or only then.
    fn open_append(&self, dir: &Dir, name: &str, create_new: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.append(true).read(true).mode(0o600);
        if create_new {
            options.create_new(true);
        } else {
            options.create(true);
        }
        Ok(dir.open_with(name, &options)?.into_std())
    }

    /// An empty file, for its owner alone, whatever was there.
    fn create(&self, dir: &Dir, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        Ok(dir.open_with(name, options.write(true).create(true).truncate(true).mode(0o600))?.into_std())
    }

    /// Give a file its name, in place of whatever has it.
    fn rename(&self, dir: &Dir, from: &str, to: &str) -> io::Result<()> {
        dir.rename(from, dir, to)
    }

    /// A folder, for its owner alone, if it is not there.
    fn folder(&self, dir: &Dir, folder: &str) -> io::Result<()> {
        match dir.create_dir_with(folder, DirBuilder::new().mode(0o700)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// Remove a file; one that is gone is removed.
    fn remove(&self, dir: &Dir, name: &str) -> io::Result<()> {
        match dir.remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Remove an empty folder.
    fn remove_folder(&self, dir: &Dir, folder: &str) -> io::Result<()> {
        dir.remove_dir(folder)
    }

    /// Shorten a file.
    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.sync_all()
    }

    /// Write a file whole or not at all. Its name is durable once its folder was synced.
    fn replace(&self, dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
        let draft = format!("{name}.new");
        let file = self.create(dir, &draft)?;
        self.append(&file, bytes)?;
        self.sync(&file)?;
        self.rename(dir, &draft, name)
    }
}

/// The machine's own.
pub(crate) struct Machine;

impl Disk for Machine {}
