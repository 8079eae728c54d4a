//! Sources at addresses of their own: texts, pictures, and one of many.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{client::Client, guest, shared};
use crate::harness::{House, said};

const PIXEL: &[u8] = include_bytes!("../../../signing/tests/data/pixel.png");
const SOURCES: &str = r#"
[sources.guide]
path = "guide.md"
description = "How to"
uri = "docs://guide"
media_type = "text/markdown"
[sources.map]
path = "map.png"
description = "Where"
uri = "docs://map"
media_type = "image/png"
[sources.cases]
path = "case-{id}.json"
description = "One case"
uri = "cases://{id}/data"
media_type = "application/json"
[sources.hidden]
path = "guide.md"
description = "Nobody's"
uri = "docs://hidden"
[grants.tester]
sources = ["guide", "map", "cases"]
"#;

fn house() -> House {
    with("")
}

fn with(more: &str) -> House {
    let house = shared(House::new(&guest()).with(SOURCES).with(more));
    for (name, bytes) in [("guide.md", b"Look.\n".as_slice()), ("map.png", PIXEL), ("case-123.json", br#"{"id":"123"}"#)] {
        fs::write(house.folder().join(name), bytes).unwrap();
    }
    house
}

#[test]
fn what_is_there_is_listed_and_read_at_its_own_address() {
    let house = house();
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        let listed = client.listed("resources/list", "resources", "uri");
        assert!(listed.contains(&"docs://guide".to_owned()) && listed.contains(&"docs://map".to_owned()), "{listed:?}");
        assert!(!listed.iter().any(|uri| uri.contains('{') || uri.contains("hidden") || uri.contains("logs/")), "{listed:?}");
        let templates = client.listed("resources/templates/list", "resourceTemplates", "uriTemplate");
        assert!(templates.contains(&"cases://{id}/data".to_owned()), "{templates:?}");
        let guide = client.read("docs://guide");
        assert!(guide["text"].as_str().unwrap().contains("\nLook.\n") && guide["mimeType"] == "text/markdown", "{guide:#}");
        assert_eq!(guide["_meta"]["casemate.dev/labels"], json!(["untrusted"]));
        let map = client.read("docs://map");
        assert_eq!((&map["blob"], &map["mimeType"]), (&json!(STANDARD.encode(PIXEL)), &json!("image/png")), "{map:#}");
        assert_eq!((map.get("text"), &map["_meta"]["casemate.dev/labels"]), (None, &json!(["untrusted"])));
        let case = client.read("cases://123/data");
        assert!(case["text"].as_str().unwrap().contains(r#"{"id":"123"}"#) && case["mimeType"] == "application/json", "{case:#}");
        // Parts are at the host's address still.
        assert!(client.read("casemate://logs/guide/tail/1")["text"].as_str().unwrap().contains("Look."));
    }
    let intents = house.records("intent");
    let case = intents.iter().find(|record| record["tool_name"] == "_source_cases").unwrap();
    assert_eq!(said(case, "arguments"), &json!({ "values": { "id": "123" } }), "{case:#}");
}

#[test]
fn a_value_leads_to_no_other_file() {
    let house = house();
    fs::write(house.folder().join("case-secret"), "x").unwrap();
    fs::create_dir(house.folder().join("case-up")).unwrap();
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        for uri in [
            "cases://../data",
            "cases://..%2fguide/data",
            "cases://a/b/data",
            "cases:///data",
            "cases://123/data/",
            "cases://123/data?x=1",
            "cases://123/data#x",
            "cases://{id}/data",
            "cases://123",
            "Cases://123/data",
            "docs://guide/",
            "docs://guide?length=1",
            "docs://hidden",
            "docs://none",
            "casemate://logs/hidden",
            "file:///etc/passwd",
            "cases://.123/data",
        ] {
            client.finds_nothing(uri);
        }
        // There is no such case, and a template is of nothing in particular.
        for uri in ["cases://124/data", "casemate://logs/cases", "casemate://logs/cases/tail/1", "casemate://logs/map?length=8"] {
            let error = client.fault("resources/read", json!({ "uri": uri }), -32600);
            assert!(!error.to_string().contains("case-"), "{error:#}");
        }
    }
}

#[test]
fn a_link_is_not_followed_whatever_it_is_called() {
    let house = house();
    std::os::unix::fs::symlink("/etc/passwd", house.folder().join("case-link.json")).unwrap();
    let error = Client::stdio(&house, "2026-07-28").fault("resources/read", json!({ "uri": "cases://link/data" }), -32600);
    assert_eq!(error["data"]["reason"], "source-unreadable", "{error:#}");
}

#[test]
fn bytes_are_what_they_say_they_are_and_whole() {
    let house = with("[sources.map]\nmax_bytes = 200");
    let mut client = Client::stdio(&house, "2026-07-28");
    let mut refused = |bytes: &[u8], reason: &str| {
        fs::write(house.folder().join("map.png"), bytes).unwrap();
        let error = client.fault("resources/read", json!({ "uri": "docs://map" }), -32600);
        assert_eq!(error["data"]["reason"], reason, "{error:#}");
    };
    refused(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image-not-allowed");
    refused(&[PIXEL, &[0; 200]].concat(), "source-unreadable");
    refused(&[PIXEL, house.secret().value().as_bytes()].concat(), "secret-in-output");
    fs::write(house.folder().join("map.png"), PIXEL).unwrap();
}

#[test]
fn what_is_at_an_own_address_is_watched() {
    let house = house();
    let mut client = Client::stdio(&house, "2025-11-25");
    for uri in ["docs://guide", "cases://123/data"] {
        client.result("resources/subscribe", json!({ "uri": uri }));
    }
    for uri in ["docs://hidden", "docs://none", "cases://../data", "cases://{id}/data"] {
        client.fault("resources/subscribe", json!({ "uri": uri }), -32002);
    }
    fs::write(house.folder().join("case-123.json"), "{}\n").unwrap();
    let message: Value = loop {
        let message = client.raw().receive();
        if message["method"] == "notifications/resources/updated" {
            break message;
        }
    };
    assert_eq!(message["params"]["uri"], "cases://123/data");
    client.result("resources/unsubscribe", json!({ "uri": "cases://123/data" }));
}

#[test]
fn an_address_that_is_somebody_elses_is_refused() {
    for (source, says) in [
        (r#"uri = "casemate://audit/self""#, "the host's"),
        (r#"uri = "https://example.com/a""#, "scheme"),
        (r#"uri = "file:///etc/passwd""#, "form"),
        (r#"uri = "ui://card""#, "means something to clients"),
        (r#"uri = "data://x""#, "means something to clients"),
        (r#"uri = "docs:guide""#, "form"),
        (r#"uri = "docs://../x""#, "form"),
        (r#"uri = "docs://map""#, "an address is of both `guide` and `map`"),
        (r#"uri = "cases://guide/data""#, "an address is of both `cases` and `guide`"),
        (r#"uri = "docs://{id}/{id}""#, "stands in it twice"),
        (r#"uri = "docs://{id}/x""#, "not once in the file's name"),
        (r#"media_type = "text/html""#, "is not given to clients"),
        (r#"media_type = "image/svg+xml""#, "is not given to clients"),
        (r#"media_type = "application/octet-stream""#, "is not given to clients"),
        (r#"media_type = "TEXT/plain""#, "is not given to clients"),
    ] {
        house().with(&format!("[sources.guide]\n{source}")).casemate(&["check"]).refused(&["casemate.toml", says]);
    }
}

#[test]
fn check_says_where_a_source_is_and_whose() {
    let house = with("[sources.plain]\npath = \"x\"\ndescription = \"x\"");
    let text = house.casemate(&["check"]).done().stdout;
    for line in [
        "cases   cases://{id}/data      application/json, up to 65536 bytes  tester",
        "hidden  docs://hidden          text/plain, up to 65536 bytes        no grant",
        "plain   casemate://logs/plain  text/plain, up to 65536 bytes        no grant",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json: Value = serde_json::from_str(&house.casemate(&["--format", "json", "check"]).done().stdout).unwrap();
    assert_eq!(
        json["sources"][0],
        json!({ "source": "cases", "uri": "cases://{id}/data", "media_type": "application/json", "max_bytes": 65536, "grants": ["tester"] })
    );
}
