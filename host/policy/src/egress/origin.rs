//! Origins: scheme, host and port, in their one plain spelling.

use std::fmt;

use casemate_signing::manifest::Protocol;

use crate::{
    scope::{Host, HostFault},
    text::quote,
};

/// A scheme that requests are sent over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
    /// PostgreSQL's protocol: with TLS, but for this machine.
    Postgresql,
}

impl Scheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Postgresql => "postgresql",
        }
    }

    /// Whether this is spoken over it.
    pub(super) fn carries(self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Http | Protocol::McpSse => matches!(self, Self::Http | Self::Https),
            Protocol::Postgresql => self == Self::Postgresql,
        }
    }

    /// The one with TLS.
    pub fn encrypted(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http | Protocol::McpSse => Self::Https,
            Protocol::Postgresql => Self::Postgresql,
        }
    }

    /// Where no port is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Postgresql => 5432,
        }
    }
}

/// Scheme, host and port (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// Why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginFault {
    /// None of a [`Scheme`], in lower case.
    #[error("the scheme {0} is neither `http` nor `https` nor `postgresql`")]
    Scheme(String),
    /// The host is none, or is spelled oddly.
    #[error("the host {0} cannot be used: {1}")]
    Host(String, HostFault),
    /// Not a port.
    #[error("{0} is not a port")]
    Port(String),
    /// A user name, path, query or fragment.
    #[error("{0} has more than scheme, host and port")]
    More(String),
}

impl Origin {
    /// `https://host`, `http://host:port`: nothing before, between or after.
    pub fn parse(text: &str) -> Result<Self, OriginFault> {
        let (scheme, authority) = text.split_once("://").ok_or_else(|| OriginFault::Scheme(quote(text, 80)))?;
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(OriginFault::More(shown(authority)));
        }
        Self::from_parts(scheme, authority)
    }

    /// From a scheme and an authority. Nothing is normalised: a spelling that another reader could take for another
    /// host is refused.
    pub fn from_parts(scheme: &str, authority: &str) -> Result<Self, OriginFault> {
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "postgresql" => Scheme::Postgresql,
            _ => return Err(OriginFault::Scheme(quote(scheme, 80))),
        };
        if authority.contains('@') {
            return Err(OriginFault::More(shown(authority)));
        }
        // The last colon outside brackets, if any, begins the port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None => scheme.default_port(),
            Some(text) => parse_port(text).ok_or_else(|| OriginFault::Port(quote(text, 80)))?,
        };
        let host = Host::parse_plain(host).map_err(|fault| OriginFault::Host(quote(host, 80), fault))?;
        Ok(Self { scheme, host, port })
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The host as in a URL: IPv6 in brackets.
    pub fn host_str(&self) -> String {
        self.host.to_string()
    }

    /// The port, written or not.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// An authority and what follows it, without what may be a credential: a user and a password, a query.
fn shown(text: &str) -> String {
    let (authority, more) = match text.split_once(['/', '?', '#', '\\']) {
        Some((authority, _)) => (authority, "/…"),
        None => (text, ""),
    };
    let bare = match authority.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}{more}"),
        None => format!("{authority}{more}"),
    };
    quote(&bare, 80)
}

/// Decimal, not zero, no leading zero, no sign.
fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

/// The port only where it is not the scheme's own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Origin;

    #[test]
    fn origins_have_one_spelling() {
        for (text, shown) in [
            ("https://www.virus.test", "https://www.virus.test"),
            ("https://caldera.lab.example:8443", "https://caldera.lab.example:8443"),
            ("https://a.test:443", "https://a.test"),
            ("http://127.0.0.1:8888", "http://127.0.0.1:8888"),
            ("http://[::1]:8888", "http://[::1]:8888"),
            ("http://[2001:db8::1]", "http://[2001:db8::1]"),
            ("postgresql://db.test:5432", "postgresql://db.test"),
            ("postgresql://db.test:6432", "postgresql://db.test:6432"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_refusal_shows_no_credential() {
        for text in
            ["https://me:secret@proxy.example", "https://proxy.example/x?token=secret", "https://me:secret@proxy.example/x"]
        {
            let refused = Origin::parse(text).unwrap_err().to_string();
            assert!(refused.contains("proxy.example") && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "a.test",
            "https:/a.test",
            "https:a.test",
            "HTTPS://a.test",
            "ftp://a.test",
            "postgres://a.test",
            "postgresql://a.test/inventory",
            "https://",
            "https://A.test",
            "https://a.test.",
            "https://a.test/",
            "https://a.test/x",
            "https://a.test?x",
            "https://a.test#x",
            "https://u@a.test",
            "https://u:p@a.test",
            "https://a.test@evil.example",
            "https://a.test\\@evil.example",
            "https://a.test:",
            "https://a.test:0",
            "https://a.test:0443",
            "https://a.test:65536",
            "https://a.test:+443",
            "https://a.test:４４３",
            "https://a.test:443:443",
            "https://a.t%65st",
            "https://127.1",
            "https://2130706433",
            "https://0x7f.0.0.1",
            "https://0177.0.0.1",
            "https://127.0.0.1.",
            "https://[::ffff:127.0.0.1]",
            "https://[0:0:0:0:0:0:0:1]",
            "https://[::1",
            "https://::1",
            "https://[fe80::1%25eth0]",
            "https://[::1]x",
            "https://[::1]:x",
            "https://a.test\r\nhost: evil",
            "https:// a.test",
            "https://аpple.test",
            "https://a.test\u{3002}evil",
        ] {
            assert!(Origin::parse(text).is_err(), "{text:?}");
        }
    }
}
