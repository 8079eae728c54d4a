//! One reading, or none.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{Json, JsonFault};

fn rewritten(text: &str) -> String {
    let mut out = String::new();
    Json::parse(text.as_bytes()).unwrap().write(&mut out);
    out
}

#[test]
fn what_is_read_is_written_in_one_form() {
    assert_eq!(rewritten(" { \"b\" : [ 1 , -0.50e+3 , true ] ,\n\"a\" : null } "), r#"{"b":[1,-0.50e+3,true],"a":null}"#);
    assert_eq!(rewritten(r#""\u0067\/\ud83d\ude00\u2028\u0001""#), "\"g/😀\\u2028\\u0001\"");
    assert_eq!(rewritten("12345678901234567890123"), "12345678901234567890123", "numbers are not rounded");
    assert_eq!(rewritten("{}"), "{}");
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let check = |text: &str, matches: fn(&JsonFault) -> bool| {
        let fault = Json::parse(text.as_bytes()).unwrap_err();
        assert!(matches(&fault), "{text}: {fault}");
    };
    for text in [
        r#"{"group":"a","group":"b"}"#,
        r#"{"group":"a","\u0067roup":"b"}"#,
        r#"{"group":"a","Group":"b"}"#,
        r#"{"sid":"a","ſid":"b"}"#,
        r#"{"k":"a","K":"b"}"#,
        r#"{"x":{"É":1,"é":2}}"#,
    ] {
        check(text, |fault| matches!(fault, JsonFault::DuplicateKey(_)));
    }
    check(r#"{"group\u0000x":1}"#, |fault| matches!(fault, JsonFault::NulInKey(_)));
    check(&format!("{}{}", "[".repeat(33), "]".repeat(33)), |fault| matches!(fault, JsonFault::TooDeep(_)));
    check(&"[".repeat(1_000_000), |fault| matches!(fault, JsonFault::TooDeep(_)));
    for text in [
        "",
        " ",
        "\u{feff}{}",
        "{} {}",
        "{}x",
        "{,}",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "{a:1}",
        "// c\n{}",
        "01",
        "-",
        "1.",
        ".5",
        "+1",
        "1e",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "nullx",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"a",
        "[1 2]",
        "{\"a\" 1}",
        "\"\\u+123\"",
        &"1".repeat(65),
        "\"\t\"",
    ] {
        check(text, |fault| matches!(fault, JsonFault::Syntax(_)));
    }
    assert_eq!(Json::parse(b"\"\xff\""), Err(JsonFault::NotUtf8));
    assert_eq!(Json::parse(&[0x22, 0xc0, 0xaf, 0x22]), Err(JsonFault::NotUtf8));
    assert!(Json::parse("{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice()).is_err());
}

#[test]
fn pointers_lead_where_rfc_6901_says() {
    let json = Json::parse(br#"{"a/b":{"m~n":[10,{"Foo":true}]},"":0}"#).unwrap();
    let at = |pointer| json.pointer(pointer).cloned();
    assert_eq!(at("/a~1b/m~0n/0"), Some(Json::Number("10".to_owned())));
    assert_eq!(at("/"), Some(Json::Number("0".to_owned())));
    assert_eq!(at("/a~1b/m~0n/00"), None);
    assert_eq!(at("/a~1b/m~0n/-"), None);
    assert_eq!(at("/a~1b/m~0n/+0"), None);
    assert_eq!(at("a~1b"), None);
    assert_eq!(at("/a~1b/m~0n/1/foo"), None);
    assert!(json.has_in_any_case("/A~1b/M~0n/1/foo"));
}

proptest! {
    #[test]
    fn never_panics_and_never_takes_what_serde_json_refuses(text in r#"[\[\]{}",:0-9a-u\\\-+.eE \u{0}-\u{7f}]{0,24}"#) {
        if let Ok(json) = Json::parse(text.as_bytes()) {
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
            if let Some(ours) = json.to_value() {
                prop_assert_eq!(ours, theirs.unwrap());
            }
        }
    }

    #[test]
    fn a_second_reading_changes_nothing(strings in prop::collection::hash_map(".{0,8}", ".{0,8}", 0..5)) {
        let text = serde_json::to_string(&strings).unwrap();
        if let Ok(json) = Json::parse(text.as_bytes()) {
            let mut once = String::new();
            json.write(&mut once);
            prop_assert_eq!(&json, &Json::parse(once.as_bytes()).unwrap());
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), serde_json::from_str::<serde_json::Value>(&once).unwrap());
        }
    }
}
