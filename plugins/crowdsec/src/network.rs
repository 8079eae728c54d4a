//! Addresses and networks, as decisions and operators name them, and which of them hold which.

use std::{fmt, net::IpAddr, str::FromStr};

use casemate_plugin::field::{IpAddress, IpCidr};

/// A network; an address is one with no other in it. `Display` writes an address as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Text that is neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as 203.0.113.7, or a network such as 203.0.113.0/24, whose host bits are zero")]
pub struct InvalidNetwork;

impl Network {
    /// The first address.
    pub fn first(self) -> IpAddr {
        self.first
    }

    /// The last address.
    pub fn last(self) -> IpAddr {
        match self.first {
            IpAddr::V4(first) => IpAddr::V4((first.to_bits() | u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0)).into()),
            IpAddr::V6(first) => IpAddr::V6((first.to_bits() | u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0)).into()),
        }
    }

    /// The network that holds the address in front, whatever its host bits are: CrowdSec takes a decision so.
    ///
    /// # Errors
    /// When the text is neither an address nor an address and a prefix.
    pub fn around(text: &str) -> Result<Self, InvalidNetwork> {
        let Some((address, prefix)) = text.split_once('/') else { return text.parse() };
        let address: IpAddress = address.parse().map_err(|_| InvalidNetwork)?;
        let bits: u32 = prefix.parse().map_err(|_| InvalidNetwork)?;
        let first: IpAddr = match address.address() {
            IpAddr::V4(address) => IpAddr::V4((address.to_bits() & !u32::MAX.checked_shr(bits).unwrap_or(0)).into()),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::MAX.checked_shr(bits).unwrap_or(0)).into()),
        };
        format!("{first}/{prefix}").parse()
    }

    /// How many bits all its addresses share.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether it is one address.
    pub fn is_address(self) -> bool {
        self.first == self.last()
    }

    /// Whether all of `other` is in it.
    pub fn covers(self, other: Self) -> bool {
        self.first.is_ipv4() == other.first.is_ipv4() && self.first <= other.first && other.last() <= self.last()
    }

    /// Whether some address is in both. Networks lie in each other or apart.
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self { first: address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        if let Ok(address) = text.parse::<IpAddress>() {
            return Ok(address.address().into());
        }
        let network: IpCidr = text.parse().map_err(|_| InvalidNetwork)?;
        Ok(Self { first: network.address(), prefix: network.prefix() })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_address() { self.first.fmt(f) } else { write!(f, "{}/{}", self.first, self.prefix) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn networks_have_ends() {
        for (text, first, last) in [
            ("198.20.0.0/24", "198.20.0.0", "198.20.0.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("1.1.1.1", "1.1.1.1", "1.1.1.1"),
            ("1.1.1.1/32", "1.1.1.1", "1.1.1.1"),
            ("2001:db8::/48", "2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff"),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!((network(text).first().to_string().as_str(), network(text).last().to_string().as_str()), (first, last));
        }
        assert_eq!(network("1.1.1.1/32").to_string(), "1.1.1.1");
        assert_eq!(network("2001:DB8:0::/48").to_string(), "2001:db8::/48");
        for text in ["", "x", "1.1.1.1/33", "198.20.0.7/24", "1.1.1", "1.1.1.1/", "fe80::1%eth0", "01.1.1.1"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
        }
    }

    #[test]
    fn a_decision_is_about_the_network_around_its_address() {
        for (text, expected) in [
            ("198.51.100.7/28", "198.51.100.0/28"),
            ("198.51.100.7/0", "0.0.0.0/0"),
            ("198.51.100.7/32", "198.51.100.7"),
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.0/24", "198.51.100.0/24"),
            ("2001:db8::7/48", "2001:db8::/48"),
            ("2001:db8::7/0", "::/0"),
        ] {
            assert_eq!(Network::around(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "/", "x/8", "198.51.100.7/33", "198.51.100.7/+8", "198.51.100.7/08", "198.51.100.7/", "2001:db8::7/129"]
        {
            assert_eq!(Network::around(text), Err(InvalidNetwork), "{text}");
        }
    }

    #[test]
    fn what_is_in_what() {
        for (outer, inner, covers, overlaps) in [
            ("198.20.0.0/24", "198.20.0.77", true, true),
            ("198.20.0.77", "198.20.0.0/24", false, true),
            ("198.20.0.0/24", "198.20.1.0", false, false),
            ("198.20.0.0/24", "198.20.0.0/24", true, true),
            ("0.0.0.0/0", "9.9.9.9", true, true),
            ("0.0.0.0/0", "2001:db8::1", false, false),
            ("::/0", "9.9.9.9", false, false),
            ("2001:db8::/48", "2001:db8:1::", false, false),
        ] {
            let (a, b) = (network(outer), network(inner));
            assert_eq!((a.covers(b), a.overlaps(b)), (covers, overlaps), "{outer} {inner}");
        }
    }
}
