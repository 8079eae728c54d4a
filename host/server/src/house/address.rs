//! The addresses of what can be read: one spelling for each, and nothing that is decoded.

use std::{fmt, str::FromStr};

use casemate_audit::EventId;
use casemate_signing::manifest::{PluginName, SourceName};
use serde_json::{Map, Value, json};

use super::own_audit;

/// Templates, as RFC 6570 writes them.
pub(super) const PLUGIN: &str = "casemate://plugins/{name}";
pub(super) const RANGE: &str = "casemate://logs/{source}{?offset,length}";
pub(super) const TAIL: &str = "casemate://logs/{source}/tail/{lines}";

/// The longest number of bytes or lines, in digits: all of 2^53.
const DIGITS: usize = 16;

/// Something that can be read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Address {
    /// What became of the caller's own calls.
    OwnAudit,
    /// Of one of them.
    OwnRecord(EventId),
    /// A plugin's sheet.
    Plugin(PluginName),
    /// A log source, or a part of it.
    Source {
        /// Which.
        name: SourceName,
        /// Which part, as the arguments of a read.
        part: Value,
    },
}

impl Address {
    /// A source, without naming a part.
    pub(super) fn source(name: SourceName) -> Self {
        Self::Source { name, part: Value::Object(Map::new()) }
    }
}

impl FromStr for Address {
    type Err = ();

    fn from_str(uri: &str) -> Result<Self, ()> {
        let path = uri.strip_prefix("casemate://").ok_or(())?;
        if uri == own_audit::URI {
            return Ok(Self::OwnAudit);
        }
        if let Some(id) = uri.strip_prefix(own_audit::URI).and_then(|rest| rest.strip_prefix('/')) {
            return id.parse().map(Self::OwnRecord).map_err(|_| ());
        }
        if let Some(name) = path.strip_prefix("plugins/") {
            return name.parse().map(Self::Plugin).map_err(|_| ());
        }
        let source = path.strip_prefix("logs/").ok_or(())?;
        if let Some((name, query)) = source.split_once('?') {
            return Ok(Self::Source { name: name.parse().map_err(|_| ())?, part: range(query)? });
        }
        match source.split_once('/') {
            None => Ok(Self::source(source.parse().map_err(|_| ())?)),
            Some((name, part)) => {
                let lines = number(part.strip_prefix("tail/").ok_or(())?)?;
                Ok(Self::Source { name: name.parse().map_err(|_| ())?, part: json!({ "lines": lines }) })
            }
        }
    }
}

/// `offset=1&length=2`, each at most once.
fn range(query: &str) -> Result<Value, ()> {
    let mut part = Map::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or(())?;
        let known = ["offset", "length"].contains(&name);
        if !known || part.insert(name.to_owned(), number(value)?.into()).is_some() {
            return Err(());
        }
    }
    Ok(Value::Object(part))
}

fn number(text: &str) -> Result<u64, ()> {
    let plain = (1..=DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = Some(text).filter(|_| plain).ok_or(())?.parse().map_err(|_| ())?;
    if number.to_string() == text { Ok(number) } else { Err(()) }
}

/// The plain address; that of a part is only read.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnAudit => f.write_str(own_audit::URI),
            Self::OwnRecord(id) => write!(f, "{}/{id}", own_audit::URI),
            Self::Plugin(name) => write!(f, "casemate://plugins/{name}"),
            Self::Source { name, .. } => write!(f, "casemate://logs/{name}"),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn source(uri: &str) -> Option<(String, Value)> {
        match uri.parse() {
            Ok(Address::Source { name, part }) => Some((name.to_string(), part)),
            _ => None,
        }
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!("casemate://audit/self".parse(), Ok(Address::OwnAudit));
        let record = "casemate://audit/self/01234567-89ab-7000-8123-456789abcdef";
        assert_eq!(record.parse::<Address>().unwrap().to_string(), record);
        assert_eq!("casemate://plugins/virustotal".parse::<Address>().unwrap().to_string(), "casemate://plugins/virustotal");
        let auth = |part| Some(("auth".to_owned(), part));
        assert_eq!(source("casemate://logs/auth"), auth(json!({})));
        assert_eq!(source("casemate://logs/auth?offset=1&length=20"), auth(json!({ "offset": 1, "length": 20 })));
        assert_eq!(source("casemate://logs/auth?length=20"), auth(json!({ "length": 20 })));
        assert_eq!(source("casemate://logs/auth/tail/50"), auth(json!({ "lines": 50 })));
    }

    #[test]
    fn there_is_one_spelling_and_no_way_around_it() {
        for uri in [
            "",
            "casemate:",
            "casemate://",
            "casemate://audit",
            "casemate://audit/self/",
            "casemate://audit/other",
            "casemate://audit/self/x",
            "casemate://audit/selfish",
            "casemate://plugins/",
            "casemate://plugins/a/b",
            "casemate://plugins/../logs/auth",
            "casemate://logs/",
            "casemate://logs/..",
            "casemate://logs/auth/",
            "casemate://logs/a%75th",
            "casemate://logs/auth/../x",
            "casemate://logs/auth/tail/",
            "casemate://logs/auth/tail/-1",
            "casemate://logs/auth/tail/01",
            "casemate://logs/auth/tail/1/2",
            "casemate://logs/auth?",
            "casemate://logs/auth?offset",
            "casemate://logs/auth?offset=",
            "casemate://logs/auth?offset=1&offset=2",
            "casemate://logs/auth?lines=1",
            "casemate://logs/auth?offset=1#x",
            "casemate://logs/auth?offset=99999999999999999",
            "casemate://logs/auth?offset=+1",
            "Casemate://logs/auth",
            "file:///etc/passwd",
            "casemate://logs//etc/passwd",
        ] {
            assert_eq!(uri.parse::<Address>(), Err(()), "{uri}");
        }
    }
}
