//! What may be named to a third party: addresses and names that the whole Internet shares.
//!
//! Asking an outside service about `10.0.0.5` or `vault.corp.internal` tells it how the organisation is built, and
//! brings back an answer about somebody else's machine. These checks say no; the gate says where requests go.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::field::{DomainName, HttpUrl};

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Why something is not public, in words that fit behind "it is".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotPublic(&'static str);

/// Whether an address is one of the public Internet.
///
/// # Errors
/// When it is of a range that the IANA special-purpose registries (RFC 6890) or RFC 4291 set aside.
pub fn address(address: IpAddr) -> Result<(), NotPublic> {
    let special = match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    };
    special.map_or(Ok(()), |why| Err(NotPublic(why)))
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "an address of this network",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "a shared address behind a carrier's NAT",
        [127, ..] => "a loopback address",
        [169, 254, ..] => "a link-local address",
        [192, 0, 0, _] => "an address for protocol assignments",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [192, 88, 99, _] => "a relay address of 6to4",
        [198, 18..=19, ..] => "an address for benchmarks",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

/// IANA has given out global unicast addresses from `2000::/3` only; the rest is special or nobody's.
fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "the unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0, 0, 0, 0, 0, 0xffff, ..] => "an IPv4 address in IPv6 form; write it as IPv4",
        [0x64, 0xff9b, ..] => "an address of NAT64; write it as IPv4",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "an address for documentation",
        [0x2001, 0..=0x1ff, ..] => "an address for protocol assignments, such as Teredo",
        [0x2002, ..] => "an address of 6to4; write it as IPv4",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    })
}

/// Last labels that are not the public DNS: RFC 6761, RFC 6762 appendix G, RFC 7686, RFC 9476, ICANN's `.internal`
/// (2024) and its name-collision list, and what routers and directories ship with.
const INTERNAL: [&str; 21] = [
    "alt",
    "arpa",
    "corp",
    "domain",
    "example",
    "home",
    "internal",
    "intra",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "priv",
    "private",
    "svc",
    "test",
    "workgroup",
];

/// Whether a name is one of the public DNS.
///
/// # Errors
/// When it has one label, or ends in one that is not delegated. `arpa` is among them: it names infrastructure, and
/// addresses backwards.
pub fn domain(name: &DomainName) -> Result<(), NotPublic> {
    host_name(name.as_str())
}

fn host_name(name: &str) -> Result<(), NotPublic> {
    match name.rsplit_once('.') {
        None => Err(NotPublic("a name of one label, which is found in the local domain")),
        Some((_, last)) if INTERNAL.contains(&last) => Err(NotPublic("an internal name")),
        Some(_) => Ok(()),
    }
}

/// Whether a URL's host is public. What the rest of the URL tells (a token, a customer's name) no check can know.
///
/// # Errors
/// When [`address`] or [`domain`] would refuse the host.
pub fn url(url: &HttpUrl) -> Result<(), NotPublic> {
    match url.host() {
        Host::Name(name) => host_name(name),
        Host::Address(it) => address(*it),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn address_is_public(text: &str) -> bool {
        address(text.parse().unwrap()).is_ok()
    }

    #[test]
    fn public_addresses() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "3ffe::1",
        ] {
            assert!(address_is_public(text), "{text}");
        }
    }

    #[test]
    fn special_addresses() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ffff::1",
        ] {
            assert!(!address_is_public(text), "{text}");
        }
    }

    #[test]
    fn names() {
        for text in ["example.com", "a.b.example.org", "local.example.com", "xn--bcher-kva.de", "lan.de", "internal-tools.io"] {
            assert_eq!(domain(&text.parse().unwrap()), Ok(()), "{text}");
        }
        for text in [
            "localhost",
            "intranet",
            "printer.local",
            "PRINTER.LOCAL",
            "vault.corp",
            "db.internal",
            "nas.lan",
            "router.home.arpa",
            "x.home",
            "1.0.0.10.in-addr.arpa",
            "a.onion",
            "a.test",
            "a.invalid",
            "a.example",
            "api.default.svc",
            "api.default.svc.cluster.local",
            "host.localdomain",
            "dc.intra",
        ] {
            assert!(domain(&text.parse().unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn urls() {
        for text in ["https://example.com/", "http://1.1.1.1:8080/x", "https://[2606:4700:4700::1111]/"] {
            assert_eq!(url(&text.parse().unwrap()), Ok(()), "{text}");
        }
        for text in [
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "https://wiki.corp/x",
            "http://jenkins:8080/",
        ] {
            assert!(url(&text.parse().unwrap()).is_err(), "{text}");
        }
    }
}
