//! A log: the file that is written to, and the older ones it was rotated into. The `n`-th older file of `auth` is the source `auth--n`,
//! which is no name that somebody gives to another machine's log.

use casemate_plugin::{Context, Failure, Source, SourceError};

/// Older files of one log.
pub(crate) const MAX_OLDER: u8 = 9;
/// Bytes before a place, and behind it, by which it is known again.
const MARK: u64 = 64;

casemate_plugin::word!(
    /// The name of a log.
    pub LogName, "the name of a log, as list_logs has it", 1..=39, "^[a-z][a-z0-9-]{0,38}$",
    |text| text.bytes().enumerate().all(|(at, byte)| match byte {
        b'a'..=b'z' => true,
        b'0'..=b'9' | b'-' => at > 0,
        _ => false,
    }), str::to_owned);

/// One file of a log, open.
#[derive(Debug)]
pub(crate) struct File {
    /// 0 is written to, 1 is the one before.
    pub(crate) age: u8,
    pub(crate) source: Source,
    /// Bytes when it was opened.
    pub(crate) size: u64,
}

/// The source that is a log's file of that age.
pub(crate) fn source_name(log: &str, age: u8) -> String {
    if age == 0 { log.to_owned() } else { format!("{log}--{age}") }
}

/// The log that a source is an older file of, if the log is bound too.
pub(crate) fn newer<'a>(name: &'a str, bound: &[String]) -> Option<&'a str> {
    let (log, age) = name.rsplit_once("--")?;
    let is_age = age.len() == 1 && age.bytes().all(|byte| (b'1'..=b'0' + MAX_OLDER).contains(&byte));
    (is_age && bound.iter().any(|other| other == log)).then_some(log)
}

/// The names of a log's files, newest first: as many as follow each other.
pub(crate) fn names(log: &str, bound: &[String]) -> Vec<(u8, String)> {
    let all = (0..=MAX_OLDER).map(|age| (age, source_name(log, age)));
    all.take_while(|(_, name)| bound.contains(name)).collect()
}

/// Open a log's files, newest first, and the names of those that cannot be. The newest is opened first: what is rotated meanwhile is there
/// twice and known to be the same, and not missing.
///
/// # Errors
/// When there is no such log, or the file that is written to cannot be read.
pub(crate) fn open(cx: &Context, log: &LogName) -> Result<(Vec<File>, Vec<String>), Failure> {
    let names = names(log.as_str(), &cx.sources());
    if names.is_empty() {
        return Err(Failure::not_found(format!("there is no log `{log}`; list_logs names those there are")));
    }
    let (mut files, mut unread): (Vec<File>, Vec<String>) = (Vec::new(), Vec::new());
    for (age, name) in names {
        match open_one(cx, age, &name) {
            Ok(file) => {
                let is_other = match files.last() {
                    Some(newer) => !same(newer, &file)?,
                    None => true,
                };
                files.extend(is_other.then_some(file));
            }
            Err(error) if age == 0 => return Err(error.into()),
            Err(_) => unread.push(name),
        }
    }
    Ok((files, unread))
}

fn open_one(cx: &Context, age: u8, name: &str) -> Result<File, SourceError> {
    let source = cx.source(name)?;
    let size = source.size()?;
    Ok(File { age, source, size })
}

/// Whether two are one file, opened under two names.
fn same(one: &File, other: &File) -> Result<bool, SourceError> {
    let size = one.size.min(other.size);
    Ok(size > 0 && one.before(MARK.min(size))? == other.before(MARK.min(size))? && one.before(size)? == other.before(size)?)
}

impl File {
    /// The few bytes before a place.
    fn before(&self, offset: u64) -> Result<Vec<u8>, SourceError> {
        let begin = offset.saturating_sub(MARK);
        self.source.read(begin, u32::try_from(offset - begin).unwrap_or_default())
    }

    /// What a place is known by: what is around it. Lines often end alike, and begin with their times.
    pub(crate) fn mark(&self, offset: u64) -> Result<u32, SourceError> {
        let after = self.source.read(offset, u32::try_from(MARK).unwrap_or_default())?;
        // FNV-1a: to tell one from another, not to withstand anybody.
        let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        Ok(self.before(offset)?.iter().chain(&after).fold(0x811c_9dc5, mix))
    }
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field;

    use super::*;

    #[test]
    fn a_name_is_a_sources() {
        check_field::<LogName>(
            &["a", "auth", "nginx-access", "a-1"],
            &["", "Auth", "-f", "1a", "../x", "a_b", "a.1", "a/b", &"a".repeat(40)],
            true,
        );
    }

    #[test]
    fn older_files_are_known_by_their_names() {
        let bound = ["app--2", "auth", "auth--1", "auth--2", "auth--4", "x--10", "x", "x-1"].map(str::to_owned);
        assert_eq!(names("auth", &bound).into_iter().map(|(_, name)| name).collect::<Vec<_>>(), ["auth", "auth--1", "auth--2"]);
        assert!(names("none", &bound).is_empty());
        let newer: Vec<_> = bound.iter().map(|name| newer(name, &bound)).collect();
        assert_eq!(newer, [None, None, Some("auth"), Some("auth"), Some("auth"), None, None, None]);
    }
}
