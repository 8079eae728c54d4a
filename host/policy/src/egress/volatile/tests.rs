//! What a plan shows of volatile places.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use super::{Fields, Shown, Volatile};
use crate::egress::body;

fn volatile(query: &[&str], headers: &[&str], body: &[&str]) -> Volatile {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    Volatile { query: set(query), headers: set(headers), body: set(body) }
}

fn show(volatile: &Volatile, query: &str, headers: &[(&str, &str)], body: Option<(&str, &str)>) -> Option<Shown> {
    let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let body = body.and_then(|(kind, text)| body::read(Some(kind), text.as_bytes().to_vec()).unwrap());
    volatile.show("https://a.test/b", &Fields::parse(query).unwrap(), &headers, body.as_ref())
}

#[test]
fn what_is_volatile_is_marked_and_named() {
    let all = volatile(&["t"], &["x-id"], &["/nonce", "/meta/at"]);
    let shown = show(
        &all,
        "a=1+2&t=99",
        &[("accept", "a/b"), ("x-id", "77")],
        Some(("application/json", r#"{"nonce":"n1","meta":{"at":12,"by":"x"},"a":1}"#)),
    );
    let shown = shown.unwrap();
    assert_eq!(shown.url, "https://a.test/b?a=1%202&t=‹volatile›");
    let headers: Vec<(&str, &str)> = shown.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("accept", "a/b"), ("x-id", "‹volatile›")]);
    assert_eq!(std::str::from_utf8(&shown.body).unwrap(), r#"{"nonce":"‹volatile›","meta":{"at":"‹volatile›","by":"x"},"a":1}"#);
    assert_eq!(shown.places, ["query t", "header x-id", "body /meta/at", "body /nonce"]);
}

#[test]
fn what_is_not_there_is_not_marked() {
    let all = volatile(&["t"], &["x-id"], &["/nonce"]);
    assert_eq!(show(&all, "a=1", &[("accept", "a/b")], Some(("application/json", r#"{"a":1}"#))), None);
    let shown = show(&all, "", &[("x-id", "7")], None).unwrap();
    assert_eq!((shown.url.as_str(), shown.body.len()), ("https://a.test/b", 0));
    assert_eq!(shown.places, ["header x-id"]);
    // The mark itself, where it is not volatile, is a value like any other.
    let shown = show(&all, "t=1", &[], Some(("application/json", r#"{"a":"‹volatile›"}"#))).unwrap();
    assert_eq!(shown.places, ["query t"]);
}

/// A list or an object could hold anything.
#[test]
fn only_a_single_value_is_volatile() {
    let nonce = volatile(&[], &[], &["/nonce"]);
    for (single, is) in
        [("null", true), ("true", true), ("1e3", true), ("\"\"", true), ("[]", false), ("{}", false), ("[1]", false)]
    {
        let shown = show(&nonce, "", &[], Some(("application/json", &format!(r#"{{"nonce":{single}}}"#))));
        assert_eq!(shown.is_some(), is, "{single}");
    }
}

#[test]
fn a_field_of_a_form_is_marked() {
    let stamp = volatile(&[], &[], &["/stamp", "/a~1b"]);
    let form = ("application/x-www-form-urlencoded", "kind=note&stamp=1+2&a%2Fb=x&text=%C3%A9");
    let shown = show(&stamp, "", &[], Some(form)).unwrap();
    assert_eq!(std::str::from_utf8(&shown.body).unwrap(), "kind=note&stamp=‹volatile›&a%2Fb=‹volatile›&text=%C3%A9");
    assert_eq!(shown.places, ["body /a~1b", "body /stamp"]);
    let shown = show(&stamp, "", &[], Some(("application/x-www-form-urlencoded", "kind=note&text=x")));
    assert_eq!(shown, None);
}
