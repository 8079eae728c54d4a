//! Plans: complete, readable, without credentials, and bound by their digest to every byte.

use casemate_policy::egress::{Checked, Outgoing, Plan, Verdict};
use serde_json::json;

use crate::fixture::{House, json_body, request, sent, with_body};

fn planned(tool: &str, asked: Outgoing) -> Checked {
    match House::open().rule(tool, |rule| rule.dry_run = true).send(tool, asked) {
        Verdict::Plan(checked) => checked,
        other => panic!("should be planned: {other:?}"),
    }
}

#[test]
fn a_plan_shows_what_would_be_sent() {
    let plan = Plan::of(planned("lab_operate", json_body("/api/operations", r#"{"group":"red-lab","name":"a\u202eb"}"#)));
    assert_eq!(
        plan.to_json(),
        json!({"requests": [{
            "upstream": "api", "contract": "create-operation", "effect": "destructive", "method": "POST",
            "url": "https://api.lab.test:8443/api/operations",
            "headers": {"content-type": "application/json", "key": "‹secret api_key›"},
            "targets": {"group": ["red-lab"]},
            "body": {"bytes": 34, "sha256": plan.to_json()["requests"][0]["body"]["sha256"], "text": "{\"group\":\"red-lab\",\"name\":\"a\\u{202e}b\"}"},
        }]})
    );
    assert_eq!(plan.digest().len(), 64);
}

#[test]
fn a_credential_in_the_query_is_shown_by_name() {
    let asked = |path: &str| Outgoing { authority: "other.lab.test".to_owned(), ..request("GET", path) };
    let shown =
        |path: &str| Plan::of(sent(House::open().send("lab_read_file", asked(path)))).to_json()["requests"][0]["url"].clone();
    assert_eq!(shown("/list"), "https://other.lab.test/list?key=‹secret token›");
    assert_eq!(shown("/list?page=1"), "https://other.lab.test/list?page=1&key=‹secret token›");
}

#[test]
fn the_digest_binds_every_byte() {
    let big = |last: &str| {
        let body = format!("--b\r\n\r\n{}{last}\r\n--b--", "x".repeat(100_000));
        Plan::of(planned("lab_tag", with_body("/api/files", "multipart/form-data; boundary=b", &body)))
    };
    assert_ne!(big("a").digest(), big("b").digest(), "also of what is not shown");
    assert_eq!(big("a").digest(), big("a").digest());
    let shown = big("a").to_json()["requests"][0]["body"].clone();
    assert_eq!(
        shown["bytes"].as_u64().unwrap() - shown["text"].as_str().unwrap().replace("\\u{d}", "\r").len() as u64,
        shown["bytes_not_shown"].as_u64().unwrap()
    );
    let mut two = big("a");
    two.push(big("b").requests()[0].clone());
    assert_eq!(two.requests().len(), 2);
    assert_ne!(two.digest(), big("a").digest());
    assert_ne!(Plan::new().digest(), big("a").digest());
}

#[test]
fn a_body_that_is_no_text_is_shown_as_base64() {
    let mut asked = with_body("/api/files", "multipart/form-data; boundary=b", "");
    asked.body = [b"--b\r\n\r\n".as_slice(), &[0xff, 0xfe, 0], b"\r\n--b--"].concat();
    let shown = Plan::of(planned("lab_tag", asked)).to_json()["requests"][0]["body"].clone();
    assert_eq!(shown["base64"], "LS1iDQoNCv/+AA0KLS1iLS0=");
    assert!(shown.get("text").is_none());
}

#[test]
fn a_cut_does_not_split_a_character() {
    let body = format!("--b\r\n\r\n{}\r\n--b--", "é".repeat(20_000));
    let shown =
        Plan::of(planned("lab_tag", with_body("/api/files", "multipart/form-data; boundary=b", &body))).to_json()["requests"][0]
            ["body"]
            .clone();
    assert!(shown["text"].as_str().unwrap().ends_with('é') && shown.get("base64").is_none());
}
