//! Addresses, networks and names of hosts, in the one spelling that everybody reads in the same way.

use std::{fmt, net::IpAddr};

use super::InvalidField;

/// An IPv4 address as four decimal numbers, or an IPv6 address (RFC 4291) without a zone. `127.1`, `0x7f000001`,
/// `2130706433` and `0177.0.0.1`, which some programs read as addresses, are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpAddress(IpAddr);

impl IpAddress {
    const EXPECTED: &'static str = "an IP address such as 203.0.113.7 or 2001:db8::7";

    /// The address.
    pub fn address(self) -> IpAddr {
        self.0
    }

    fn read(text: &str) -> Result<Self, InvalidField> {
        text.parse().map(Self).map_err(|_| InvalidField::new(Self::EXPECTED))
    }
}

impl fmt::Display for IpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

crate::__text_field!(IpAddress, "an IP address such as 203.0.113.7 or 2001:db8::7", 2, 45, "^[0-9A-Fa-f:.]{2,45}$");

/// An IP network such as `10.0.0.0/8`. Bits behind the prefix must be zero: `10.1.2.3/8` could mean two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpCidr {
    address: IpAddr,
    prefix: u8,
}

impl IpCidr {
    const EXPECTED: &'static str = "an IP network such as 203.0.113.0/24";

    /// The first address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits all its addresses share.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    fn read(text: &str) -> Result<Self, InvalidField> {
        let fault = || InvalidField::new(Self::EXPECTED);
        let (address, prefix) = text.split_once('/').ok_or_else(fault)?;
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || (prefix.len() > 1 && prefix.starts_with('0')) {
            return Err(fault());
        }
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let prefix: u8 = prefix.parse().map_err(|_| fault())?;
        let (bits, width) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        if prefix > width {
            return Err(fault());
        }
        if bits.trailing_zeros() < u32::from(width - prefix) && bits != 0 {
            return Err(InvalidField::because(Self::EXPECTED, "its host bits must be zero"));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for IpCidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

crate::__text_field!(IpCidr, "an IP network such as 203.0.113.0/24", 4, 49, "^[0-9A-Fa-f:.]{2,45}/[0-9]{1,3}$");

/// A DNS name: labels of letters, digits and hyphens, without a trailing dot, kept in lower case. An internationalised
/// name is written in its `xn--` form. A name whose last label is a number is no name but an address, perhaps misspelt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    const EXPECTED: &'static str = "a domain name such as www.example.com";

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn read(text: &str) -> Result<Self, InvalidField> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > 253 || !text.split('.').all(is_label) {
            return Err(InvalidField::new(Self::EXPECTED));
        }
        if text.rsplit('.').next().is_some_and(ends_in_number) {
            return Err(InvalidField::because(Self::EXPECTED, "its last label is a number"));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// What makes the WHATWG URL standard read a host as an IPv4 address: a last label of digits, or of `0x` and hexadecimal digits.
pub(super) fn ends_in_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit()) || hex.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::__text_field!(
    DomainName,
    "a domain name such as www.example.com",
    1,
    253,
    "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_field as check;

    #[test]
    fn addresses() {
        check::<IpAddress>(
            &["203.0.113.7", "0.0.0.0", "::", "2001:db8::7", "::ffff:192.0.2.1", "FE80::1"],
            &[
                "",
                "127.1",
                "0x7f000001",
                "2130706433",
                "0177.0.0.1",
                "127.0.0.1 ",
                "127.0.0.1/32",
                "fe80::1%eth0",
                "[::1]",
                "1.2.3.4.5",
                "256.1.1.1",
                "١.1.1.1",
                "1:2:3:4:5:6:7:8:9",
                "example.com",
            ],
            false,
        );
    }

    #[test]
    fn networks() {
        check::<IpCidr>(
            &["10.0.0.0/8", "0.0.0.0/0", "::/0", "192.0.2.7/32", "2001:db8::/32", "2001:db8::1/128"],
            &[
                "",
                "10.0.0.0",
                "10.0.0.0/",
                "10.0.0.0/33",
                "10.1.2.3/8",
                "10.0.0.0/08",
                "10.0.0.0/+8",
                "::/129",
                "::1/64",
                "10/8",
                "a/8",
            ],
            false,
        );
    }

    #[test]
    fn domains() {
        let long = format!("{}.com", ["a"; 126].join("."));
        check::<DomainName>(
            &["example.com", "WWW.Example.com", "xn--bcher-kva.example", "localhost", "a-b.c", "3com.net", &"a".repeat(63)],
            &[
                "",
                ".",
                "example.com.",
                ".example.com",
                "a..b",
                "-a.com",
                "a-.com",
                "a_b.com",
                "bücher.example",
                "a b.com",
                "a.com\n",
                "a.com/x",
                "user@a.com",
                "a.com:80",
                &"a".repeat(64),
                &long,
            ],
            false,
        );
        check::<DomainName>(&[], &["127.0.0.1", "1", "example.1", "a.0x7f", "0x7f"], false);
    }
}
