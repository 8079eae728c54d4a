//! What an answer establishes: every value where it was named, and nothing of an answer with two readings.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::{Answer, Established, Found, Json, Key, Lookup, MAX_TEXT, MAX_VALUES, Nothing, Pointer, Source, Wanted, is_json};

fn wanted(pointers: &[&str]) -> Wanted {
    let pointers = pointers.iter().map(|pointer| Pointer::parse(pointer).unwrap()).collect();
    Wanted([("get-agent".parse().unwrap(), pointers)].into())
}

fn about(paw: &str, turn: u64) -> Lookup {
    Lookup { key: Key::from([("paw".to_owned(), paw.to_owned())]), turn }
}

fn source(pointer: &str) -> Source {
    Source { from: "get-agent".parse().unwrap(), key: Default::default(), value: Pointer::parse(pointer).unwrap() }
}

fn answer(known: &mut Established, pointer: &str, lookup: &Lookup, body: &str) {
    let json = Some("application/json; charset=utf-8");
    known.answered(&wanted(&[pointer]), &"get-agent".parse().unwrap(), lookup, (200, json, body.as_bytes()));
}

fn check(pointer: &str, body: &str, expected: &[Option<&str>]) {
    let mut known = Established::default();
    answer(&mut known, pointer, &about("a", 1), body);
    let expected: Vec<Found> = expected.iter().map(|text| text.map(|text| Json::parse(text.as_bytes()).unwrap())).collect();
    assert_eq!(known.values(&source(pointer), about("a", 1).key).unwrap(), expected, "{pointer} in {body}");
}

#[test]
fn every_value_at_the_place_is_found() {
    check("/group", r#"{"group":"red"}"#, &[Some(r#""red""#)]);
    check("/group", r#"{"group":12345678901234567890}"#, &[Some("12345678901234567890")]);
    check("/group", r#"{"group":["red","blue"]}"#, &[Some(r#""red""#), Some(r#""blue""#)]);
    check("/a/*/b", r#"{"a":[{"b":"x"},{"b":"y"}]}"#, &[Some(r#""x""#), Some(r#""y""#)]);
    check("/*/b/*", r#"[{"b":["x"]},{"b":["y",true]}]"#, &[Some(r#""x""#), Some(r#""y""#), Some("true")]);
    check("/a/1", r#"{"a":["x","y"]}"#, &[Some(r#""y""#)]);
    check("/a~1b/~0", r#"{"a/b":{"~":"x"}}"#, &[Some(r#""x""#)]);
    check("/0", r#"{"0":"x"}"#, &[Some(r#""x""#)]);
}

/// Where there is nothing to hold a target against, that is known: it is not passed over.
#[test]
fn what_is_missing_is_noted() {
    for (pointer, body) in [
        ("/group", "{}"),
        ("/group", r#"{"group":null}"#),
        ("/group", r#"{"group":[]}"#),
        ("/group", r#"{"group":{}}"#),
        ("/group", r#"{"Group":"red"}"#),
        ("/group", r#"["red"]"#),
        ("/group", r#""red""#),
        ("/group/0", r#"{"group":"red"}"#),
        ("/a/*/b", r#"{"a":[]}"#),
        ("/a/*/b", r#"{"a":{"*":{"b":"x"}}}"#),
        ("/a/*", r#"{"a":"x"}"#),
        ("/a/*", r#"{"a":{"b":"x"}}"#),
        ("/a/01", r#"{"a":["x","y"]}"#),
        ("/a/-", r#"{"a":["x","y"]}"#),
    ] {
        check(pointer, body, &[None]);
    }
    check("/a/*/b", r#"{"a":[{"b":"x"},{},{"b":null},{"b":[]},7]}"#, &[Some(r#""x""#), None, None, None, None]);
    check("/a", r#"{"a":["x",null,["y"],{"b":"z"}]}"#, &[Some(r#""x""#), None, None, None]);
}

#[test]
fn an_answer_with_two_readings_establishes_nothing() {
    let mut known = Established::default();
    let nothing = |known: &Established| known.values(&source("/group"), about("a", 1).key).unwrap_err();
    assert!(nothing(&known).contains("`get-agent` has established nothing for paw `a`: it was not answered"));
    for body in [
        "",
        "red",
        r#"{"group":"red","group":"blue"}"#,
        r#"{"group":"red","Group":"blue"}"#,
        r#"{"group":"red","\u0067roup":"blue"}"#,
        r#"{"group":"red"}{"group":"blue"}"#,
        "\u{feff}{\"group\":\"red\"}",
        r#"{"group":"red",}"#,
        r#"{"group":"red","other":{"a":1,"a":2}}"#,
    ] {
        answer(&mut known, "/group", &about("a", 1), body);
        assert!(nothing(&known).contains("not JSON with one reading"), "{body}");
    }
    let take = |known: &mut Established, status: u16, content_type: Option<&str>, body: &[u8]| {
        let contract = "get-agent".parse().unwrap();
        known.answered(&wanted(&["/group"]), &contract, &about("a", 1), (status, content_type, body));
    };
    let body: &[u8] = br#"{"group":"red"}"#;
    for status in [100, 199, 201, 204, 206, 301, 304, 404, 500] {
        take(&mut known, status, Some("application/json"), body);
        assert!(nothing(&known).contains(&format!("status {status}")));
    }
    for content_type in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/html; charset=application/json"),
        Some("application/json; charset=utf-16"),
    ] {
        take(&mut known, 200, content_type, body);
        assert!(nothing(&known).contains("not JSON with one reading"), "{content_type:?}");
    }
    take(&mut known, 200, Some("application/json"), b"{\"group\":\"red\xff\"}");
    assert!(nothing(&known).contains("not JSON with one reading"));
    take(&mut known, 200, Some("Application/Vnd.Api+JSON; profile=x; Charset=UTF-8"), body);
    assert!(known.values(&source("/group"), about("a", 1).key).is_ok());
    assert!(is_json("application/json;charset=\"utf-8\"") && !is_json("application/jsonp") && !is_json("json"));
}

#[test]
fn the_newest_read_counts_and_each_key_is_its_own() {
    let mut known = Established::default();
    let group = |known: &Established, paw: &str| {
        known.values(&source("/group"), about(paw, 0).key).ok().map(|found| format!("{found:?}"))
    };
    answer(&mut known, "/group", &about("a", 1), r#"{"group":"red"}"#);
    assert!(group(&known, "a").unwrap().contains("red"));
    assert_eq!((group(&known, "A"), group(&known, "a "), group(&known, "")), (None, None, None));
    answer(&mut known, "/group", &about("b", 2), r#"{"group":"blue"}"#);
    assert!(group(&known, "a").unwrap().contains("red"));
    answer(&mut known, "/group", &about("a", 4), r#"{"group":"prod"}"#);
    assert!(group(&known, "a").unwrap().contains("prod"));
    // Asked before, and answered after.
    answer(&mut known, "/group", &about("a", 3), r#"{"group":"red"}"#);
    assert!(group(&known, "a").unwrap().contains("prod"));
    // The newest says nothing, so nothing is known.
    answer(&mut known, "/group", &about("a", 5), "gone");
    assert_eq!(group(&known, "a"), None);
    answer(&mut known, "/group", &about("a", 4), r#"{"group":"prod"}"#);
    assert_eq!(group(&known, "a"), None);
    assert!(group(&known, "b").unwrap().contains("blue"));
}

#[test]
fn what_is_kept_is_bounded_over_the_call() {
    let list = |count: usize, text: &str| format!(r#"{{"a":[{}]}}"#, vec![format!("\"{text}\""); count].join(","));
    let mut known = Established::default();
    let is_known = |known: &Established, paw: &str| known.values(&source("/a/*"), about(paw, 0).key).map(<[Found]>::len);
    answer(&mut known, "/a/*", &about("a", 1), &list(MAX_VALUES, "x"));
    assert_eq!(is_known(&known, "a"), Ok(MAX_VALUES));
    answer(&mut known, "/a/*", &about("b", 2), &list(1, "x"));
    assert!(is_known(&known, "b").unwrap_err().contains("more than 10000 values or 1048576 bytes"));
    assert_eq!(is_known(&known, "a"), Ok(MAX_VALUES), "what was known stays");
    // What is replaced makes room.
    answer(&mut known, "/a/*", &about("a", 3), &list(MAX_VALUES, "y"));
    assert_eq!(is_known(&known, "a"), Ok(MAX_VALUES));
    answer(&mut known, "/a/*", &about("a", 4), &list(MAX_VALUES + 1, "y"));
    assert!(is_known(&known, "a").unwrap_err().contains("more than"));
    answer(&mut known, "/a/*", &about("b", 5), &list(1, &"x".repeat(MAX_TEXT)));
    assert_eq!(is_known(&known, "b"), Ok(1));
    answer(&mut known, "/a/*", &about("c", 6), &list(1, "x"));
    assert!(is_known(&known, "c").is_err());
    answer(&mut known, "/a/*", &about("c", 7), r#"{"a":[null]}"#);
    assert_eq!(is_known(&known, "c"), Ok(1), "what has no text takes none");
    answer(&mut known, "/a/*", &about("b", 8), &list(1, &"x".repeat(MAX_TEXT + 1)));
    assert!(is_known(&known, "b").is_err());
    // What takes no text is a value all the same.
    let nulls = format!(r#"{{"a":[{}]}}"#, vec!["null"; MAX_VALUES + 1].join(","));
    answer(&mut known, "/a/*", &about("d", 9), &nulls);
    assert!(is_known(&known, "d").is_err());
}

#[test]
fn only_what_is_named_is_kept() {
    let mut known = Established::default();
    let json = Some("application/json");
    known.answered(&wanted(&["/group"]), &"other".parse().unwrap(), &about("a", 1), (200, json, br#"{"group":"red"}"#));
    assert!(known.0.is_empty());
    answer(&mut known, "/group", &about("a", 1), r#"{"group":"red","secret":"s3cr3t"}"#);
    assert!(!format!("{known:?}").contains("s3cr3t"));
    let kept = known.0.into_values().map(|answer: Answer| answer.shown);
    assert_eq!(kept.map(|shown: Result<_, Nothing>| shown.unwrap().len()).sum::<usize>(), 1);
}
