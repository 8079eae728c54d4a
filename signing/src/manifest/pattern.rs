//! Patterns: regular expressions that must describe a whole value.
//!
//! A pattern that is not anchored at both ends accepts anything around its match: `/etc/passwd?x=abc` for `[a-z]+`.
//! Anchors are read from the parsed expression, not its spelling: `^a|b$` is not anchored, and neither is `(?m)^a$`.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look};

/// Characters in a pattern.
pub const MAX_PATTERN: usize = 1024;
/// Bytes a compiled pattern may take; what one value of a request may cost to check.
pub const MAX_COMPILED: usize = 1 << 20;
/// Expressions that are kept compiled: twice what the plugins of this repository have.
const MAX_KNOWN: usize = 512;

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// More than [`MAX_PATTERN`] characters.
    #[error("the pattern is longer than {MAX_PATTERN} characters")]
    TooLong,
    /// Not a regular expression of the `regex` crate.
    #[error("the pattern is not valid: {0}\nhelp: look-around and back-references are not supported")]
    Invalid(String),
    /// Compiles to more than [`MAX_COMPILED`] bytes.
    #[error("the pattern compiles to more than {MAX_COMPILED} bytes\nhelp: use smaller repetition counts")]
    TooLarge,
    /// Does not describe the whole value.
    #[error(
        "the pattern `{0}` does not describe the whole value\nhelp: write `^(?:…)$`, with no alternative outside the anchors"
    )]
    Unanchored(String),
}

/// Compile a pattern that describes whole values.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    if pattern.chars().count() > MAX_PATTERN {
        return Err(PatternError::TooLong);
    }
    let parsed = regex_syntax::parse(pattern).map_err(|error| {
        PatternError::Invalid(match &error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            _ => "it cannot be parsed".to_owned(),
        })
    })?;
    let edges = parsed.properties();
    if !edges.look_set_prefix().contains(Look::Start) || !edges.look_set_suffix().contains(Look::End) {
        return Err(PatternError::Unanchored(pattern.to_owned()));
    }
    compiled(pattern).map_err(|_| PatternError::TooLarge)
}

/// An expression of at most [`MAX_COMPILED`] bytes, compiled once in a process as long as there are not too many: manifests say the same of the
/// same things, ids above all, and one is read by the loader's checks and by the gate.
///
/// # Errors
/// It is none, or too large.
pub fn compiled(expression: &str) -> Result<Regex, regex::Error> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known().get(expression) {
        return Ok(regex.clone());
    }
    let regex = RegexBuilder::new(expression).size_limit(MAX_COMPILED).build()?;
    let mut known = known();
    if known.len() < MAX_KNOWN {
        known.insert(expression.to_owned(), regex.clone());
    }
    Ok(regex)
}

/// Whether a group of this name takes part once in every match: of one that repeats, only what it held last is known, and one of an
/// alternative may hold nothing.
pub fn is_once(pattern: &str, group: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|parsed| once(&parsed, group) == Some(true))
}

/// `None` where there is no such group.
fn once(hir: &Hir, group: &str) -> Option<bool> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(group) => Some(true),
        HirKind::Capture(capture) => once(&capture.sub, group),
        HirKind::Repetition(repeated) => once(&repeated.sub, group).map(|_| false),
        HirKind::Alternation(parts) => parts.iter().find_map(|part| once(part, group)).map(|_| false),
        HirKind::Concat(parts) => parts.iter().find_map(|part| once(part, group)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_once_is_not_in_a_repetition_or_an_alternative() {
        for once in ["^(?<t>a+)$", "^x(?:y(?<t>a|b))z$", "^((?<t>a))(?:b)*$"] {
            assert!(is_once(once, "t"), "{once}");
        }
        for not in ["^a$", "^(?:i=(?<t>a) )+$", "^(?<t>a)?b$", "^(?:(?<t>a)|b)$", "^(?:x(?:(?<t>a),){1,2})$", "^(?<u>a)$", "("] {
            assert!(!is_once(not, "t"), "{not}");
        }
    }

    fn verdict(pattern: &str) -> &'static str {
        match compile(pattern) {
            Ok(_) => "ok",
            Err(PatternError::TooLong) => "long",
            Err(PatternError::Invalid(_)) => "invalid",
            Err(PatternError::TooLarge) => "large",
            Err(PatternError::Unanchored(_)) => "unanchored",
        }
    }

    #[test]
    fn only_whole_values_are_described() {
        let cases = [
            ("^[0-9a-f]{64}$", "ok"),
            ("^(?:a|b)$", "ok"),
            ("^a$|^b$", "ok"),
            (r"\Aa\z", "ok"),
            ("^$", "ok"),
            ("[0-9a-f]{64}", "unanchored"),
            ("^abc", "unanchored"),
            ("abc$", "unanchored"),
            ("^a|b$", "unanchored"),
            ("(?m)^a$", "unanchored"),
            (r"^a\$", "unanchored"),
            (r"\^a$", "unanchored"),
            ("^?a$", "unanchored"),
            ("(^a$)?", "unanchored"),
            ("", "unanchored"),
            ("^(a$", "invalid"),
            ("^(?=a)a$", "invalid"),
            (r"^(a)\1$", "invalid"),
            (r"^\w{1000}{1000}$", "large"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(verdict(pattern), expected, "{pattern}");
        }
        assert_eq!(verdict(&format!("^{}$", "a".repeat(MAX_PATTERN))), "long");
    }
}
