//! Where a search left off: a place in one of a log's files, with what it is known by, so that it is found again after a rotation.

use std::fmt;

use casemate_plugin::Failure;

use crate::log::File;

casemate_plugin::word!(
    /// A place in a log, as an answer has it.
    pub Place, "a `before` from an answer", 12..=26, "^[0-9]:[0-9]{1,15}:[0-9a-f]{8}$",
    |text| Cursor::parse(text).is_some(), str::to_owned);

/// A place in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    age: u8,
    offset: u64,
    mark: u32,
}

impl Cursor {
    /// A place in a file.
    pub(crate) fn new(file: &File, offset: u64) -> Result<Self, Failure> {
        Ok(Self { age: file.age, offset, mark: file.mark(offset)? })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let digits = |part: &str, least: usize, most: usize, hex: bool| {
            let is_digit = |byte: u8| byte.is_ascii_digit() || (hex && (b'a'..=b'f').contains(&byte));
            (least..=most).contains(&part.len()) && part.bytes().all(is_digit)
        };
        let age = parts.next().filter(|part| digits(part, 1, 1, false))?.parse().ok()?;
        let offset = parts.next().filter(|part| digits(part, 1, 15, false))?.parse().ok()?;
        let mark = parts.next().filter(|part| digits(part, 8, 8, true))?;
        parts.next().is_none().then_some(Self { age, offset, mark: u32::from_str_radix(mark, 16).ok()? })
    }

    /// The files from this place on to older ones: where in the first of them it is. Since it was written down, its file may have got older.
    ///
    /// # Errors
    /// When it is in none of them.
    pub(crate) fn find(place: &Place, files: Vec<File>) -> Result<(Vec<File>, u64), Failure> {
        let gone = || {
            Failure::invalid_arguments("`before` is in no file of this log: it was cut, or rotated away; search again without it")
        };
        let Self { age, offset, mark } = Self::parse(place.as_str()).ok_or_else(gone)?;
        let mut rest: Vec<File> = files.into_iter().filter(|file| file.age >= age).collect();
        for at in 0..rest.len() {
            let Some(file) = rest.get(at).filter(|file| offset <= file.size) else { continue };
            if file.mark(offset)? == mark {
                return Ok((rest.split_off(at), offset));
            }
        }
        Err(gone())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{:08x}", self.age, self.offset, self.mark)
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        check_field::<Place>(
            &["0:0:811c9dc5", "9:123456789012345:00000000"],
            &[
                "",
                "0:0",
                "10:0:811c9dc5",
                "0::811c9dc5",
                "0:-1:811c9dc5",
                "0:+1:811c9dc5",
                "0:0:811C9DC5",
                "0:0:811c9dc5:",
                "0:1234567890123456:811c9dc5",
            ],
            true,
        );
        for text in ["0:0:811c9dc5", "9:123456789012345:0000000a"] {
            assert_eq!(Cursor::parse(text).map(|cursor| cursor.to_string()).as_deref(), Some(text));
        }
    }
}
