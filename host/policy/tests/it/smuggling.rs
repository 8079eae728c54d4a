//! Scope smuggling: one target for the gate and another for the upstream. Each row is one spelling, and what the gate says of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use casemate_policy::{
    Permit,
    egress::{Conduct, Gate, Outgoing, RefusalReason as R, Verdict},
};
use serde_json::json;

use crate::fixture::{House, form_body, gate_of, json_body, manifest, request, with_header};

/// The gate of these tests, with one contract more: its target may be named in the query as well as in the body.
static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| {
    let mut json = serde_json::to_value(manifest()).unwrap();
    let twice = json!({"name": "twice", "method": "POST", "path": "/api/twice", "effect": "execute", "content_type": "application/json",
        "query": {"group": "^.{0,64}$", "note": "^.{0,64}$"}, "scope": {"group": {"body": "/group"}}, "require": {"query": {"group": {"scope": "group"}}}});
    json["upstream"]["api"]["request"].as_array_mut().unwrap().push(twice);
    Arc::new(gate_of(&serde_json::from_value(json).unwrap()).unwrap())
});
static PERMITS: LazyLock<BTreeMap<&str, Permit>> = LazyLock::new(|| {
    let house = House::open().rule("lab_operate", |rule| {
        let mut tool = (*rule.manifest_tool).clone();
        tool.requests.insert("twice".parse().unwrap());
        rule.manifest_tool = tool.into();
    });
    ["lab_operate", "lab_tag", "lab_replay", "lab_search"].into_iter().map(|tool| (tool, house.permit(tool))).collect()
});

fn send(tool: &str, asked: Outgoing) -> Verdict {
    Conduct::new(Arc::clone(&GATE), &PERMITS[tool], None).check(asked)
}

#[track_caller]
fn check(tool: &str, asked: Outgoing, expected: Option<R>) {
    let shown = format!("{asked:?}");
    match (send(tool, asked), expected) {
        (Verdict::Send(checked), None) => {
            // Let through with the one target that was granted, and nothing else that it could be taken for.
            assert_eq!(checked.targets()[&"group".parse().unwrap()], ["red-lab"], "{shown}");
            assert!(!String::from_utf8_lossy(checked.body()).contains("prod") && !checked.url().contains("prod"), "{shown}");
        }
        (Verdict::Refuse(refusal), Some(expected)) => assert_eq!(refusal.reason(), expected, "{shown}: {refusal}"),
        (verdict, expected) => panic!("{shown}: {verdict:?}, and {expected:?} was expected"),
    }
}

fn body(text: &str) -> Outgoing {
    json_body("/api/operations", text)
}

fn bytes(body_bytes: Vec<u8>) -> Outgoing {
    Outgoing { body: body_bytes, ..body("") }
}

fn typed(content_type: &str, body_bytes: Vec<u8>) -> Outgoing {
    let headers = vec![("content-type".to_owned(), content_type.as_bytes().to_vec())];
    Outgoing { headers, ..bytes(body_bytes) }
}

#[test]
fn the_target_that_the_attacks_vary_is_let_through() {
    for text in [
        r#"{"group":"red-lab"}"#,
        r#"{"\u0067roup":"\u0072ed-lab"}"#,
        r#"{"group":["red-lab"]}"#,
        "\t{ \"group\"\n:\r\"red-lab\" } ",
    ] {
        check("lab_operate", body(text), None);
    }
    check("lab_tag", form_body("/api/tags", "%67roup=%72ed%2Dlab"), None);
    check("lab_operate", request("DELETE", "/api/groups/%72ed-lab"), None);
    check("lab_operate", json_body("/api/twice?group=red-lab", r#"{"group":"red-lab"}"#), None);
    check("lab_replay", with_header("x-group", "red-lab", json_body("/api/run", "{}")), None);
}

#[test]
fn json_keys() {
    for (text, expected) in [
        // Twice, in every spelling that some reader takes for the same.
        (r#"{"group":"red-lab","group":"prod"}"#, R::BodyMalformed),
        (r#"{"group":"prod","group":"red-lab"}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","\u0067roup":"prod"}"#, R::BodyMalformed),
        (r#"{"\u0067roup":"prod","group":"red-lab"}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","\u0067\u0072\u006f\u0075\u0070":"prod"}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","GROUP":"prod"}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","gRoUp":"prod"}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","group":"red-lab"}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","name":{"a":1,"a":2}}"#, R::BodyMalformed),
        (r#"{"group":"red-lab","group\u0000":"prod"}"#, R::BodyMalformed),
        // Near it: a closed body has no room for them.
        (r#"{"group":"red-lab","group ":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab"," group":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","group\u200b":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","gr\u043eup":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","ｇroup":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","group[]":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","group.name":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","/group":"prod"}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","__proto__":{"group":"prod"}}"#, R::BodyNotAllowed),
        (r#"{"group":"red-lab","":"prod"}"#, R::BodyNotAllowed),
        (r#"{"data":{"group":"red-lab"},"group":"red-lab"}"#, R::BodyNotAllowed),
        // Only elsewhere, or nowhere.
        (r#"{"Group":"red-lab"}"#, R::BodyNotAllowed),
        (r#"{"data":{"group":"red-lab"}}"#, R::BodyNotAllowed),
        (r#"{"name":{"group":"red-lab"}}"#, R::ScopeMissing),
        ("{}", R::ScopeMissing),
    ] {
        check("lab_operate", body(text), Some(expected));
    }
}

#[test]
fn json_values() {
    for (value, expected) in [
        ("null", R::ScopeMissing),
        ("[]", R::ScopeMissing),
        (r#""""#, R::ScopeMalformed),
        (r#"" ""#, R::ScopeMalformed),
        ("true", R::ScopeMalformed),
        ("false", R::ScopeMalformed),
        ("{}", R::ScopeMalformed),
        (r#"{"name":"red-lab"}"#, R::ScopeMalformed),
        (r#"{"0":"red-lab"}"#, R::ScopeMalformed),
        (r#"[null]"#, R::ScopeMalformed),
        (r#"["red-lab",null]"#, R::ScopeMalformed),
        (r#"["red-lab",""]"#, R::ScopeMalformed),
        (r#"["red-lab",{}]"#, R::ScopeMalformed),
        (r#"[["red-lab"]]"#, R::ScopeMalformed),
        (r#"["red-lab",["prod"]]"#, R::ScopeMalformed),
        (r#"["red-lab","prod"]"#, R::OutOfScope),
        // A number is a name by its digits, and no other spelling of it is one.
        ("7", R::OutOfScope),
        ("0", R::OutOfScope),
        ("-1", R::ScopeMalformed),
        ("1.0", R::ScopeMalformed),
        ("1e3", R::ScopeMalformed),
        // Texts that some reader trims, folds, cuts or splits.
        (r#""red-lab ""#, R::ScopeMalformed),
        (r#""red-lab\n""#, R::ScopeMalformed),
        (r#""red-lab\u0000prod""#, R::ScopeMalformed),
        (r#""red-lab,prod""#, R::ScopeMalformed),
        (r#""red-lab;prod""#, R::ScopeMalformed),
        (r#""red-lab|prod""#, R::ScopeMalformed),
        (r#""red-lab/../prod""#, R::ScopeMalformed),
        (r#""red%2Dlab""#, R::ScopeMalformed),
        (r#""*""#, R::ScopeMalformed),
        (r#""red-*""#, R::ScopeMalformed),
        (r#""RED-LAB""#, R::OutOfScope),
        (r#""Red-lab""#, R::OutOfScope),
        (r#""red-lab.""#, R::OutOfScope),
        (r#""red_lab""#, R::OutOfScope),
        // Look-alikes and other forms: Cyrillic, full width, a ligature, combining marks, other hyphens, nothing visible.
        (r#""r\u0435d-lab""#, R::ScopeMalformed),
        (r#""\uff52ed-lab""#, R::ScopeMalformed),
        (r#""red\u2010lab""#, R::ScopeMalformed),
        (r#""red\u2011lab""#, R::ScopeMalformed),
        (r#""red\u2212lab""#, R::ScopeMalformed),
        (r#""re\u0301d-lab""#, R::ScopeMalformed),
        (r#""r\u00e9d-lab""#, R::ScopeMalformed),
        (r#""red-lab\u200b""#, R::ScopeMalformed),
        (r#""\u202ebal-der""#, R::ScopeMalformed),
        (r#""red-lab\ufeff""#, R::ScopeMalformed),
        (r#""red-la\u212a""#, R::ScopeMalformed),
        (r#""\ud835\udc5fed-lab""#, R::ScopeMalformed),
    ] {
        check("lab_operate", body(&format!(r#"{{"group":{value}}}"#)), Some(expected));
        // In a list, too: what is no value alone is none there.
        if value.starts_with('"') {
            check("lab_operate", body(&format!(r#"{{"group":["red-lab",{value}]}}"#)), Some(expected));
        }
    }
}

#[test]
fn bodies_in_other_encodings() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let granted = r#"{"group":"red-lab"}"#;
    let mut marked = vec![0xef, 0xbb, 0xbf];
    marked.extend(granted.bytes());
    for asked in [
        bytes(marked),
        bytes(utf16(granted, u16::to_le_bytes)),
        bytes(utf16(granted, u16::to_be_bytes)),
        bytes([vec![0xff, 0xfe], utf16(granted, u16::to_le_bytes)].concat()),
        bytes(granted.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
        // UTF-7 is ASCII: what it hides is a text that is no name, or no JSON at all.
        body("+AHsAIg-group+ACI-:+ACI-red-lab+ACIAfQ-"),
        bytes(b"{\"group\":\"red-lab\xff\"}".to_vec()),
        bytes(b"{\"group\":\"red-lab\xc0\xa2}".to_vec()),
        bytes(b"{\"group\":\"\xed\xa0\x80red-lab\"}".to_vec()),
        body(r#"{"group":"\ud800red-lab"}"#),
        // Not JSON, and to some readers it is.
        body("/* */{\"group\":\"red-lab\"}"),
        body("{\"group\":\"red-lab\"/*,\"group\":\"prod\"*/}"),
        body("{\"group\":\"red-lab\"}//"),
        body("#\n{\"group\":\"red-lab\"}"),
        body("{\"group\":\"red-lab\",}"),
        body("{'group':'red-lab'}"),
        body("{group:\"red-lab\"}"),
        body("{\"group\":\"red-lab\"}\0"),
        body("{\"group\":\"red-lab\"}{\"group\":\"prod\"}"),
        body("{\"group\":\"red-lab\"}\n{\"group\":\"prod\"}"),
        body(")]}',\n{\"group\":\"red-lab\"}"),
        body("\u{a0}{\"group\":\"red-lab\"}"),
        body("\u{b}{\"group\":\"red-lab\"}"),
        body("{\"group\":\"red-\nlab\"}"),
        body("{\"group\":NaN}"),
        body("{\"group\":+1}"),
        body("{\"group\":01}"),
        body(""),
    ] {
        check("lab_operate", asked, Some(R::BodyMalformed));
    }
    check("lab_operate", body(r#"{"group":"+AHI-ed-lab"}"#), Some(R::ScopeMalformed));
    for content_type in [
        "application/json; charset=utf-7",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json; charset=UTF-8; charset=utf-16",
        "application/json, application/x-www-form-urlencoded",
        "application/json;boundary=x",
        "application/json\t",
    ] {
        let refusal = send("lab_operate", typed(content_type, granted.into()));
        let Verdict::Refuse(refusal) = refusal else { panic!("{content_type}") };
        assert!(matches!(refusal.reason(), R::ContentTypeMalformed | R::HeaderMalformed), "{content_type}: {refusal}");
    }
    // Read as what it says it is, it is no request of the contract.
    for content_type in
        ["text/json", "text/plain", "application/x-www-form-urlencoded", "application/json-seq", "application/vnd.api+json"]
    {
        let verdict = send("lab_operate", typed(content_type, granted.into()));
        assert!(matches!(verdict, Verdict::Refuse(_)), "{content_type}: {verdict:?}");
    }
}

#[test]
fn forms() {
    for (text, expected) in [
        ("group=prod", R::OutOfScope),
        ("group=%70rod", R::OutOfScope),
        ("group=red-lab&group=prod", R::BodyMalformed),
        ("group=prod&group=red-lab", R::BodyMalformed),
        ("group=red-lab&%67%72oup=prod", R::BodyMalformed),
        ("group=red-lab&GROUP=prod", R::BodyMalformed),
        ("group=red-lab&group[]=prod", R::BodyMalformed),
        ("group=red-lab&group%5B0%5D=prod", R::BodyMalformed),
        ("group=red-lab&", R::BodyMalformed),
        ("&group=red-lab", R::BodyMalformed),
        ("group", R::BodyMalformed),
        ("group=red-lab%00", R::BodyMalformed),
        ("group=red-lab%00&x=prod", R::BodyMalformed),
        ("group%00=red-lab", R::BodyMalformed),
        ("group+=red-lab", R::BodyMalformed),
        ("+group=red-lab", R::BodyMalformed),
        ("group=red-lab%", R::BodyMalformed),
        ("group=red-lab%zz", R::BodyMalformed),
        ("group=red-lab%u0070", R::BodyMalformed),
        ("group=red-lab%ff", R::BodyMalformed),
        ("group=%c0%f2ed-lab", R::BodyMalformed),
        ("group=red-lab#x", R::BodyMalformed),
        ("group=red-lab\r\nx", R::BodyMalformed),
        ("group=red-lab;group=prod&x", R::BodyMalformed),
        ("group=red-lab;group=prod", R::ScopeMalformed),
        ("group=red-lab%3Bgroup%3Dprod", R::ScopeMalformed),
        ("group=red-lab%26group%3Dprod", R::ScopeMalformed),
        ("group=red-lab+", R::ScopeMalformed),
        ("group=+red-lab", R::ScopeMalformed),
        ("group=red%2Blab", R::ScopeMalformed),
        ("group=red%252Dlab", R::ScopeMalformed),
        ("group=red-lab%0A", R::ScopeMalformed),
        ("group=red%E2%80%90lab", R::ScopeMalformed),
        ("group=r%D0%B5d-lab", R::ScopeMalformed),
        ("group=red-lab%2Cprod", R::ScopeMalformed),
        ("group=", R::ScopeMalformed),
        ("", R::ScopeMissing),
        ("note=red-lab", R::ScopeMissing),
        ("Group=red-lab", R::ScopeMissing),
        ("%2567roup=red-lab", R::ScopeMissing),
        (r#"{"group":"red-lab"}"#, R::BodyMalformed),
    ] {
        check("lab_tag", form_body("/api/tags", text), Some(expected));
    }
}

#[test]
fn paths_and_hosts() {
    for (path, expected) in [
        ("/api/groups/prod", R::OutOfScope),
        ("/api/groups/Red-Lab", R::OutOfScope),
        ("/api/groups/%70rod", R::OutOfScope),
        ("/API/groups/red-lab", R::NoContract),
        ("/api/Groups/red-lab", R::NoContract),
        ("/api/groups/red-lab/", R::NoContract),
        ("/api/groups/red-lab/prod", R::NoContract),
        ("/api/groups/", R::NoContract),
        ("/api/groups", R::NoContract),
        ("/api/groups/%2570rod", R::PathMalformed),
        ("/api/groups/red-lab%2500", R::PathMalformed),
        ("/api/groups/red-lab%00", R::PathMalformed),
        ("/api/groups/red-lab%2f..%2fprod", R::PathMalformed),
        ("/api/groups/red-lab%5c..%5cprod", R::PathMalformed),
        ("/api/groups/red-lab/../prod", R::PathMalformed),
        ("/api/groups/red-lab/%2e%2e/prod", R::PathMalformed),
        ("/api/groups/./prod", R::PathMalformed),
        ("/api/groups//prod", R::PathMalformed),
        ("/api/groups/red-lab;prod", R::PathMalformed),
        ("/api/groups/red-lab%3bprod", R::PathMalformed),
        ("/api/groups/r%D0%B5d-lab", R::PathMalformed),
        ("/api/groups/red%E2%80%90lab", R::PathMalformed),
        ("/api/groups/red-lab%c0%af", R::PathMalformed),
        ("/api/groups/red-lab%", R::PathMalformed),
        ("/api/groups/red-lab#prod", R::PathMalformed),
        ("/api/groups/red-lab?group=prod", R::QueryNotAllowed),
        ("/api/groups/red-lab?", R::OutOfScope),
        ("/api/groups/red-lab%3fgroup=prod", R::ScopeMalformed),
        ("/api/groups/red-lab%20", R::ScopeMalformed),
        ("/api/groups/%20red-lab", R::ScopeMalformed),
        ("/api/groups/red-lab,prod", R::ScopeMalformed),
        ("/api/groups/red+lab", R::ScopeMalformed),
        ("/api/groups/*", R::ScopeMalformed),
    ] {
        // An empty query is none.
        let expected = (path != "/api/groups/red-lab?").then_some(expected);
        check("lab_operate", request("DELETE", path), expected);
    }
    for (authority, expected) in [
        ("API.lab.test:8443", R::OriginMalformed),
        ("api.lab.test.:8443", R::OriginMalformed),
        ("api%2elab.test:8443", R::OriginMalformed),
        ("ａpi.lab.test:8443", R::OriginMalformed),
        ("\u{430}pi.lab.test:8443", R::OriginMalformed),
        ("api\u{ad}.lab.test:8443", R::OriginMalformed),
        ("xn--pi-7kc.lab.test:8443", R::OriginNotBound),
        ("api.lab.test:8443@prod.test", R::OriginMalformed),
        ("API", R::OriginMalformed),
    ] {
        let asked = Outgoing { authority: authority.to_owned(), ..request("DELETE", "/api/groups/red-lab") };
        check("lab_operate", asked, Some(expected));
    }
}

/// In two places at once: both are held against the grant.
#[test]
fn the_query_and_the_body() {
    for (query, text, expected) in [
        ("?group=red-lab", r#"{"group":"prod"}"#, R::OutOfScope),
        ("?group=prod", r#"{"group":"red-lab"}"#, R::OutOfScope),
        ("?group=%70rod", r#"{"group":"red-lab"}"#, R::OutOfScope),
        ("?group=%2570rod", r#"{"group":"red-lab"}"#, R::ScopeMalformed),
        ("?group=red-lab", "{}", R::ScopeMissing),
        ("?group=red-lab", r#"{"group":null}"#, R::ScopeMissing),
        ("?group=red-lab", r#"{"group":[]}"#, R::ScopeMissing),
        ("", r#"{"group":"red-lab"}"#, R::NoContract),
        ("?note=group", r#"{"group":"red-lab"}"#, R::NoContract),
        ("?Group=red-lab", r#"{"group":"red-lab"}"#, R::NoContract),
        ("?group=", r#"{"group":"red-lab"}"#, R::ScopeMalformed),
        ("?group=red-lab&group=prod", r#"{"group":"red-lab"}"#, R::QueryMalformed),
        ("?group=prod&group=red-lab", r#"{"group":"red-lab"}"#, R::QueryMalformed),
        ("?group=red-lab&Group=prod", r#"{"group":"red-lab"}"#, R::QueryMalformed),
        ("?group=red-lab&%67roup=prod", r#"{"group":"red-lab"}"#, R::QueryMalformed),
        ("?group=red-lab&group[]=prod", r#"{"group":"red-lab"}"#, R::QueryMalformed),
        ("?group=red-lab&groups=prod", r#"{"group":"red-lab"}"#, R::QueryNotAllowed),
        ("?group=red-lab;group=prod", r#"{"group":"red-lab"}"#, R::ScopeMalformed),
        ("?group=red-lab%26group=prod", r#"{"group":"red-lab"}"#, R::ScopeMalformed),
        ("?group=red-lab%00", r#"{"group":"red-lab"}"#, R::QueryMalformed),
        ("?group=red-lab#&group=prod", r#"{"group":"red-lab"}"#, R::QueryMalformed),
    ] {
        check("lab_operate", json_body(&format!("/api/twice{query}"), text), Some(expected));
    }
    // Not in a contract that does not name it there.
    check("lab_operate", json_body("/api/operations?group=prod", r#"{"group":"red-lab"}"#), Some(R::QueryNotAllowed));
    check("lab_tag", form_body("/api/tags?group=prod", "group=red-lab"), Some(R::QueryNotAllowed));
    check("lab_operate", with_header("x-group", "prod", body(r#"{"group":"red-lab"}"#)), Some(R::HeaderNotAllowed));
}

#[test]
fn headers() {
    let run = || json_body("/api/run", "{}");
    for (name, value, expected) in [
        ("x-group", "prod", R::OutOfScope),
        ("X-Group", "prod", R::OutOfScope),
        ("x-group", "Red-Lab", R::OutOfScope),
        ("x-group", "", R::HeaderNotAllowed),
        ("x-group", "red-lab,prod", R::ScopeMalformed),
        ("x-group", "red-lab; group=prod", R::ScopeMalformed),
        ("x-group", "red%2Dlab", R::ScopeMalformed),
        ("x-group", "\"red-lab\"", R::ScopeMalformed),
        ("x-group", "=?utf-8?q?red-lab?=", R::ScopeMalformed),
        ("x-group", " red-lab", R::HeaderMalformed),
        ("x-group", "red-lab\tprod", R::HeaderMalformed),
        ("x-group", "red-lab\r\nx-group: prod", R::HeaderMalformed),
        ("x-group", "red-lab\0", R::HeaderMalformed),
        ("x-group", "r\u{435}d-lab", R::HeaderMalformed),
        ("x_group", "red-lab", R::HeaderMalformed),
        ("x-group ", "red-lab", R::HeaderMalformed),
        ("x-groups", "red-lab", R::HeaderNotAllowed),
    ] {
        check("lab_replay", with_header(name, value, run()), Some(expected));
    }
    check("lab_replay", with_header("x-group", "red-lab", with_header("x-group", "prod", run())), Some(R::HeaderMalformed));
    check("lab_replay", with_header("X-GROUP", "prod", with_header("x-group", "red-lab", run())), Some(R::HeaderMalformed));
    check("lab_replay", run(), Some(R::ScopeMissing));
}
