//! Reading a file of the log. Whoever can write to the folder can put anything in its place: a pipe is not waited for, what has no end is
//! not read to it, and an error says which file it is about.

use std::{
    fs::File,
    io::{self, Read as _},
};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;

/// A file to read from its beginning.
pub(crate) fn open(dir: &Dir, name: &str) -> io::Result<File> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("`{name}`: {error}"));
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default());
    let file = dir.open_with(name, &options).map_err(told)?.into_std();
    match file.metadata().map_err(told)?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(format!("audit-file: `{name}` is not a file"))),
    }
}

/// All of a file of no more than `most` bytes; none where it is not there.
pub(crate) fn read(dir: &Dir, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match open(dir, name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| io::Error::new(error.kind(), format!("`{name}`: {error}")))?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("audit-file: `{name}` is longer than it can be: more than {most} bytes"),
        )),
        false => Ok(Some(bytes)),
    }
}

/// The text at the beginning of a file, empty where it is not there. A crash can cut a character in two: what is after it is no text.
pub(crate) fn text(dir: &Dir, name: &str, most: u64) -> io::Result<String> {
    let bytes = read(dir, name, most)?.unwrap_or_default();
    Ok(bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()).to_owned())
}
