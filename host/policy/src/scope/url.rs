//! URLs as targets: same origin, path at or below.

use std::fmt;

use crate::egress::{Origin, PathText};

/// An absolute URL in its plainest spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UrlScope {
    origin: Origin,
    path: PathText,
    query: Option<String>,
}

/// None for what any reader could take for another URL: control characters, backslashes, user names, fragments, dot
/// segments, encoded separators, upper-case hosts.
pub(super) fn parse(text: &str) -> Option<UrlScope> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains(['\\', '#', '"', '<', '>', '^', '`', '{', '|', '}']) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query.to_owned())),
        None => (rest, None),
    };
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"));
    Some(UrlScope { origin: Origin::from_parts(scheme, authority).ok()?, path: PathText::parse(path).ok()?, query })
}

impl UrlScope {
    pub(super) fn has_no_query(&self) -> bool {
        self.query.is_none()
    }

    pub(super) fn without_query(&self) -> Self {
        Self { query: None, ..self.clone() }
    }

    /// Same origin, and every segment of this path begins the other's.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.origin == other.origin && other.path.segments().starts_with(self.path.segments())
    }
}

impl fmt::Display for UrlScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}
