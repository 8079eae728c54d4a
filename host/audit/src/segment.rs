//! Segments: the files the records are in, each named by the number of its first record, and reading them in order.

use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};

use cap_std::fs::Dir;

use crate::{Damage, Hash, file};

const SUFFIX: &str = ".jsonl";

/// No record comes near it: each of its values is bounded when it is written.
const MAX_LINE: u64 = 8 << 20;

/// Nor does what is written between two syncs.
const MAX_TORN: u64 = 256 << 20;

/// The file whose first record is the one of this number.
pub(crate) fn name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The first record's number of every segment in the folder, in order.
pub(crate) fn list(dir: &Dir) -> io::Result<Vec<u64>> {
    let mut segments = Vec::new();
    for entry in dir.entries()? {
        let file_name = entry?.file_name();
        let first = file_name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|first| first.parse().ok());
        segments.extend(first.filter(|first| file_name == *name(*first)));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// The number of the first record that is there.
pub(crate) fn first(dir: &Dir) -> io::Result<u64> {
    Ok(list(dir)?.first().copied().unwrap_or(0))
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its number in the log, from 0.
    pub record: u64,
    /// The file.
    pub segment: String,
    /// Its line there, from 1.
    pub line: u64,
    /// Where the line begins, in bytes.
    pub offset: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {} (`{}` line {}, byte {})", self.record, self.segment, self.line, self.offset)
    }
}

/// The unfinished end of the last segment: what a crash leaves of a write that did not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub segment: String,
    /// Where the unfinished part begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// What it hashes to.
    pub sha256: Hash,
}

/// One thing found in the log.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole line, in the buffer.
    Line(Place),
    /// A line that cannot be a record.
    Broken(Place, Damage),
    /// The last segment's unfinished end.
    Torn(Torn),
    /// A segment does not begin where the one before it ends.
    Gap { expected: u64, found: String },
}

/// Where reading goes on: everything before is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The segment, by its first record.
    pub(crate) segment: u64,
    /// The next record's number.
    pub(crate) record: u64,
    /// Lines of the segment that were read.
    pub(crate) line: u64,
    /// Bytes of it.
    pub(crate) offset: u64,
}

/// Reads the lines of all segments from one on.
pub(crate) struct Lines<'d> {
    dir: &'d Dir,
    segments: std::vec::IntoIter<u64>,
    current: Option<(BufReader<std::fs::File>, String)>,
    segment: u64,
    record: u64,
    line: u64,
    offset: u64,
}

impl<'d> Lines<'d> {
    /// From the segment that begins with record `first`.
    pub(crate) fn from(dir: &'d Dir, first: u64) -> io::Result<Self> {
        let segments: Vec<u64> = list(dir)?.into_iter().filter(|segment| *segment >= first).collect();
        Ok(Self { dir, segments: segments.into_iter(), current: None, segment: first, record: first, line: 0, offset: 0 })
    }

    /// From where another reading ended.
    pub(crate) fn resume(dir: &'d Dir, at: Position) -> io::Result<Self> {
        let mut lines = Self::from(dir, at.segment)?;
        let first = lines.segments.as_slice().first().copied();
        if let Some(first) = first.filter(|first| *first != at.segment) {
            // What was not read of that segment is gone with it.
            return Self::from(dir, first);
        }
        if at.offset > 0 && lines.segments.next().is_some() {
            let segment = name(at.segment);
            let mut file = file::open(dir, &segment)?;
            file.seek(io::SeekFrom::Start(at.offset))?;
            lines.current = Some((BufReader::with_capacity(64 << 10, file), segment));
            (lines.record, lines.line, lines.offset) = (at.record, at.line, at.offset);
        }
        Ok(lines)
    }

    /// Where a later reading would go on.
    pub(crate) fn position(&self) -> Position {
        Position { segment: self.segment, record: self.record, line: self.line, offset: self.offset }
    }

    /// The next line, put into `buffer` without its newline; none at the end.
    pub(crate) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Found>> {
        loop {
            if let Some((reader, segment)) = &mut self.current {
                buffer.clear();
                let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', buffer)? as u64;
                let (record, line, offset) = (self.record, self.line + 1, self.offset);
                let place = || Place { record, segment: segment.clone(), line, offset };
                let last = self.segments.len() == 0;
                let whole = buffer.last() == Some(&b'\n');
                // A lost power supply can leave zeros where data was not yet written; no record has a zero byte in it.
                if last && length > 0 && (buffer.contains(&0) || (!whole && length < MAX_LINE)) {
                    return Ok(Some(match torn(reader, segment.clone(), offset, buffer)? {
                        Some(torn) => Found::Torn(torn),
                        None => Found::Broken(place(), Damage::TooLong),
                    }));
                }
                if length > 0 {
                    let found = match whole {
                        true => Found::Line(place()),
                        false if length < MAX_LINE => Found::Broken(place(), Damage::NoEnd),
                        false => Found::Broken(place(), Damage::TooLong),
                    };
                    (self.record, self.line, self.offset) = (record + 1, line, offset + length);
                    buffer.pop();
                    return Ok(Some(found));
                }
                self.current = None;
            }
            let Some(first) = self.segments.next() else { return Ok(None) };
            let segment = name(first);
            if first != self.record {
                return Ok(Some(Found::Gap { expected: self.record, found: segment }));
            }
            let file = file::open(self.dir, &segment)?;
            (self.segment, self.line, self.offset) = (first, 0, 0);
            self.current = Some((BufReader::with_capacity(64 << 10, file), segment));
        }
    }
}

/// What no crash leaves, because it is too long, is none.
fn torn(reader: &mut impl io::Read, segment: String, offset: u64, read: &[u8]) -> io::Result<Option<Torn>> {
    use sha2::{Digest as _, Sha256};
    let mut hasher = Sha256::new_with_prefix(read);
    let mut bytes = read.len() as u64;
    let mut chunk = vec![0; 64 << 10];
    loop {
        let length = reader.read(&mut chunk)?;
        let Some(more) = chunk.get(..length).filter(|more| !more.is_empty()) else { break };
        hasher.update(more);
        bytes += length as u64;
        if bytes > MAX_TORN {
            return Ok(None);
        }
    }
    Ok(Some(Torn { segment, offset, bytes, sha256: Hash::from_bytes(hasher.finalize().into()) }))
}
