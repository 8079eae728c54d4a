//! Guests that hide a target outside the grant where a reader might not look.

use serde_json::json;

use crate::harness::{Guest, House};

/// The grant is for `lab`, and so is the argument: what the request says is another matter.
#[track_caller]
fn refused(house: &House, cases: &[(&str, &str)]) {
    for (case, reason) in cases {
        house.refused("target", json!({ "group": "lab", "case": case }), reason);
    }
}

/// What reached the upstream, for an honest case of the same guest.
#[track_caller]
fn passes(house: &House, case: &str, sent: &str) {
    house.upstreams().forget();
    house.call("target", json!({ "group": "lab", "case": case })).done(&["200"]);
    let received = house.received();
    let [request] = received.as_slice() else { panic!("{received:?}") };
    let body = request.0["body_base64"].as_str().unwrap_or_default();
    let shown = format!("{} {}", request.target(), body);
    assert_eq!(shown.trim_end(), sent, "{case}");
    house.upstreams().forget();
}

#[test]
pub(super) fn hidden_scope_path() {
    let house = House::serving(&Guest::new("hidden_scope_path"));
    passes(&house, "/groups/lab", "/groups/lab");
    passes(&house, "/groups/%6C%61%62", "/groups/lab");
    refused(
        &house,
        &[
            ("/groups/prod", "out-of-scope"),
            ("/groups/%70rod", "out-of-scope"),
            ("/groups/LAB", "out-of-scope"),
            ("/groups/lab2", "out-of-scope"),
            ("/groups/lab%20", "scope-malformed"),
            ("/groups/lab,prod", "scope-malformed"),
            ("/groups/lab%C2%A0", "path-malformed"),
            ("/groups/%D0%BBab", "path-malformed"),
            ("/groups/lab%2Cprod", "scope-malformed"),
            ("/groups/*", "scope-malformed"),
            ("/groups/lab;prod", "path-malformed"),
            ("/groups/lab/../prod", "path-malformed"),
            ("/groups/lab%2F..%2Fprod", "path-malformed"),
            ("/groups/lab%00prod", "path-malformed"),
            ("/groups/%25%37%30rod", "path-malformed"),
            ("/groups/%2570rod", "path-malformed"),
            ("/groups/lab?group=prod", "query-not-allowed"),
            ("/groups//prod", "path-malformed"),
            ("/groups/", "no-contract"),
        ],
    );
    house.goes_on();
}

#[test]
pub(super) fn hidden_scope_query() {
    let house = House::serving(&Guest::new("hidden_scope_query"));
    passes(&house, "group=lab&page=2", "/members?group=lab&page=2");
    passes(&house, "%67roup=l%61b", "/members?group=lab");
    refused(
        &house,
        &[
            ("group=prod", "out-of-scope"),
            ("group=%70rod", "out-of-scope"),
            ("gr%6Fup=prod", "out-of-scope"),
            ("", "scope-missing"),
            ("page=1", "scope-missing"),
            ("group=", "scope-malformed"),
            ("group=lab+", "scope-malformed"),
            ("group=lab+prod", "scope-malformed"),
            ("group=lab%20prod", "scope-malformed"),
            ("group=lab,prod", "scope-malformed"),
            ("group=lab;group=prod", "scope-malformed"),
            ("group=lab%26group%3Dprod", "scope-malformed"),
            ("group=lab&group=prod", "query-malformed"),
            ("group=prod&group=lab", "query-malformed"),
            ("group=lab&Group=prod", "query-malformed"),
            ("group=lab&%67roup=prod", "query-malformed"),
            ("group=lab&group[]=prod", "query-malformed"),
            ("group[]=lab&group[]=prod", "query-malformed"),
            ("group=lab&", "query-malformed"),
            ("group=lab&&page=1", "query-malformed"),
            ("group=lab&x", "query-malformed"),
            ("group=lab%00", "query-malformed"),
            ("group=lab%ff", "query-malformed"),
            ("group=lab%", "query-malformed"),
            ("group=lab&%00group=prod", "query-malformed"),
            ("group=lab&groups=prod", "query-not-allowed"),
            ("group[0]=prod", "query-not-allowed"),
            ("group=lab&_method=DELETE", "query-not-allowed"),
            ("group=lab&page=x", "query-not-allowed"),
        ],
    );
    house.goes_on();
}

#[test]
pub(super) fn hidden_scope_body() {
    let house = House::serving(&Guest::new("hidden_scope_body"));
    // What was read is what is sent: written again, in one spelling.
    passes(&house, r#" {"\u0074arget" : {"group" : "\u006cab"}} "#, "/groups/search eyJ0YXJnZXQiOnsiZ3JvdXAiOiJsYWIifX0=");
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    refused(
        &house,
        &[
            (r#"{"target":{"group":"prod"}}"#, "out-of-scope"),
            (r#"{"target":{"group":"\u0070rod"}}"#, "out-of-scope"),
            (r#"{"target":{"gr\u006fup":"prod"}}"#, "out-of-scope"),
            (r#"{"target":{"group":["lab","prod"]}}"#, "out-of-scope"),
            (r#"{"target":{"group":"LAB"}}"#, "out-of-scope"),
            (r#"{"target":{"group":7}}"#, "out-of-scope"),
            (r#"{"target":{"group":{"name":"lab"}}}"#, "scope-malformed"),
            (r#"{"target":{"group":[["lab"]]}}"#, "scope-malformed"),
            (r#"{"target":{"group":"lab "}}"#, "scope-malformed"),
            (r#"{"target":{"group":"lab\u0000"}}"#, "scope-malformed"),
            (r#"{"target":{"group":"lab\n"}}"#, "scope-malformed"),
            (r#"{"target":{"group":""}}"#, "scope-malformed"),
            (r#"{"target":{"group":1e0}}"#, "scope-malformed"),
            (r#"{"target":{"group":true}}"#, "scope-malformed"),
            (r#"{"target":{"group":[]}}"#, "scope-missing"),
            (r#"{"target":{"group":null}}"#, "scope-missing"),
            (r#"{"target":{}}"#, "scope-missing"),
            ("{}", "scope-missing"),
            ("[]", "scope-missing"),
            ("null", "body-not-allowed"),
            (r#"{"target":{"group":"lab","group":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"prod","group":"lab"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab","gr\u006fup":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab","Group":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab"},"target":{"group":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab"},"TARGET":{"group":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab","group\u0000":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab"}}{"target":{"group":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"lab"}} // {"target":{"group":"prod"}}"#, "body-malformed"),
            (r#"{"target":{"group":"\ud800lab"}}"#, "body-malformed"),
            ("\u{feff}{\"target\":{\"group\":\"lab\"}}", "body-malformed"),
            ("{target:{group:'lab'}}", "body-malformed"),
            (&deep, "body-malformed"),
            ("", "body-malformed"),
            (r#"{"target":{"group":"lab"},"group":"prod"}"#, "body-not-allowed"),
            (r#"{"target":{"group":"lab","also":"prod"}}"#, "body-not-allowed"),
            (r#"{"target":{"group":"lab"},"Target ":{"group":"prod"}}"#, "body-not-allowed"),
            (r#"{"target":{"group":"lab"},"__proto__":{"group":"prod"}}"#, "body-not-allowed"),
            (r#"[{"target":{"group":"lab"}}]"#, "body-not-allowed"),
        ],
    );
    house.goes_on();
}

#[test]
pub(super) fn hidden_scope_form() {
    let house = House::serving(&Guest::new("hidden_scope_form"));
    passes(&house, "gr%6Fup=l%61b", "/groups/lookup Z3JvdXA9bGFi");
    refused(
        &house,
        &[
            ("group=prod", "out-of-scope"),
            ("%67roup=%70rod", "out-of-scope"),
            ("group=", "scope-malformed"),
            ("group=lab+prod", "scope-malformed"),
            ("group=lab;group=prod", "scope-malformed"),
            ("group=lab&group=prod", "body-malformed"),
            ("group=lab&GROUP=prod", "body-malformed"),
            ("group=lab&group%5B%5D=prod", "body-malformed"),
            ("group=lab&&", "body-malformed"),
            ("group", "body-malformed"),
            ("group=lab\r\n", "body-malformed"),
            ("group=lab&g.roup=prod", "body-not-allowed"),
            ("group=lab&extra=1", "body-not-allowed"),
            ("", "scope-missing"),
        ],
    );
    house.goes_on();
}

#[test]
pub(super) fn hidden_scope_header() {
    let house = House::serving(&Guest::new("hidden_scope_header"));
    passes(&house, r#"[["x-group","lab"]]"#, "/state");
    refused(
        &house,
        &[
            (r#"[["x-group","prod"]]"#, "out-of-scope"),
            (r#"[["X-GROUP","prod"]]"#, "out-of-scope"),
            ("[]", "scope-missing"),
            (r#"[["x-group",""]]"#, "scope-malformed"),
            (r#"[["x-group","lab, prod"]]"#, "scope-malformed"),
            (r#"[["x-group","lab;prod"]]"#, "scope-malformed"),
            (r#"[["x-group","lab"],["x-group","prod"]]"#, "header-malformed"),
            (r#"[["x-group","lab"],["X-Group","prod"]]"#, "header-malformed"),
            (r#"[["x-group","lab"],["x_group","prod"]]"#, "header-malformed"),
            (r#"[["x-group","lab "]]"#, "header-malformed"),
            (r#"[["x-group","l\u00e4b"]]"#, "header-malformed"),
            (r#"[["x-group","lab"],["x-groups","prod"]]"#, "header-not-allowed"),
            (r#"[["x-group","lab\r\nx-group: prod"]]"#, "wasi"),
            (r#"[["x-group","lab\u0000"]]"#, "wasi"),
        ],
    );
    house.goes_on();
}

#[test]
fn the_argument_is_held_to_the_grant_before_anything_runs() {
    let house = House::serving(&Guest::new("hidden_scope_path"));
    house.call("target", json!({ "group": "prod", "case": "/groups/lab" })).ended("denied", "out-of-scope", &[]);
    house.call("target", json!({ "group": "lab prod" })).ended("denied", "scope-malformed", &[]);
    house.call("target", json!({ "group": ["lab"] })).ended("denied", "arguments-invalid", &[]);
    house.call("target", json!({ "group": "lab", "Group": "prod" })).ended("denied", "arguments-invalid", &[]);
    house.call("target", json!({})).ended("denied", "arguments-invalid", &[]);
    assert!(house.received().is_empty());
    house.goes_on();
}

#[test]
pub(super) fn content_type() {
    let house = House::serving(&Guest::new("content_type"));
    let body = "/groups/search eyJ0YXJnZXQiOnsiZ3JvdXAiOiJsYWIifX0=";
    passes(&house, "application/json", body);
    passes(&house, "Application/JSON; charset=UTF-8", body);
    refused(
        &house,
        &[
            ("text/plain", "no-contract"),
            ("application/x-www-form-urlencoded", "body-malformed"),
            ("application/json5", "no-contract"),
            ("application/ld+json", "no-contract"),
            ("application/json; charset=utf-7", "content-type-malformed"),
            ("application/json; charset=utf-16", "content-type-malformed"),
            ("application/json; charset=utf-8; charset=utf-16", "content-type-malformed"),
            ("application/json, text/plain", "content-type-malformed"),
            ("application/json;", "content-type-malformed"),
            ("application/json\t", "header-malformed"),
            ("", "content-type-malformed"),
            ("*/*", "content-type-malformed"),
            ("multipart/form-data; boundary=x", "body-malformed"),
        ],
    );
    house.goes_on();
}
