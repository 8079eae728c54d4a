//! Reading a part of a log source: one regular file, opened anew for each read, never through a link.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
};

use rustix::fs::{Mode, OFlags};
use serde_json::Value;

/// Lines of one tail. A read is bounded in bytes besides.
const MAX_LINES: u64 = 100_000;

/// Which part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// From a byte on; as much as there may be where no length is given.
    Range {
        /// Counted from 0.
        offset: u64,
        /// Bytes.
        length: Option<u64>,
    },
    /// The last lines.
    Tail(u64),
    /// All of it, or nothing.
    Whole,
}

impl Part {
    /// What the arguments of a read say; they fit the schema by now.
    pub(crate) fn of(arguments: &Value) -> Self {
        let number = |name: &str| arguments.get(name).and_then(Value::as_u64);
        match (number("offset"), number("length"), number("lines")) {
            (None, None, lines) => Self::Tail(lines.unwrap_or(MAX_LINES).min(MAX_LINES)),
            (offset, length, _) => Self::Range { offset: offset.unwrap_or(0), length },
        }
    }
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Where it begins.
    pub(crate) offset: u64,
    /// What is there.
    pub(crate) bytes: Vec<u8>,
    /// How large the file was.
    pub(crate) size: u64,
}

/// Read a part, no more than `most` bytes of it.
pub(crate) fn read(path: &Path, part: Part, most: usize) -> io::Result<Slice> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let (offset, length) = match part {
        Part::Range { offset, length } => (offset.min(size), length.unwrap_or(most).min(most)),
        Part::Tail(_) => (size.saturating_sub(most), most),
        Part::Whole if size > most => return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than `max_bytes`")),
        Part::Whole => (0, most),
    };
    let mut bytes = read_at(&file, offset, length.min(size.saturating_sub(offset)))?;
    let Part::Tail(lines) = part else { return Ok(Slice { offset, bytes, size }) };
    let begin = tail(&bytes, lines, offset > 0);
    bytes.drain(..begin);
    Ok(Slice { offset: offset.saturating_add(u64::try_from(begin).unwrap_or(u64::MAX)), bytes, size })
}

/// What a file looks like without being read: other, whenever it may hold something else.
pub(crate) fn stamp(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    let parts = [metadata.len(), metadata.ino(), metadata.mtime().unsigned_abs(), metadata.mtime_nsec().unsigned_abs()];
    // FNV-1a: to tell one from the next, not to withstand anybody.
    parts
        .iter()
        .flat_map(|part| part.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A FIFO would block the read, a device would never end, and a link may lead anywhere that somebody else chose since.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
}

fn read_at(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX))) {
            // It was cut short meanwhile.
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Where the last lines begin. Where the file begins before, half a line is none.
fn tail(bytes: &[u8], lines: u64, cut: bool) -> usize {
    if lines == 0 {
        return bytes.len();
    }
    let ends = bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    // The feed at the very end closes the last line and begins none.
    let mut begins = ends.filter(|at| at + 1 < bytes.len()).map(|at| at + 1);
    match begins.nth(usize::try_from(lines - 1).unwrap_or(usize::MAX)) {
        Some(begin) => begin,
        None if cut => bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        None => 0,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    fn check(text: &str, part: Part, most: usize, expected: (u64, &str)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let slice = read(file.path(), part, most).unwrap();
        let size = u64::try_from(text.len()).unwrap();
        assert_eq!(slice, Slice { offset: expected.0, bytes: expected.1.as_bytes().to_vec(), size }, "{text:?} {part:?} {most}");
    }

    #[test]
    fn the_last_lines_are_read() {
        check("a\nb\nc\n", Part::Tail(2), 100, (2, "b\nc\n"));
        check("a\nb\nc", Part::Tail(2), 100, (2, "b\nc"));
        check("a\nb\nc\n", Part::Tail(9), 100, (0, "a\nb\nc\n"));
        check("a\nb\nc\n", Part::Tail(0), 100, (6, ""));
        check("", Part::Tail(3), 100, (0, ""));
        check("\n\n\n", Part::Tail(2), 100, (1, "\n\n"));
    }

    #[test]
    fn no_more_is_read_than_may_be_and_no_half_line() {
        check("long line\nb\nc\n", Part::Tail(9), 8, (10, "b\nc\n"));
        check("0123456789", Part::Tail(9), 4, (6, "6789"));
        check("0123456789", Part::Range { offset: 2, length: Some(3) }, 100, (2, "234"));
        check("0123456789", Part::Range { offset: 2, length: Some(100) }, 4, (2, "2345"));
        check("0123456789", Part::Range { offset: 8, length: None }, 100, (8, "89"));
        check("0123456789", Part::Range { offset: u64::MAX, length: Some(u64::MAX) }, 100, (10, ""));
    }

    #[test]
    fn arguments_say_which_part() {
        assert_eq!(Part::of(&json!({})), Part::Tail(MAX_LINES));
        assert_eq!(Part::of(&json!({ "lines": 3 })), Part::Tail(3));
        assert_eq!(Part::of(&json!({ "length": 3 })), Part::Range { offset: 0, length: Some(3) });
        assert_eq!(Part::of(&json!({ "offset": 3 })), Part::Range { offset: 3, length: None });
    }

    #[test]
    fn only_a_regular_file_is_read_and_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, fifo) = (folder.path().join("file"), folder.path().join("link"), folder.path().join("fifo"));
        std::fs::write(&file, "a").unwrap();
        symlink(&file, &link).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(read(&file, Part::Tail(1), 9).is_ok());
        for path in [link.as_path(), &fifo, folder.path(), Path::new("/dev/zero"), &folder.path().join("none")] {
            assert!(read(path, Part::Tail(1), 9).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_stamp_tells_one_content_from_the_next() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = stamp(file.path());
        assert_eq!(stamp(file.path()), before);
        std::fs::write(file.path(), "more").unwrap();
        assert_ne!(stamp(file.path()), before);
        assert_eq!(stamp(Path::new("/nonexistent")), 0);
    }
}
