//! Addresses: which of them an upstream may resolve to.
//!
//! Everything in the IANA special-purpose registries (IPv4 and IPv6, with the multicast registries) is refused unless
//! the operator lists it for the upstream. An address that carries another inside is refused unless both pass.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// What kind of address one is. All but `Global` are refused unless listed; some are refused always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Reachable by anyone.
    Global,
    /// `0.0.0.0`, `::`.
    Unspecified,
    /// The rest of `0.0.0.0/8` (RFC 791).
    ThisNetwork,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `10/8`, `172.16/12`, `192.168/16` (RFC 1918).
    Private,
    /// `100.64.0.0/10`, carrier-grade NAT (RFC 6598).
    Shared,
    /// `169.254.0.0/16` (RFC 3927), `fe80::/10`.
    LinkLocal,
    /// Where clouds hand out credentials: `169.254.169.254` and its kin.
    CloudMetadata,
    /// `192.0.0.0/24` (RFC 6890), `2001::/23` (RFC 2928).
    ProtocolAssignment,
    /// Documentation: RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// `198.18.0.0/15` (RFC 2544), `2001:2::/48` (RFC 5180).
    Benchmarking,
    /// Anycast sinks and relays: AS112 (RFC 7534, RFC 7535), AMT (RFC 7450), 6to4 relay (RFC 7526).
    Anycast,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// Not allocated for unicast: `240.0.0.0/4`, and IPv6 outside `2000::/3`.
    Reserved,
    /// `::ffff:0:0/96`: an IPv4 address in IPv6 dress.
    V4Mapped,
    /// `::/96`, deprecated (RFC 4291).
    V4Compatible,
    /// `64:ff9b::/96` (RFC 6052).
    Nat64,
    /// `64:ff9b:1::/48` (RFC 8215).
    Nat64Local,
    /// `2002::/16` (RFC 3056).
    SixToFour,
    /// `2001::/32` (RFC 4380).
    Teredo,
    /// Interface identifiers `[02]00:5efe:v4` (RFC 5214).
    Isatap,
    /// `fc00::/7` (RFC 4193).
    UniqueLocal,
    /// `fec0::/10`, deprecated (RFC 3879).
    SiteLocal,
    /// `100::/64` (RFC 6666) and `100:0:0:1::/64` (RFC 9780).
    Discard,
    /// `5f00::/16` (RFC 9602).
    SegmentRouting,
    /// `2001:10::/28`, `2001:20::/28` (RFC 4843, RFC 7343) and `2001:30::/28` (RFC 9374): identifiers, not locations.
    Orchid,
}

impl Class {
    /// The word used in logs and refusals.
    pub fn code(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Unspecified => "unspecified",
            Self::ThisNetwork => "this-network",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::LinkLocal => "link-local",
            Self::CloudMetadata => "cloud-metadata",
            Self::ProtocolAssignment => "protocol-assignment",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Anycast => "anycast",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Reserved => "reserved",
            Self::V4Mapped => "v4-mapped",
            Self::V4Compatible => "v4-compatible",
            Self::Nat64 => "nat64",
            Self::Nat64Local => "nat64-local",
            Self::SixToFour => "6to4",
            Self::Teredo => "teredo",
            Self::Isatap => "isatap",
            Self::UniqueLocal => "unique-local",
            Self::SiteLocal => "site-local",
            Self::Discard => "discard",
            Self::SegmentRouting => "segment-routing",
            Self::Orchid => "orchid",
        }
    }

    /// Whether listing cannot help: nothing that answers HTTP is there, and some systems take it for this host.
    fn is_never(self) -> bool {
        matches!(self, Self::Unspecified | Self::ThisNetwork | Self::Multicast | Self::Broadcast | Self::Discard)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Classify an address. An IPv6 address that carries an IPv4 address is classified by its form; see [`permit`].
pub fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

/// Whether a connection to this address may be opened, where `allow` is what the operator lists for the upstream.
///
/// Global addresses pass. Others pass only if listed, and then:
/// an IPv4-mapped address is judged as the IPv4 address it is, and even a global one must be listed;
/// an address that carries an IPv4 address must be listed itself, and the inner one must pass too;
/// a metadata address must be listed as itself: a network around it does not name it.
pub fn permit(address: IpAddr, allow: &[IpNet]) -> Result<(), Class> {
    let class = classify(address);
    if class == Class::Global {
        return Ok(());
    }
    let listed = |address: IpAddr| allow.iter().any(|network| network.contains(&address));
    let named = |address: IpAddr| {
        allow.iter().any(|network| network.addr() == address && network.prefix_len() == network.max_prefix_len())
    };
    match (class, address) {
        (class, _) if class.is_never() => Err(class),
        (Class::CloudMetadata, _) => {
            if named(address) {
                Ok(())
            } else {
                Err(class)
            }
        }
        (Class::V4Mapped, IpAddr::V6(outer)) => {
            let inner = outer.to_ipv4_mapped().map(IpAddr::V4).filter(|inner| listed(*inner) && permit(*inner, allow).is_ok());
            inner.map(|_| ()).ok_or(class)
        }
        (_, IpAddr::V6(outer)) => match carried(outer) {
            _ if !listed(address) => Err(class),
            Carried::Nothing => Ok(()),
            Carried::Unreadable => Err(class),
            Carried::V4(inner) => inner.into_iter().try_for_each(|inner| permit(IpAddr::V4(inner), allow)).map_err(|_| class),
        },
        (_, IpAddr::V4(_)) => {
            if listed(address) {
                Ok(())
            } else {
                Err(class)
            }
        }
    }
}

/// `AWS, Azure and others · Alibaba · Azure's wire server · Oracle's classic · ECS tasks`.
const METADATA_V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(169, 254, 170, 2),
];

/// AWS, and AWS's IPv6-only tasks; Google; Oracle (which mirrors link-local).
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0xa9fe, 0xa9fe, 0, 0xa9fe),
];

fn classify_v4(address: Ipv4Addr) -> Class {
    if METADATA_V4.contains(&address) {
        return Class::CloudMetadata;
    }
    match address.octets() {
        [0, 0, 0, 0] => Class::Unspecified,
        [0, ..] => Class::ThisNetwork,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Private,
        [100, 64..=127, ..] => Class::Shared,
        [127, ..] => Class::Loopback,
        [169, 254, ..] => Class::LinkLocal,
        [192, 0, 0, _] => Class::ProtocolAssignment,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Class::Documentation,
        [192, 31, 196, _] | [192, 52, 193, _] | [192, 88, 99, _] | [192, 175, 48, _] => Class::Anycast,
        [198, 18..=19, ..] => Class::Benchmarking,
        [224..=239, ..] => Class::Multicast,
        [255, 255, 255, 255] => Class::Broadcast,
        [240..=255, ..] => Class::Reserved,
        _ => Class::Global,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    if METADATA_V6.contains(&address) {
        return Class::CloudMetadata;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        [0, 0, 0, 0, 0, 0xffff, ..] => Class::V4Mapped,
        [0, 0, 0, 0, 0, 0, ..] => Class::V4Compatible,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Class::Nat64,
        [0x64, 0xff9b, 1, ..] => Class::Nat64Local,
        [0x100, 0, 0, 0 | 1, ..] => Class::Discard,
        [0x2001, 0, ..] => Class::Teredo,
        [0x2001, 2, 0, ..] => Class::Benchmarking,
        [0x2001, 3, ..] | [0x2001, 4, 0x112, ..] | [0x2620, 0x4f, 0x8000, ..] => Class::Anycast,
        [0x2001, 0x10..=0x3f, ..] => Class::Orchid,
        [0x2001, 0..=0x1ff, ..] => Class::ProtocolAssignment,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Class::Documentation,
        [0x2002, ..] => Class::SixToFour,
        [0x5f00, ..] => Class::SegmentRouting,
        [0xfc00..=0xfdff, ..] => Class::UniqueLocal,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xfec0..=0xfeff, ..] => Class::SiteLocal,
        [0xff00..=0xffff, ..] => Class::Multicast,
        [0x2000..=0x3fff, _, _, _, 0 | 0x200, 0x5efe, ..] => Class::Isatap,
        [0x2000..=0x3fff, ..] => Class::Global,
        _ => Class::Reserved,
    }
}

/// The IPv4 addresses inside an IPv6 address.
enum Carried {
    Nothing,
    V4(Vec<Ipv4Addr>),
    /// A form that has more than one reading.
    Unreadable,
}

fn carried(address: Ipv6Addr) -> Carried {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let [_, a, b, c, d, e, g, h] = segments;
    match classify_v6(address) {
        Class::V4Compatible | Class::Nat64 | Class::Isatap => Carried::V4(vec![v4(g, h)]),
        // RFC 8215 leaves the prefix's length to the operator. Only the longest, /96 with nothing between, is read.
        Class::Nat64Local if [c, d, e] == [0, 0, 0] => Carried::V4(vec![v4(g, h)]),
        Class::Nat64Local => Carried::Unreadable,
        Class::SixToFour => Carried::V4(vec![v4(a, b)]),
        // The server, and the client with every bit turned (RFC 4380, section 4).
        Class::Teredo => Carried::V4(vec![v4(b, c), v4(!g, !h)]),
        // ISATAP works under any prefix.
        _ if (d == 0 || d == 0x200) && e == 0x5efe => Carried::V4(vec![v4(g, h)]),
        _ => Carried::Nothing,
    }
}

#[cfg(test)]
#[path = "address/tests.rs"]
mod tests;
