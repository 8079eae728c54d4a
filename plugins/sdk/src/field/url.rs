//! URLs of the web, in the part of the syntax that all parsers read in the same way.

use std::{fmt, net::Ipv6Addr};

use super::{DomainName, InvalidField, IpAddress};
use crate::public::Host;

/// An absolute `http` or `https` URL of at most 2,048 characters, kept as given.
///
/// Parsers disagree about the rest (RFC 3986 against the WHATWG URL standard), and what a check read must be what is
/// fetched. So: printable ASCII without spaces (write others percent-encoded, hosts in their `xn--` form), no
/// backslash, no user name or password, the host a name or an address in its usual spelling, the port a plain number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpUrl {
    text: String,
    host: Host,
}

impl HttpUrl {
    const EXPECTED: &'static str = "an absolute http or https URL such as https://example.com/path";

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    fn read(text: &str) -> Result<Self, InvalidField> {
        let fault = |why| InvalidField::because(Self::EXPECTED, why);
        if text.len() > 2_048 {
            return Err(fault("it has at most 2048 characters"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(fault("write spaces, backslashes and non-ASCII characters percent-encoded"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| InvalidField::new(Self::EXPECTED))?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(InvalidField::new(Self::EXPECTED));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(fault("a user name or password does not belong there"));
        }
        Ok(Self { host: host(authority).map_err(fault)?, text: text.to_owned() })
    }
}

fn host(authority: &str) -> Result<Host, &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("its host is not an IPv6 address")?;
            let address: Ipv6Addr = address.parse().map_err(|_| "its host is not an IPv6 address")?;
            (Host::Address(address.into()), port)
        }
        None => {
            let (name, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            // An address first: `DomainName` refuses whatever else ends in a number.
            let host = match name.parse::<IpAddress>() {
                Ok(address) => Host::Address(address.address()),
                Err(_) => Host::Name(name_of(name)?),
            };
            (host, port)
        }
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(host),
        Some(digits) if is_port(digits) => Ok(host),
        _ => Err("its port is not a number from 1 to 65535"),
    }
}

/// Host names of URLs may hold underscores, which DNS allows and registries do not.
fn name_of(text: &str) -> Result<String, &'static str> {
    DomainName::read(&text.replace('_', "x"))
        .map(|_| text.to_ascii_lowercase())
        .map_err(|_| "its host is neither a name nor an address")
}

fn is_port(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::__text_field!(
    HttpUrl,
    "an absolute http or https URL such as https://example.com/path",
    8,
    2048,
    "^[Hh][Tt][Tt][Pp][Ss]?://[!-\\[\\]-~]+$"
);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::check_field as check;

    #[test]
    fn urls() {
        let long = format!("https://example.com/{}", "a".repeat(2_028));
        check::<HttpUrl>(
            &[
                "http://a",
                "https://example.com",
                "HTTPS://Example.COM/A?b=c&d#e",
                "http://a_b.example.com:8080/",
                "https://203.0.113.7/x",
                "https://[2001:db8::1]:443/",
                "https://example.com?q=http://x@y",
                "https://example.com/a@b",
                "https://example.com/%20",
                &long,
            ],
            &[
                "",
                "example.com",
                "ftp://example.com",
                "javascript://example.com/%0aalert(1)",
                "file:///etc/passwd",
                "http://",
                "http:///x",
                "https://user@example.com",
                "https://user:pass@example.com",
                "https://example.com@127.0.0.1/",
                "https://exa mple.com",
                "https://example.com\\@127.0.0.1",
                "https://bücher.example",
                "https://example.com/\u{202e}",
                "https://example.com\n",
                "https://example.com:0",
                "https://example.com:65536",
                "https://example.com:",
                "https://example.com:8a",
                "https://example.com:+8",
                "https://127.1",
                "https://0x7f000001",
                "https://2130706433",
                "https://0177.0.0.1",
                "https://127.0.0.1.",
                "https://[::1",
                "https://[fe80::1%25eth0]",
                "https://[::1]x",
                "https://%31%32%37.0.0.1",
                "https://a..b",
                &format!("{long}a"),
            ],
            false,
        );
    }

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("https://Example.com:8443/x", "example.com"),
            ("https://10.0.0.1?x", "10.0.0.1"),
            ("https://[::FFFF:10.0.0.1]/", "::ffff:10.0.0.1"),
            ("https://a_b.example#x", "a_b.example"),
        ] {
            assert_eq!(text.parse::<HttpUrl>().unwrap().host().to_string(), expected);
        }
    }
}
