//! Every kind: what a grant covers, and what only looks as if.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use casemate_signing::manifest::ScopeKind;

use super::{GrantedScope, GrantedValue, ScopeFault, ScopeValue};

fn check(kind: ScopeKind, granted: &[&str], inside: &[&str], outside: &[&str], malformed: &[&str]) {
    let dimension = "d".parse().unwrap();
    let scope = GrantedScope::new(
        &BTreeMap::from([("d".parse().unwrap(), kind)]),
        &BTreeMap::from([("d".parse().unwrap(), granted.iter().map(|g| (*g).to_owned()).collect())]),
    )
    .unwrap();
    for text in inside {
        assert!(scope.check(&dimension, text).is_ok(), "{text:?} should be inside");
    }
    for text in outside {
        assert!(matches!(scope.check(&dimension, text), Err(ScopeFault::NotGranted(_))), "{text:?} should be outside");
    }
    for text in malformed {
        assert!(matches!(scope.check(&dimension, text), Err(ScopeFault::Malformed(_))), "{text:?} should be malformed");
    }
    let nothing = GrantedScope::new(&BTreeMap::from([("d".parse().unwrap(), kind)]), &BTreeMap::new()).unwrap();
    for text in inside {
        assert!(nothing.check(&dimension, text).is_err(), "an empty list covers nothing, {text:?} neither");
    }
}

#[test]
fn names() {
    check(
        ScopeKind::Name,
        &["red-lab"],
        &["red-lab"],
        &["red", "red-lab2", "Red-Lab", "red_lab"],
        &[
            "",
            "red-lab ",
            " red-lab",
            "red-lab\n",
            "red-lab\0",
            "réd-lab",
            "red‐lab",
            "ｒed-lab",
            "re\u{200b}d-lab",
            "*",
            "red-lab,prod",
            "../red-lab",
        ],
    );
}

#[test]
fn uuids() {
    check(
        ScopeKind::Uuid,
        &["01234567-89AB-cdef-0123-456789abcdef"],
        &["01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF"],
        &["01234567-89ab-cdef-0123-456789abcdee"],
        &[
            "",
            "0123456789abcdef0123456789abcdef",
            "{01234567-89ab-cdef-0123-456789abcdef}",
            "01234567-89ab-cdef-0123-456789abcdeg",
        ],
    );
}

#[test]
fn hosts() {
    check(
        ScopeKind::Host,
        &["web.test", "10.0.0.1", "2001:db8::1"],
        &["WEB.test.", "web.test", "10.0.0.1", "::ffff:10.0.0.1", "[2001:db8:0::1]"],
        &["www.web.test", "web.test.evil.example", "eb.test", "10.0.0.10", "2001:db8::2"],
        &["web.test:80", "web.test@evil.example", "010.0.0.1", "167772161", "0xa000001", "10.1", "web.test/", "wеb.test"],
    );
}

#[test]
fn domains() {
    check(
        ScopeKind::Domain,
        &["example.com"],
        &["example.com", "a.example.com", "A.B.EXAMPLE.COM."],
        &["example.org", "notexample.com", "com", "example.com.evil.org", "xexample.com"],
        &["10.0.0.1", "", ".example.com", "*.example.com", "-x.example.com", "exаmple.com"],
    );
}

#[test]
fn networks() {
    check(
        ScopeKind::Cidr,
        &["10.20.0.0/16", "2001:db8::/32", "192.0.2.7"],
        &[
            "10.20.0.0/16",
            "10.20.3.0/24",
            "10.20.255.255",
            "::ffff:10.20.0.1",
            "::ffff:10.20.3.0/120",
            "2001:db8:1::/48",
            "192.0.2.7/32",
        ],
        &["10.0.0.0/8", "10.21.0.0/16", "0.0.0.0/0", "::/0", "2001:db9::1", "192.0.2.6", "2001::/16", "::ffff:10.21.0.0/112"],
        &[
            "10.20.0.1/16",
            "10.20.0.0/016",
            "10.20.0.0/+16",
            "10.20.0.0/33",
            "10.20.0.0-10.20.0.9",
            "010.20.0.0/16",
            "10.20",
            "",
            "::ffff:0:0/95",
        ],
    );
}

#[test]
fn urls() {
    check(
        ScopeKind::Url,
        &["https://shop.test/api", "http://10.0.0.1:8080"],
        &[
            "https://shop.test/api",
            "https://shop.test:443/api/v1?x=1",
            "https://shop.test/api/",
            "http://10.0.0.1:8080/a",
            "http://10.0.0.1:8080",
        ],
        &[
            "https://shop.test/",
            "https://shop.test/apix",
            "http://shop.test/api",
            "https://shop.test:444/api",
            "https://shop.test.evil.example/api",
            "http://10.0.0.1/",
        ],
        &[
            "https://shop.test/api/../admin",
            "https://shop.test/api/%2e%2e/admin",
            "https://shop.test/api/..%2fadmin",
            "https://shop.test/api//x",
            "https://shop.test\\@evil.example/api",
            "https://shop.test@evil.example/api",
            "https://evil.example#@shop.test/api",
            "https:shop.test/api",
            "//shop.test/api",
            "https://SHOP.test/api",
            "https://shop.test./api",
            "ftp://shop.test/api",
            "javascript://shop.test/api",
            "https://shop.test/api\n",
            " https://shop.test/api",
            "https://shop.test/%00",
            "http://0x0a000001:8080/",
            "http://10.0.0.1:08080/",
            "",
        ],
    );
    assert!(GrantedValue::parse(ScopeKind::Url, "https://shop.test/api?x=1").is_err(), "a query in a grant would mean nothing");
}

#[test]
fn lengths() {
    check(
        ScopeKind::Duration,
        &["30m"],
        &["30m", "1800s", "1m", "1ms"],
        &["31m", "1h"],
        &["", "0m", "-1m", "30", "30 m", "30min", "1e3s", "٣m"],
    );
    check(
        ScopeKind::TimeRange,
        &["24h"],
        &["2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z"],
        &["2026-01-01T00:00:00Z/2026-01-02T00:00:00.001Z", "2026-01-01T00:00:00+12:00/2026-01-02T00:00:00-12:00"],
        &[
            "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z",
            "-24h/now",
            "2026-01-01T00:00:00Z",
            "24h",
            "/",
            "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z/x",
        ],
    );
}

#[test]
fn lists() {
    check(
        ScopeKind::GlobList,
        &["web-*", "auth,dns"],
        &["web-1", "web-*", "web-*-x", "auth,dns,web-2", "dns"],
        &["*", "we*", "_all", "auth,secret", "web", "*web-1", "aut*"],
        &["", ",", "auth,", "auth, dns", "-auth", "other:auth", "<auth-{now/d}>", "auth\n"],
    );
}

#[test]
fn greatest_numbers() {
    check(
        ScopeKind::IntegerMax,
        &["100"],
        &["1", "100"],
        &["101", "999999999999999"],
        &["0", "-1", "+1", "1.0", "1e9", "", " 1", "01", "0x10", "9999999999999999", "١"],
    );
}

/// Two days, the second of them, and the second with one more.
const DAYS: [&str; 3] = [
    "2026-01-01T00:00:00Z/2026-01-03T00:00:00Z",
    "2026-01-02T00:00:00Z/2026-01-03T00:00:00Z",
    "2026-01-02T00:00:00Z/2026-01-04T00:00:00Z",
];
/// Values of each kind, some of them parts of others.
const SOME: [(ScopeKind, &[&str]); 10] = [
    (ScopeKind::Name, &["lab", "LAB", "lab2"]),
    (ScopeKind::Uuid, &["01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF"]),
    (ScopeKind::Host, &["web.test", "WEB.test.", "10.0.0.1", "2001:db8::1", "2001:db8:0::1"]),
    (ScopeKind::Domain, &["test", "web.test", "a.web.test"]),
    (ScopeKind::Cidr, &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "11.0.0.1", "2001:db8::/32", "2001:db8::7"]),
    (ScopeKind::Url, &["https://shop.test/", "https://shop.test/a", "https://shop.test/a?b=1"]),
    (ScopeKind::Duration, &["1h", "60m", "1d", "5m"]),
    (ScopeKind::TimeRange, &DAYS),
    (ScopeKind::GlobList, &["web-*", "web-1", "web-*,dns", "dns", "w*", "dns,web-2"]),
    (ScopeKind::IntegerMax, &["1", "50", "100"]),
];

#[test]
fn whoever_names_a_target_names_it_and_what_is_in_it() {
    let is_named = |kind, named: &[&str], text: &str| {
        let named: Vec<_> = named.iter().map(|text| ScopeValue::parse(kind, text).unwrap()).collect();
        ScopeValue::parse(kind, text).unwrap().is_named(&named)
    };
    let [whole, part, beyond] = DAYS;
    for (kind, texts) in SOME {
        for text in texts {
            assert!(is_named(kind, &[text], text), "{text}");
            assert!(!is_named(kind, &[], text), "{text}: nothing was named");
        }
    }
    for (kind, named, texts) in [
        (ScopeKind::Uuid, "01234567-89ab-cdef-0123-456789abcdef", &["01234567-89AB-CDEF-0123-456789ABCDEF"] as &[&str]),
        (ScopeKind::Host, "web.test", &["WEB.test."]),
        (ScopeKind::Cidr, "10.0.0.0/8", &["10.1.0.0/16", "10.1.2.3", "::ffff:10.1.2.3"]),
        (ScopeKind::Duration, "1h", &["60m", "5m"]),
        (ScopeKind::TimeRange, whole, &[part]),
        (ScopeKind::GlobList, "web-*,dns", &["dns", "web-1", "web-*", "dns,web-2"]),
        (ScopeKind::IntegerMax, "50", &["1"]),
    ] {
        texts.iter().for_each(|text| assert!(is_named(kind, &[named], text), "{named} names {text}"));
    }
    for (kind, named, texts) in [
        (ScopeKind::Name, "lab", &["LAB", "lab2"] as &[&str]),
        (ScopeKind::Host, "10.0.0.1", &["10.0.0.2", "web.test"]),
        // A grant of a domain covers what is below it. Whoever asks for one asks for one.
        (ScopeKind::Domain, "web.test", &["a.web.test", "test"]),
        (ScopeKind::Url, "https://shop.test/", &["https://shop.test/a"]),
        (ScopeKind::Url, "https://shop.test/a", &["https://shop.test/a?b=1"]),
        (ScopeKind::Cidr, "10.1.0.0/16", &["10.0.0.0/8", "10.2.0.1", "::/0"]),
        (ScopeKind::Duration, "1h", &["61m"]),
        (ScopeKind::TimeRange, part, &[whole, beyond]),
        (ScopeKind::GlobList, "web-1", &["web-*", "web-1,dns"]),
        (ScopeKind::IntegerMax, "50", &["51"]),
    ] {
        texts.iter().for_each(|text| assert!(!is_named(kind, &[named], text), "{named} does not name {text}"));
    }
    assert!(is_named(ScopeKind::GlobList, &["web-*", "dns"], "dns,web-2"), "one names the one, and another the other");
    assert!(!is_named(ScopeKind::Host, &["web.test", "dns.test"], "mail.test"));
}

#[test]
fn what_was_named_is_never_more_than_what_was_granted() {
    for (kind, texts) in SOME {
        for (granted, (named, text)) in
            texts.iter().flat_map(|one| texts.iter().flat_map(move |two| texts.iter().map(move |three| (one, (two, three)))))
        {
            let [named, value] = [named, text].map(|text| ScopeValue::parse(kind, text).unwrap());
            let granted = ScopeValue::parse(kind, granted).unwrap().grant_text();
            let Ok(granted) = GrantedValue::parse(kind, &granted) else { continue };
            let is_more = granted.covers(&named) && value.is_named(std::slice::from_ref(&named)) && !granted.covers(&value);
            assert!(!is_more, "{granted} covers {named}, which names {value}");
        }
    }
}

#[test]
fn kinds_do_not_cover_each_other() {
    let name = GrantedValue::parse(ScopeKind::Name, "web.test").unwrap();
    assert!(!name.covers(&ScopeValue::parse(ScopeKind::Host, "web.test").unwrap()));
    assert!(!GrantedScope::default().covers(&"d".parse().unwrap(), &ScopeValue::parse(ScopeKind::Name, "x").unwrap()));
}

#[test]
fn what_a_grant_would_have_to_say_covers_the_target() {
    for (kind, text) in [
        (ScopeKind::Name, "prod"),
        (ScopeKind::Uuid, "01234567-89AB-cdef-0123-456789abcdef"),
        (ScopeKind::Host, "2001:db8::1"),
        (ScopeKind::Domain, "A.example.com."),
        (ScopeKind::Cidr, "::ffff:10.20.3.0/120"),
        (ScopeKind::Url, "https://shop.test:444/a%20b/c?x=1"),
        (ScopeKind::Duration, "90s"),
        (ScopeKind::TimeRange, "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z"),
        (ScopeKind::TimeRange, "2026-01-01T00:00:00Z/2026-01-02T03:00:00.5Z"),
        (ScopeKind::GlobList, "a-*,b"),
        (ScopeKind::IntegerMax, "7"),
    ] {
        let value = ScopeValue::parse(kind, text).unwrap();
        let granted = GrantedValue::parse(kind, &value.grant_text()).unwrap();
        assert!(granted.covers(&value), "{} should cover {text}", value.grant_text());
    }
}
