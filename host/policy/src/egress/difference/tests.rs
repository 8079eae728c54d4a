//! Each part of a request, changed alone, by its name and without its value.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Held, between};
use crate::call::hex;

fn body(text: &str) -> Value {
    json!({ "bytes": text.len(), "sha256": hex(&Sha256::digest(text)), "text": text })
}

fn planned() -> Value {
    json!({
        "upstream": "api", "contract": "open-case", "effect": "write", "method": "POST",
        "url": "https://api.test/cases?a=1&b=2", "headers": { "accept": "a/b", "x-kind": "k" },
        "targets": { "group": ["red"] }, "body": body(r#"{"a":{"b":[1,"x"]},"c/d":null}"#), "volatile": ["query t"],
    })
}

fn check(place: &str, value: Value, exactly: Option<&str>, in_kind: Option<&str>) {
    let mut made = planned();
    match place.rsplit_once('/').unwrap() {
        (parent, name) if value.is_null() => drop(made.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name)),
        (parent, name) => made.pointer_mut(parent).unwrap()[name] = value,
    }
    for (how, expected) in [(Held::Exactly, exactly), (Held::InKind, in_kind)] {
        let told = between(&planned(), &made, how);
        assert_eq!(told.as_deref(), expected, "{place}");
        let back = between(&made, &planned(), how);
        assert_eq!(back.is_some(), expected.is_some(), "{place}, the other way");
        assert!(!told.unwrap_or_default().contains("s3cr3t"), "no value is told");
    }
}

#[test]
fn the_part_that_differs_is_told_and_its_value_is_not() {
    assert_eq!(between(&planned(), &planned(), Held::Exactly), None);
    for name in ["upstream", "contract", "effect", "method"] {
        let told = format!("the {name} differs");
        check(&format!("/{name}"), json!("s3cr3t"), Some(&told), Some(&told));
    }
    let targets = Some("the targets differ in `group`");
    check("/targets/group", json!(["red", "s3cr3t"]), targets, targets);
    check("/targets/group", Value::Null, targets, targets);
    let added = Some("the targets differ in `other`");
    check("/targets/other", json!(["s3cr3t"]), added, added);
    check("/url", json!("https://api.test/s3cr3t?a=1&b=2"), Some("the URL differs before its query"), None);
    check("/url", json!("https://api.test/cases?a=1&b=s3cr3t"), Some("the query parameter `b` differs"), None);
    check("/url", json!("https://api.test/cases?a=1"), Some("the query parameter `b` differs"), None);
    check("/url", json!("https://api.test/cases?a=1&b=2&c="), Some("the query parameter `c` differs"), None);
    check("/url", json!("https://api.test/cases?b=2&a=1"), Some("the order of the query parameters differs"), None);
    check("/url", json!("https://api.test/cases"), Some("the query parameter `a` differs"), None);
    check("/headers/x-kind", json!("s3cr3t"), Some("the header `x-kind` differs"), None);
    check("/headers/x-kind", Value::Null, Some("the header `x-kind` differs"), None);
    check("/headers/x-new", json!("s3cr3t"), Some("the header `x-new` differs"), None);
    check("/volatile", json!([]), Some("what is volatile in it differs"), None);
    check("/body", Value::Null, Some("it has no body"), None);
}

#[test]
fn a_body_differs_at_a_pointer_where_both_are_json() {
    for (text, told) in [
        (r#"{"a":{"b":[1,"s3cr3t"]},"c/d":null}"#, "the body differs at `/a/b/1`"),
        (r#"{"a":{"b":[1]},"c/d":null}"#, "the body differs at `/a/b/1`"),
        (r#"{"a":{"b":[1,"x",2]},"c/d":null}"#, "the body differs at `/a/b/2`"),
        (r#"{"a":{"b":[1.0,"x"]},"c/d":null}"#, "the body differs at `/a/b/0`"),
        (r#"{"a":{"b":{}},"c/d":null}"#, "the body differs at `/a/b`"),
        (r#"{"a":{"b":[1,"x"]},"c/d":false}"#, "the body differs at `/c~1d`"),
        (r#"{"a":{"b":[1,"x"]}}"#, "the body differs at `/c~1d`"),
        (r#"{"a":{"b":[1,"x"]},"c/d":null,"e~":1}"#, "the body differs at `/e~0`"),
        (r#"{"c/d":null,"a":{"b":[1,"x"]}}"#, "the body has the same values in another order"),
        ("[]", "the body differs at ``"),
        ("s3cr3t", "the body differs"),
        ("{\"a\u{202e}\":1}", "the body differs at `/a`"),
    ] {
        check("/body", body(text), Some(told), None);
    }
    // A text that is not all of the body, or not as it is, is not looked into.
    let mut cut = body(r#"{"a":{"b":[2,"x"]},"c/d":null}"#);
    cut["text"] = json!(r#"{"a":1}"#);
    check("/body", cut, Some("the body differs"), None);
    check("/body", json!({ "bytes": 1, "sha256": "00", "base64": "AA==" }), Some("the body differs"), None);
}
