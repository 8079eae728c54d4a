//! Every special-purpose range, at both ends, and every dress an address comes in.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use proptest::prelude::*;

use super::{Class, classify, permit};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// IANA IPv4 and IPv6 Special-Purpose Address Registries, with the multicast and unallocated space.
const SPECIAL: [(&str, Class); 55] = [
    ("0.0.0.0/32", Class::Unspecified),
    ("0.0.0.1/32", Class::ThisNetwork),
    ("0.255.255.255/32", Class::ThisNetwork),
    ("10.0.0.0/8", Class::Private),
    ("100.64.0.0/10", Class::Shared),
    ("100.100.100.200/32", Class::CloudMetadata),
    ("127.0.0.0/8", Class::Loopback),
    ("168.63.129.16/32", Class::CloudMetadata),
    ("169.254.0.0/16", Class::LinkLocal),
    ("169.254.169.254/32", Class::CloudMetadata),
    ("172.16.0.0/12", Class::Private),
    ("192.0.0.0/24", Class::ProtocolAssignment),
    ("192.0.2.0/24", Class::Documentation),
    ("192.31.196.0/24", Class::Anycast),
    ("192.52.193.0/24", Class::Anycast),
    ("192.88.99.0/24", Class::Anycast),
    ("192.168.0.0/16", Class::Private),
    ("192.175.48.0/24", Class::Anycast),
    ("198.18.0.0/15", Class::Benchmarking),
    ("198.51.100.0/24", Class::Documentation),
    ("203.0.113.0/24", Class::Documentation),
    ("224.0.0.0/4", Class::Multicast),
    ("240.0.0.0/5", Class::Reserved),
    ("255.255.255.254/32", Class::Reserved),
    ("255.255.255.255/32", Class::Broadcast),
    ("::/128", Class::Unspecified),
    ("::1/128", Class::Loopback),
    ("::2/128", Class::V4Compatible),
    ("::ffff:0:0/96", Class::V4Mapped),
    ("64:ff9b::/96", Class::Nat64),
    ("64:ff9b:1::/48", Class::Nat64Local),
    ("100::/64", Class::Discard),
    ("100:0:0:1::/64", Class::Discard),
    ("2001::/32", Class::Teredo),
    ("2001:1::/32", Class::ProtocolAssignment),
    ("2001:2::/48", Class::Benchmarking),
    ("2001:3::/32", Class::Anycast),
    ("2001:4:112::/48", Class::Anycast),
    ("2001:10::/28", Class::Orchid),
    ("2001:20::/28", Class::Orchid),
    ("2001:30::/28", Class::Orchid),
    ("2001:1ff::/32", Class::ProtocolAssignment),
    ("2001:db8::/32", Class::Documentation),
    ("2002::/16", Class::SixToFour),
    ("2620:4f:8000::/48", Class::Anycast),
    ("3fff::/20", Class::Documentation),
    ("5f00::/16", Class::SegmentRouting),
    ("fc00::/7", Class::UniqueLocal),
    ("fd00:ec2::254/128", Class::CloudMetadata),
    ("fd20:ce::254/128", Class::CloudMetadata),
    ("fe80::/10", Class::LinkLocal),
    ("fec0::/10", Class::SiteLocal),
    ("ff00::/8", Class::Multicast),
    ("4000::/2", Class::Reserved),
    ("2a00:1450::5efe:102:304/128", Class::Isatap),
];

#[test]
fn every_special_range_is_known_at_both_ends() {
    for (network, class) in SPECIAL {
        let network: IpNet = network.parse().unwrap();
        for address in [network.network(), network.broadcast()] {
            assert_eq!(classify(address), class, "{address} of {network}");
            assert!(permit(address, &[]).is_err(), "{address}");
        }
    }
}

#[test]
fn what_lies_beside_the_ranges_is_global() {
    for address in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "203.0.112.255",
        "223.255.255.255",
        "2001:200::1",
        "2000::1",
        "2001:db9::1",
        "2003::1",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "3fff:1000::1",
        "3ffe::1",
    ] {
        assert_eq!(classify(ip(address)), Class::Global, "{address}");
        assert!(permit(ip(address), &[]).is_ok(), "{address}");
    }
}

fn check(address: &str, allow: &[&str], permitted: bool) {
    assert_eq!(permit(ip(address), &nets(allow)).is_ok(), permitted, "{address} with {allow:?}");
}

#[test]
fn listed_addresses_pass_and_their_neighbours_do_not() {
    check("10.20.3.4", &["10.20.0.0/16"], true);
    check("10.21.3.4", &["10.20.0.0/16"], false);
    check("127.0.0.1", &["127.0.0.1/32"], true);
    check("127.0.0.2", &["127.0.0.1/32"], false);
    check("::1", &["::1/128"], true);
    check("::1", &["127.0.0.0/8"], false);
    check("fd12::1", &["fd12::/64"], true);
    check("fd13::1", &["fd12::/64"], false);
    check("fe80::1", &["fe80::/10"], true);
    check("100.64.0.1", &["100.64.0.0/10"], true);
}

#[test]
fn everything_listed_is_still_not_everything() {
    let all = ["0.0.0.0/0", "::/0"];
    for never in ["0.0.0.0", "::", "0.1.2.3", "224.0.0.1", "ff02::1", "255.255.255.255", "100::1"] {
        check(never, &all, false);
    }
    for metadata in [
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ] {
        check(metadata, &all, false);
        check(metadata, &["169.254.0.0/16", "::/0"], false);
    }
    check("169.254.169.254", &["169.254.169.254/32"], true);
}

#[test]
fn an_ipv4_address_in_ipv6_dress_is_judged_as_itself() {
    check("::ffff:10.0.0.1", &[], false);
    check("::ffff:10.0.0.1", &["10.0.0.0/8"], true);
    check("::ffff:10.0.0.1", &["::ffff:0:0/96"], false);
    check("::ffff:127.0.0.1", &["10.0.0.0/8", "::/0"], false);
    check("::ffff:8.8.8.8", &[], false);
    check("::ffff:8.8.8.8", &["8.8.8.8/32"], true);
}

#[test]
fn both_addresses_of_a_pair_must_pass() {
    check("64:ff9b::808:808", &[], false);
    check("64:ff9b::808:808", &["64:ff9b::/96"], true);
    check("64:ff9b::a00:1", &["64:ff9b::/96"], false);
    check("64:ff9b::a00:1", &["64:ff9b::/96", "10.0.0.0/8"], true);
    check("64:ff9b:1::a00:1", &["64:ff9b:1::/48"], false);
    check("64:ff9b:1::808:808", &["64:ff9b:1::/48"], true);
    check("64:ff9b:1:a00:0:100::", &["64:ff9b:1::/48"], false);
    check("2002:a00:1::1", &["2002::/16"], false);
    check("2002:808:808::1", &["2002::/16"], true);
    check("::a00:1", &["::/96"], false);
    check("2001:0:808:808:0:0:f5ff:fffe", &["2001::/32"], false);
    check("2001:0:a00:1:0:0:f7f7:f7f7", &["2001::/32"], false);
    check("2001:0:808:808:0:0:f7f7:f7f7", &["2001::/32"], true);
    check("2a00::5efe:a00:1", &["2a00::/16"], false);
    check("fe80::200:5efe:7f00:1", &["fe80::/10"], false);
}

fn dresses(inner: Ipv4Addr) -> [Ipv6Addr; 7] {
    let n = u32::from(inner);
    let (high, low) = ((n >> 16) as u16, n as u16);
    [
        inner.to_ipv6_mapped(),
        inner.to_ipv6_compatible(),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low),
        Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0x5efe, high, low),
    ]
}

proptest! {
    #[test]
    fn a_special_address_does_not_pass_in_any_dress(n: u32) {
        let inner = Ipv4Addr::from(n);
        let special = classify(IpAddr::V4(inner)) != Class::Global;
        // The operator lists every IPv6 address, and no IPv4 address.
        let allow = nets(&["::/0"]);
        for dress in dresses(inner) {
            prop_assert!(permit(IpAddr::V6(dress), &[]).is_err(), "{dress}");
            prop_assert!(!special || permit(IpAddr::V6(dress), &allow).is_err(), "{dress}");
        }
        prop_assert_eq!(permit(IpAddr::V4(inner), &allow).is_ok(), !special);
    }

    #[test]
    fn listing_nothing_passes_global_unicast_only(n: u128) {
        let address = Ipv6Addr::from(n);
        if permit(IpAddr::V6(address), &[]).is_ok() {
            prop_assert!(address.segments()[0] & 0xe000 == 0x2000);
        }
    }

    /// The standard library knows some of the ranges, too.
    #[test]
    fn the_standard_library_agrees(n: u32) {
        let address = Ipv4Addr::from(n);
        let special = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
            || address.is_broadcast() || address.is_documentation() || address.is_unspecified();
        prop_assert!(!special || permit(IpAddr::V4(address), &[]).is_err());
    }
}
