//! Places in the configuration: `casemate.toml:12`, and what a person probably meant.

use std::{fmt, path::Path};

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    file: String,
    line: usize,
}

impl Place {
    /// The line that byte `offset` of `text` is on.
    pub fn new(path: &Path, text: &str, offset: usize) -> Self {
        let line = text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1;
        Self { file: path.display().to_string(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// Where.
    pub place: Place,
    /// What.
    pub value: T,
}

impl<T> Located<T> {
    /// A value at a place.
    pub fn new(place: Place, value: T) -> Self {
        Self { place, value }
    }
}

/// A TOML error as file, line, what is wrong and what was probably meant.
pub(crate) fn of_toml(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let place = Place::new(path, text, error.span().map_or(0, |span| span.start));
    let message = error.message();
    match suggestion(message) {
        Some(meant) => format!("{place}: {message}\nhelp: did you mean `{meant}`?"),
        None => format!("{place}: {message}"),
    }
}

/// The expected name nearest to the unknown one in serde's "unknown field `x`, expected one of `a`, `b`".
fn suggestion(message: &str) -> Option<&str> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown "))?;
    nearest(unknown, quoted)
}

/// The candidate that differs least from `name`, if it is near enough to be a slip.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= 2.max(name.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over characters.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut above_left = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, &above) in b.iter().zip(row.iter().skip(1)) {
            left = (above + 1).min(left + 1).min(above_left + usize::from(ca != *cb));
            above_left = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("version", "versoin", 2), ("same", "same", 0)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_a_slip_is_suggested() {
        assert_eq!(nearest("versoin", ["version", "origin"].into_iter()), Some("version"));
        assert_eq!(nearest("zzz", ["version", "origin"].into_iter()), None);
    }
}
