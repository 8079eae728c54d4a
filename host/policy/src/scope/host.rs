//! Host names and addresses, without the spellings by which one host passes for another.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// A host, in the one form it is compared in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name: lower case, ASCII, no trailing dot, and nothing a resolver could read as an address.
    Name(String),
    /// An IPv4 address; IPv4-mapped IPv6 addresses are these.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// Empty, or longer than 253 characters.
    #[error("it is empty or too long")]
    Length,
    /// A character that no host name has: percent signs, user names, ports, zones and Unicode among them.
    #[error("it has a character that no host name has")]
    Character,
    /// An empty label, one longer than 63 characters, or one with `-` at an end.
    #[error("it has a label that is empty, too long, or begins or ends with `-`")]
    Label,
    /// Its last label is a number, so a resolver reads an address, and it is not written as four decimal numbers.
    #[error("it is an address that is not written as four decimal numbers")]
    Number,
    /// Not an IPv6 address, or not in the form of RFC 5952.
    #[error("it is not an IPv6 address in its one plain form")]
    V6,
    /// A host, in another spelling than its one form.
    #[error("it is not in its one plain form, which is lower case without a trailing dot")]
    Spelling,
}

impl Host {
    /// Read a host as a person writes it: case and one trailing dot do not matter, brackets around IPv6 may be left out.
    pub fn parse(text: &str) -> Result<Self, HostFault> {
        let inner = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').filter(|inner| inner.contains(':')).ok_or(HostFault::V6)?,
            None => text,
        };
        if inner.contains(':') {
            let address: Ipv6Addr = inner.parse().map_err(|_| HostFault::V6)?;
            return Ok(address.to_ipv4_mapped().map_or(Self::V6(address), Self::V4));
        }
        let name = inner.strip_suffix('.').unwrap_or(inner).to_ascii_lowercase();
        if name.is_empty() || name.len() > 253 {
            return Err(HostFault::Length);
        }
        for label in name.split('.') {
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
                return Err(HostFault::Character);
            }
            if label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-') {
                return Err(HostFault::Label);
            }
        }
        if !ends_in_number(&name) {
            return Ok(Self::Name(name));
        }
        // Rust reads exactly four decimal numbers without leading zeros: no octal, no hex, no short forms.
        inner.parse().map(Self::V4).map_err(|_| HostFault::Number)
    }

    /// Read a host as it stands in a URL's authority: only in its one plain form.
    pub fn parse_plain(text: &str) -> Result<Self, HostFault> {
        let host = Self::parse(text)?;
        if host.to_string() == text { Ok(host) } else { Err(HostFault::Spelling) }
    }
}

/// WHATWG URL, "ends in a number checker": where this holds, a browser-like parser reads an IPv4 address.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || last.bytes().all(|b| b.is_ascii_digit())
}

/// As in a URL's authority: IPv6 in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Host;

    fn same(text: &str, plain: &str) {
        assert_eq!(Host::parse(text).unwrap().to_string(), plain);
        assert!(Host::parse_plain(plain).is_ok(), "{plain}");
        assert_eq!(Host::parse_plain(text).is_ok(), text == plain, "{text}");
    }

    #[test]
    fn hosts_have_one_form() {
        same("example.com", "example.com");
        same("EXAMPLE.com.", "example.com");
        same("a_b.local", "a_b.local");
        same("xn--bcher-kva.example", "xn--bcher-kva.example");
        same("10.0.0.1", "10.0.0.1");
        same("2001:DB8::1", "[2001:db8::1]");
        same("[2001:db8:0:0::1]", "[2001:db8::1]");
        same("::ffff:10.0.0.1", "10.0.0.1");
        same("[::ffff:a00:1]", "10.0.0.1");
        same("1and1.com", "1and1.com");
    }

    #[test]
    fn odd_spellings_are_no_hosts() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a\u{0}",
            "a:80",
            "a@b",
            "a%2eb",
            "a/b",
            "a\\b",
            "bücher.example",
            "ｅxample.com",
            "example。com",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.01",
            "127.0.0.1..",
            "256.0.0.1",
            "1.2.3.4.5",
            "10.0.0.1.",
            "0x",
            "a.0x",
            "fe80::1%eth0",
            "[fe80::1%25eth0]",
            "[::1",
            "::1]",
            "[10.0.0.1]",
            "[example.com]",
            "[]",
            "::g",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        assert!(Host::parse(&"a".repeat(64)).is_err());
        assert!(Host::parse(&"a.".repeat(127)).is_ok());
        assert!(Host::parse(&"a.".repeat(128)).is_err());
    }
}
