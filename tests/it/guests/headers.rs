//! Guests that say something else around their request than in it: framing, credentials, another host, another method.

use serde_json::json;

use crate::harness::{Guest, House};

/// Each set of header fields of the tool `run` is refused for its reason.
#[track_caller]
fn fields_refused(house: &House, cases: &[(&str, &str)]) {
    for (case, reason) in cases {
        house.refused("run", json!({ "case": case }), reason);
    }
}

/// The gate refuses it, or the host's wasi:http before it; whoever does, nothing leaves.
#[track_caller]
fn stopped(house: &House, case: &str) {
    let reply = house.run(case);
    let before_gate = reply.reason() == "internal" && reply.text().contains("request failed");
    let not_taken = reply.reason() == "internal" && reply.text().contains("refused");
    assert!(reply.is_error() && (reply.reason() == "egress-refused" || before_gate || not_taken), "{case}: {reply:?}");
    assert!(house.received().is_empty(), "{case}");
}

#[test]
pub(super) fn header_smuggling() {
    let house = House::serving(&Guest::new("header_smuggling"));
    house.run(r#"[["x-note","a note"],["accept","application/json"],["accept-encoding","identity"]]"#).done(&["200"]);
    let received = house.received();
    assert_eq!(received[0].headers("x-note"), ["a note"]);
    assert_ne!(received[0].headers("accept-encoding"), ["identity"], "the host's own");
    house.upstreams().forget();
    fields_refused(
        &house,
        &[
            // Credentials: a second key, another scheme, a cookie.
            (r#"[["x-api-key","mine"]]"#, "header-forbidden"),
            (r#"[["X-Api-Key","mine"]]"#, "header-forbidden"),
            (r#"[["authorization","Bearer mine"]]"#, "header-forbidden"),
            (r#"[["cookie","session=mine"]]"#, "header-forbidden"),
            (r#"[["x_api_key","mine"]]"#, "header-malformed"),
            // Another target behind the same connection.
            (r#"[["x-forwarded-host","evil.example"]]"#, "header-forbidden"),
            (r#"[["x-forwarded-for","127.0.0.1"]]"#, "header-forbidden"),
            (r#"[["forwarded","host=evil.example"]]"#, "header-forbidden"),
            (r#"[["x-original-url","/admin"]]"#, "header-forbidden"),
            (r#"[["x-rewrite-url","/admin"]]"#, "header-forbidden"),
            (r#"[["origin","https://evil.example"]]"#, "header-forbidden"),
            (r#"[["referer","https://evil.example"]]"#, "header-forbidden"),
            // Another method.
            (r#"[["x-http-method-override","DELETE"]]"#, "header-forbidden"),
            (r#"[["x-http-method","DELETE"]]"#, "header-forbidden"),
            (r#"[["x-method-override","DELETE"]]"#, "header-forbidden"),
            // Framing.
            (r#"[["content-encoding","gzip"]]"#, "header-forbidden"),
            (r#"[["trailer","x-api-key"]]"#, "header-forbidden"),
            (r#"[["max-forwards","0"]]"#, "header-forbidden"),
            // The trace, which is the host's word.
            (r#"[["traceparent","00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]]"#, "header-forbidden"),
            (r#"[["Tracestate","vendor=mine"]]"#, "header-forbidden"),
            (r#"[["content-type","application/json"]]"#, "body-malformed"),
            // What nobody named.
            (r#"[["x-debug","true"]]"#, "header-not-allowed"),
            (r#"[["range","bytes=0-"]]"#, "header-not-allowed"),
            (r#"[["if-none-match","*"]]"#, "header-not-allowed"),
            (r#"[["x-note","NOT ALLOWED BY ITS PATTERN"]]"#, "header-not-allowed"),
            (r#"[["x-note","a"],["x-note","b"]]"#, "header-malformed"),
            (r#"[["accept"," application/json"]]"#, "header-malformed"),
        ],
    );
    // wasi:http has its own list of what no guest may set; whoever refuses first, nothing leaves.
    for case in [
        r#"[["host","evil.example"]]"#,
        r#"[["Host","evil.example"]]"#,
        r#"[["content-length","1"]]"#,
        r#"[["content-length","+0"]]"#,
        r#"[["content-length","0"],["content-length","5"]]"#,
        r#"[["transfer-encoding","chunked"]]"#,
        r#"[["Transfer-Encoding"," chunked"]]"#,
        r#"[["connection","x-api-key"]]"#,
        r#"[["connection","upgrade"],["upgrade","h2c"],["http2-settings","AAMAAABkAARAAAAAAAIAAAAA"]]"#,
        r#"[["keep-alive","timeout=5"]]"#,
        r#"[["proxy-connection","keep-alive"]]"#,
        r#"[["proxy-authorization","Basic mine"]]"#,
        r#"[["te","trailers"]]"#,
        r#"[["expect","100-continue"]]"#,
        r#"[["x-note","a\r\nhost: evil.example"]]"#,
        r#"[["x-note","a\nb"]]"#,
        r#"[["x-note","a\u0000b"]]"#,
        r#"[["x-note: a\r\nhost","evil.example"]]"#,
        r#"[["x note","a"]]"#,
        r#"[["x-note ","a"]]"#,
        r#"[["","a"]]"#,
        r#"[[":authority","evil.example"]]"#,
        r#"[[":path","/admin"]]"#,
    ] {
        stopped(&house, case);
    }
    assert_eq!(house.upstreams().connections(), 0);
    house.goes_on();
}

#[test]
fn headers_without_end() {
    let house = House::serving(&Guest::new("header_smuggling"));
    let many = |count: usize, value: &str| json!((0..count).map(|n| (format!("x-{n}"), value)).collect::<Vec<_>>()).to_string();
    for case in [many(150, "v"), many(1, &"v".repeat(3000)), many(30, &"v".repeat(100))] {
        let reply = house.run(&case);
        assert!(reply.is_error(), "{reply:?}");
        assert!(house.received().is_empty());
    }
    house.goes_on();
}

#[test]
pub(super) fn body_smuggling() {
    let house = House::serving(&Guest::new("body_smuggling"));
    // One request, whatever its body looks like.
    house.run("[]").done(&["200"]);
    let received = house.received();
    assert_eq!(received.iter().map(|request| request.target()).collect::<Vec<_>>(), ["/scan"]);
    assert_eq!(received[0].headers("content-length"), [received[0].body_bytes().to_string()]);
    assert!(received[0].headers("transfer-encoding").is_empty());
    house.upstreams().forget();
    for case in [
        r#"[["content-length","0"]]"#,
        r#"[["content-length","5"]]"#,
        r#"[["content-length","5"],["content-length","95"]]"#,
        r#"[["transfer-encoding","chunked"]]"#,
        r#"[["transfer-encoding","identity, chunked"],["content-length","3"]]"#,
        r#"[["content-encoding","gzip"]]"#,
    ] {
        stopped(&house, case);
    }
    assert_eq!(house.upstreams().connections(), 0);
    house.goes_on();
}

#[test]
pub(super) fn trailers() {
    let house = House::serving(&Guest::new("trailers"));
    let reply = house.run("");
    // Refused or left out: never sent.
    for request in house.received() {
        assert_eq!((request.target(), request.body_bytes()), ("/scan", 5));
        assert_eq!(request.headers("x-api-key"), [house.secret().value()]);
        assert!(request.headers("trailer").is_empty() && request.headers("transfer-encoding").is_empty(), "{request:?}");
    }
    assert!(reply.is_error() || !house.received().is_empty(), "{reply:?}");
    house.goes_on();
}

#[test]
pub(super) fn response_headers() {
    let house = House::serving(&Guest::new("response_headers"));
    house.upstreams().script(json!({ "misbehave": { "kind": "set-cookie" } }));
    house.run("").done(&["content-type"]).silent(&["set-cookie", "transfer-encoding", "connection:"]);
    for form in ["plain", "base64", "hex", "embedded"] {
        house.upstreams().script(json!({ "misbehave": { "kind": "echo-key", "form": form } }));
        let reply = house.run("").done(&[&format!("x-echo-{form}"), "‹secret api_key›"]);
        house.secret().assert_not_in("the header fields", reply.0.to_string().as_bytes());
    }
    house.goes_on();
}
