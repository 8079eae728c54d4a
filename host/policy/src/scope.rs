//! Scope values: what a target is, and whether a grant covers it.
//!
//! A value is first parsed strictly as its kind, then compared in its parsed form: two spellings of one target
//! compare equal or one of them is refused, never anything between.

mod duration;
mod host;
mod network;
mod url;

use std::{collections::BTreeMap, fmt};

use casemate_signing::manifest::{DimensionName, ScopeKind};

pub use host::{Host, HostFault};

use crate::{Timestamp, Window, pattern::glob, text::quote};
use url::UrlScope;

/// A target, parsed as its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeValue(Target);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Name(String),
    Uuid(String),
    Host(Host),
    Domain(String),
    Cidr(ipnet::IpNet),
    Url(UrlScope),
    Duration(u64),
    TimeRange(Timestamp, Timestamp),
    Globs(Vec<String>),
    Integer(u64),
}

/// A value of a grant, parsed as its kind. Where a kind is limited by a greatest value, the grant is that value:
/// a time range is granted as the greatest length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedValue(Target);

/// A text that is not a value of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not a {kind}: {expected}")]
pub struct ScopeError {
    kind: &'static str,
    expected: &'static str,
    value: String,
}

/// Why a target is not within a grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeFault {
    /// It is not written as its kind requires.
    #[error(transparent)]
    Malformed(#[from] ScopeError),
    /// It is a value of its kind that the grant does not cover.
    #[error("`{0}` is outside the grant")]
    NotGranted(ScopeValue),
    /// The plugin has no such dimension.
    #[error("there is no scope dimension `{0}`")]
    NoDimension(DimensionName),
}

/// The word for a kind, as it is written in `plugin.toml`.
pub fn kind_name(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Name => "name",
        ScopeKind::Uuid => "uuid",
        ScopeKind::Host => "host",
        ScopeKind::Domain => "domain",
        ScopeKind::Cidr => "cidr",
        ScopeKind::Url => "url",
        ScopeKind::Duration => "duration",
        ScopeKind::TimeRange => "time-range",
        ScopeKind::GlobList => "glob-list",
        ScopeKind::IntegerMax => "integer-max",
    }
}

/// What a value of a kind looks like, for people and models.
fn expected(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Name => "a letter or digit, then up to 127 letters, digits, `_`, `.` or `-`",
        ScopeKind::Uuid => "write it as 01234567-89ab-cdef-0123-456789abcdef",
        ScopeKind::Host => "an ASCII host name, a dotted decimal IPv4 address or an IPv6 address, without port and zone",
        ScopeKind::Domain => "an ASCII domain name, not an address",
        ScopeKind::Cidr => "an IP address, or a network written with its first address, such as 10.0.0.0/8",
        ScopeKind::Url => "an absolute http or https URL in its plainest spelling, without user, fragment, `//`, `.` and `..`",
        ScopeKind::Duration => "a whole number and a unit, such as `30m`, `24h` or `7d`",
        ScopeKind::TimeRange => "two RFC 3339 moments, `start/end`, the end not before the start",
        ScopeKind::GlobList => "names with `*` for any run of characters, separated by commas",
        ScopeKind::IntegerMax => "a whole number from 1 on",
    }
}

/// No value of any kind is longer; a URL is the longest.
const MAX_VALUE: usize = 2048;

impl ScopeValue {
    /// Parse a target, strictly.
    pub fn parse(kind: ScopeKind, text: &str) -> Result<Self, ScopeError> {
        let parsed = if text.len() > MAX_VALUE || !text.is_ascii() { None } else { target(kind, text) };
        parsed.map(Self).ok_or_else(|| error(kind, text))
    }
}

impl GrantedValue {
    /// Parse a value of a grant, strictly.
    pub fn parse(kind: ScopeKind, text: &str) -> Result<Self, ScopeError> {
        let parsed = match kind {
            ScopeKind::TimeRange => duration::parse(text).map(Target::Duration),
            ScopeKind::Url => url::parse(text).filter(UrlScope::has_no_query).map(Target::Url),
            _ if text.len() > MAX_VALUE || !text.is_ascii() => None,
            _ => target(kind, text),
        };
        parsed.map(Self).ok_or_else(|| match kind {
            ScopeKind::TimeRange => ScopeError {
                kind: "greatest time-range",
                expected: "a grant limits its length: a whole number and a unit, such as `24h`",
                value: quote(text, 80),
            },
            _ => error(kind, text),
        })
    }

    /// Whether this value covers a target.
    pub fn covers(&self, value: &ScopeValue) -> bool {
        match (&self.0, &value.0) {
            (Target::Name(granted), Target::Name(asked)) | (Target::Uuid(granted), Target::Uuid(asked)) => granted == asked,
            (Target::Host(granted), Target::Host(asked)) => granted == asked,
            (Target::Domain(granted), Target::Domain(asked)) => {
                asked.strip_suffix(granted.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Target::Cidr(granted), Target::Cidr(asked)) => granted.contains(asked),
            (Target::Url(granted), Target::Url(asked)) => granted.covers(asked),
            (Target::Duration(granted), Target::Duration(asked)) => asked <= granted,
            (Target::Duration(granted), Target::TimeRange(start, end)) => end.since(*start) <= *granted,
            (Target::Globs(granted), Target::Globs(asked)) => all_match(granted, asked),
            (Target::Integer(granted), Target::Integer(asked)) => asked <= granted,
            _ => false,
        }
    }
}

impl ScopeValue {
    /// Whether whoever names `named` has named all of this.
    pub(crate) fn is_named(&self, named: &[Self]) -> bool {
        self.parts().iter().all(|part| named.iter().any(|named| named.names(part)))
    }

    /// Whether whoever names this has named `other` with it: the same, or a part of it where a value is many things (a network, globs, a
    /// stretch of time) or the most there may be. A domain is one name here, and a URL one URL: what lies below them is not named.
    fn names(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Target::Cidr(named), Target::Cidr(other)) => named.contains(other),
            (Target::Duration(named), Target::Duration(other)) | (Target::Integer(named), Target::Integer(other)) => {
                other <= named
            }
            (Target::TimeRange(from, to), Target::TimeRange(start, end)) => from <= start && end <= to,
            (Target::Globs(named), Target::Globs(other)) => all_match(named, other),
            (named, other) => named == other,
        }
    }

    /// What a grant would have to say to cover it.
    pub fn grant_text(&self) -> String {
        match &self.0 {
            Target::TimeRange(start, end) => {
                Window::from_millis(end.since(*start)).map_or_else(|| "1ms".to_owned(), |length| length.to_string())
            }
            Target::Url(url) => url.without_query().to_string(),
            other => other.to_string(),
        }
    }
}

impl ScopeValue {
    /// Each thing it names, as a value: one granted or named value may hold one of them, and another one the next.
    fn parts(&self) -> Vec<Self> {
        match &self.0 {
            Target::Globs(globs) => globs.iter().map(|glob| Self(Target::Globs(vec![glob.clone()]))).collect(),
            _ => vec![self.clone()],
        }
    }

    /// Each thing it names, in one spelling: a list of globs names several.
    pub(crate) fn elements(&self) -> Vec<String> {
        match &self.0 {
            Target::Globs(globs) => globs.clone(),
            other => vec![other.to_string()],
        }
    }
}

fn all_match(globs: &[String], others: &[String]) -> bool {
    others.iter().all(|other| globs.iter().any(|it| glob(it, other)))
}

fn target(kind: ScopeKind, text: &str) -> Option<Target> {
    match kind {
        ScopeKind::Name => is_name(text).then(|| Target::Name(text.to_owned())),
        ScopeKind::Uuid => is_uuid(text).then(|| Target::Uuid(text.to_ascii_lowercase())),
        ScopeKind::Host => Host::parse(text).ok().map(Target::Host),
        ScopeKind::Domain => match Host::parse(text) {
            Ok(Host::Name(name)) => Some(Target::Domain(name)),
            _ => None,
        },
        ScopeKind::Cidr => network::parse(text).map(Target::Cidr),
        ScopeKind::Url => url::parse(text).map(Target::Url),
        ScopeKind::Duration => duration::parse(text).map(Target::Duration),
        ScopeKind::TimeRange => {
            let (start, end) = text.split_once('/')?;
            let (start, end): (Timestamp, Timestamp) = (start.parse().ok()?, end.parse().ok()?);
            (start <= end).then_some(Target::TimeRange(start, end))
        }
        ScopeKind::GlobList => {
            let globs: Vec<String> = text.split(',').map(str::to_owned).collect();
            globs.iter().all(|glob| is_glob(glob)).then_some(Target::Globs(globs))
        }
        // Zero and below mean "no limit" to more than one API (Splunk's `count=0`), so they are no limit here.
        ScopeKind::IntegerMax => {
            let plain = text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
            plain.then(|| text.parse().ok()).flatten().map(Target::Integer)
        }
    }
}

fn error(kind: ScopeKind, text: &str) -> ScopeError {
    ScopeError { kind: kind_name(kind), expected: expected(kind), value: quote(text, 80) }
}

fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().enumerate().all(|(at, b)| b.is_ascii_alphanumeric() || at > 0 && matches!(b, b'_' | b'.' | b'-'))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// No leading `-`: it excludes in Elasticsearch. No `:`: it names another cluster there.
fn is_glob(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'*') || at > 0 && matches!(b, b'.' | b'-'))
}

impl fmt::Display for ScopeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GrantedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(text) | Self::Uuid(text) | Self::Domain(text) => f.write_str(text),
            Self::Host(host) => host.fmt(f),
            Self::Cidr(network) if network.prefix_len() == network.max_prefix_len() => network.addr().fmt(f),
            Self::Cidr(network) => network.fmt(f),
            Self::Url(url) => url.fmt(f),
            Self::Duration(millis) => duration::show(*millis, f),
            Self::TimeRange(start, end) => write!(f, "{start}/{end}"),
            Self::Globs(globs) => f.write_str(&globs.join(",")),
            Self::Integer(number) => number.fmt(f),
        }
    }
}

/// What one grant allows of one plugin's dimensions. A dimension without values allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantedScope(BTreeMap<DimensionName, Granted>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Granted {
    kind: ScopeKind,
    values: Vec<GrantedValue>,
}

impl GrantedScope {
    /// A plugin's dimensions with a grant's values, each parsed as its dimension's kind.
    pub fn new(
        dimensions: &BTreeMap<DimensionName, ScopeKind>,
        granted: &BTreeMap<DimensionName, Vec<String>>,
    ) -> Result<Self, Vec<(DimensionName, ScopeError)>> {
        let mut errors = Vec::new();
        let mut scope = BTreeMap::new();
        for (name, &kind) in dimensions {
            let mut values = Vec::new();
            for text in granted.get(name).into_iter().flatten() {
                match GrantedValue::parse(kind, text) {
                    Ok(value) => values.push(value),
                    Err(error) => errors.push((name.clone(), error)),
                }
            }
            scope.insert(name.clone(), Granted { kind, values });
        }
        if errors.is_empty() { Ok(Self(scope)) } else { Err(errors) }
    }

    /// The dimensions and what is granted in each.
    pub fn dimensions(&self) -> impl Iterator<Item = (&DimensionName, ScopeKind, &[GrantedValue])> {
        self.0.iter().map(|(name, granted)| (name, granted.kind, granted.values.as_slice()))
    }

    /// The kind of a dimension.
    pub fn kind(&self, dimension: &DimensionName) -> Option<ScopeKind> {
        self.0.get(dimension).map(|granted| granted.kind)
    }

    /// Whether a target is within the granted values of a dimension.
    pub fn covers(&self, dimension: &DimensionName, value: &ScopeValue) -> bool {
        let Some(granted) = self.0.get(dimension) else { return false };
        value.parts().iter().all(|part| granted.values.iter().any(|granted| granted.covers(part)))
    }

    /// Parse a target as its dimension's kind and hold it against the grant.
    pub fn check(&self, dimension: &DimensionName, text: &str) -> Result<ScopeValue, ScopeFault> {
        let granted = self.0.get(dimension).ok_or_else(|| ScopeFault::NoDimension(dimension.clone()))?;
        let value = ScopeValue::parse(granted.kind, text)?;
        if self.covers(dimension, &value) { Ok(value) } else { Err(ScopeFault::NotGranted(value)) }
    }
}

#[cfg(test)]
#[path = "scope/tests.rs"]
mod tests;
