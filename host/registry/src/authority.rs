//! A host and its port, in the one spelling that is compared.

use std::{fmt, net::IpAddr, str::FromStr};

use url::{Host, Url};

/// RFC 1035, section 2.3.4.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// `host` or `host:port`, in lower case and without the port that would be taken anyway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Authority {
    host: Host<String>,
    port: Option<u16>,
}

/// Text that names no host, or names one in a way that has a second reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host\nhelp: it is a name, an IPv4 address or an IPv6 address in brackets, written as addresses are usually written, with `:PORT` where the port is not the usual one"
)]
pub struct InvalidAuthority(String);

impl Authority {
    /// The host alone; an IPv6 address stands in brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Whether this is the machine itself: `localhost`, `127.0.0.0/8` or `[::1]`. Such a registry is spoken to without TLS.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// The address, where the host is written as one: no name will be looked up.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// TLS, except on the machine itself.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_loopback() { "http" } else { "https" }
    }

    /// What a URL points at; its scheme is for the caller to judge. `None` where its host is one that nothing is asked at, such as `a_b`.
    pub fn of(url: &Url) -> Option<Self> {
        let host = url.host()?.to_owned();
        if matches!(&host, Host::Domain(name) if !is_name(name)) {
            return None;
        }
        Some(Self { host, port: None }.with_port(url.port_or_known_default()?))
    }

    fn with_port(self, port: u16) -> Self {
        let usual = if self.is_loopback() { 80 } else { 443 };
        Self { port: (port != usual).then_some(port), ..self }
    }
}

impl FromStr for Authority {
    type Err = InvalidAuthority;
    fn from_str(text: &str) -> Result<Self, InvalidAuthority> {
        // What stands before an `@` is a user, and often a password.
        let shown = || crate::request::shown(text.rsplit('@').next().unwrap_or_default());
        read(text).ok_or_else(|| InvalidAuthority(shown()))
    }
}

fn read(text: &str) -> Option<Authority> {
    let (host, port) = match text.find(']') {
        Some(end) => text.split_at_checked(end + 1)?,
        None => text.split_at_checked(text.find(':').unwrap_or(text.len()))?,
    };
    let host = host.to_ascii_lowercase();
    let parsed = Host::parse(&host).ok()?;
    // `127.1`, `0x7f.0.0.1`, `%6cocalhost` and full-width digits mean an address to some readers and a name to others.
    if parsed.to_string() != host {
        return None;
    }
    if let Host::Domain(name) = &parsed
        && !is_name(name)
    {
        return None;
    }
    let authority = Authority { host: parsed, port: None };
    if port.is_empty() {
        return Some(authority);
    }
    let digits = port.strip_prefix(':')?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let port = digits.parse().ok().filter(|_| canonical)?;
    Some(authority.with_port(port))
}

/// RFC 1123, section 2.1.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.split('.').all(|label| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_spelling() {
        for (text, expected) in [
            ("ghcr.io", "ghcr.io"),
            ("GHCR.io:443", "ghcr.io"),
            ("ghcr.io:80", "ghcr.io:80"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("127.0.0.1:443", "127.0.0.1:443"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
            ("registry", "registry"),
        ] {
            assert_eq!(text.parse::<Authority>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for text in [
            "",
            ":5000",
            "a:",
            "a:0",
            "a:080",
            "a:65536",
            "a:+80",
            "a:80:80",
            "user@a",
            "a/b",
            "a b",
            "a\n",
            "-a",
            "a-",
            "a..b",
            "a.",
            ".a",
            "a_b",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "%6cocalhost",
            "１27.0.0.1",
            "bücher.example",
            "[::1",
            "::1",
            "[0:0:0:0:0:0:0:1]",
            "[::1]x",
            "[fe80::1%25eth0]",
            "[127.0.0.1]",
            "a]b",
        ] {
            assert!(text.parse::<Authority>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_url_points_at_is_one_too() {
        let of = |url: &str| Authority::of(&Url::parse(url).unwrap()).map(|authority| authority.to_string());
        assert_eq!(of("https://ghcr.io:443/v2"), Some("ghcr.io".to_owned()));
        assert_eq!(of("http://[::1]:5000"), Some("[::1]:5000".to_owned()));
        for url in ["https://a_b/", "https://-a/", "https://a../", "mailto:a@b"] {
            assert_eq!(of(url), None, "{url}");
        }
    }

    #[test]
    fn only_the_machine_itself_is_loopback() {
        for (text, loopback) in [
            ("localhost", true),
            ("127.8.0.1", true),
            ("[::1]", true),
            ("localhost.example", false),
            ("sub.localhost", false),
            ("10.0.0.1", false),
            ("[::ffff:7f00:1]", false),
            ("0.0.0.0", false),
        ] {
            let authority: Authority = text.parse().unwrap();
            assert_eq!(authority.is_loopback(), loopback, "{text}");
            assert_eq!(authority.scheme(), if loopback { "http" } else { "https" }, "{text}");
        }
    }
}
