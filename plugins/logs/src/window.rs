//! What one search looks at: the newest bytes of a log before a place, whole lines, a bounded number of them.

use casemate_plugin::{Failure, MAX_READ};

use crate::{cursor::Cursor, log::File};

/// Bytes that one call looks at, over all files of a log.
pub(crate) const MAX_BYTES: u64 = 10 << 20;
/// With less left, the next file waits for the next call.
const LITTLE: u64 = 64 << 10;

/// A part of one file.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Of the file.
    pub(crate) age: u8,
    /// Where in the file it begins: at the beginning of a line.
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Window {
    /// Oldest first.
    pub(crate) segments: Vec<Segment>,
    /// Where to go on, if there is more.
    pub(crate) older: Option<Cursor>,
    /// A file was cut, or written anew, while it was read.
    pub(crate) changed: bool,
}

/// Read what is before `end` in the first of these files, which are newest first, and then what is in the next ones.
pub(crate) fn read(files: &[File], end: Option<u64>) -> Result<Window, Failure> {
    let mut window = Window { segments: Vec::new(), older: None, changed: false };
    let (mut left, mut end) = (MAX_BYTES, end);
    for file in files {
        let to = end.take().unwrap_or(file.size).min(file.size);
        if left < LITTLE {
            window.older = Some(Cursor::new(file, to)?);
            break;
        }
        let segment = window.segment(file, to.saturating_sub(left), to)?;
        left = left.saturating_sub(to - segment.offset);
        if segment.offset > 0 {
            window.older = Some(Cursor::new(file, segment.offset)?);
            window.segments.push(segment);
            break;
        }
        window.segments.push(segment);
    }
    window.segments.reverse();
    Ok(window)
}

impl Window {
    /// The whole lines between two places. Where there is no end of a line at all, it is a part of one: a line longer than the window is
    /// looked at in parts, and not left out.
    fn segment(&mut self, file: &File, from: u64, to: u64) -> Result<Segment, Failure> {
        // Whether a line begins at `from` is said by the byte before.
        let begin = from.saturating_sub(1);
        let mut bytes = Vec::with_capacity(usize::try_from(to - begin).unwrap_or_default());
        let mut at = begin;
        while at < to {
            let length = u32::try_from(to - at).unwrap_or(MAX_READ).min(MAX_READ);
            let read = file.source.read(at, length)?;
            if read.is_empty() {
                self.changed = true;
                break;
            }
            at += u64::try_from(read.len()).unwrap_or(u64::MAX);
            bytes.extend_from_slice(&read);
        }
        // What was read first is still there, or the file is another by now.
        let first = bytes.get(..bytes.len().min(64)).unwrap_or_default();
        self.changed |= file.source.read(begin, u32::try_from(first.len()).unwrap_or_default())? != first;
        // The feed at the very end closes a line that began before all of this.
        let inner = bytes.get(..bytes.len().saturating_sub(1)).unwrap_or_default();
        let cut = match inner.iter().position(|byte| *byte == b'\n') {
            _ if from == 0 => 0,
            Some(feed) => feed + 1,
            None => bytes.len().min(1),
        };
        bytes.drain(..cut);
        Ok(Segment { age: file.age, offset: begin + u64::try_from(cut).unwrap_or(u64::MAX), bytes })
    }
}

impl Segment {
    /// The lines, each as where it begins and ends; without what ends it.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut begin = 0;
        std::iter::from_fn(move || {
            let rest = self.bytes.get(begin..).filter(|rest| !rest.is_empty())?;
            let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = (begin, begin + length);
            begin += length + 1;
            Some(line)
        })
    }

    /// A line without the carriage return that some systems end lines with.
    pub(crate) fn line(&self, (begin, end): (usize, usize)) -> &[u8] {
        let line = self.bytes.get(begin..end).unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The line that ends where this one begins.
    pub(crate) fn before(&self, (begin, _): (usize, usize)) -> Option<(usize, usize)> {
        let end = begin.checked_sub(1)?;
        let start = self.bytes.get(..end)?.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
        Some((start, end))
    }

    /// The line that begins where this one ends.
    pub(crate) fn after(&self, (_, end): (usize, usize)) -> Option<(usize, usize)> {
        let rest = self.bytes.get(end + 1..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        Some((end + 1, end + 1 + length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        let segment = Segment { age: 0, offset: 0, bytes: text.as_bytes().to_vec() };
        let all: Vec<_> = segment.lines().collect();
        for pair in all.windows(2) {
            let [one, next] = pair else { continue };
            assert_eq!((segment.after(*one), segment.before(*next)), (Some(*next), Some(*one)), "{text:?}");
        }
        assert_eq!(all.first().and_then(|first| segment.before(*first)), None);
        assert_eq!(all.last().and_then(|last| segment.after(*last)), None);
        all.into_iter().filter_map(|line| text.get(line.0..line.0 + segment.line(line).len())).collect()
    }

    #[test]
    fn lines_end_where_they_end() {
        assert_eq!(lines(""), Vec::<&str>::new());
        assert_eq!(lines("\n"), [""]);
        assert_eq!(lines("a\nb\n"), ["a", "b"]);
        assert_eq!(lines("a\r\n\r\n\nb\rc"), ["a", "", "", "b\rc"]);
        assert_eq!(lines("a"), ["a"]);
    }
}
