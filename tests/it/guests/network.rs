//! Guests that ask for what no contract of theirs allows: other hosts, paths, methods. Nothing of it leaves.

use serde_json::json;

use crate::harness::{Guest, House};

/// Each case of the tool `run` is refused for its reason.
#[track_caller]
fn refused(house: &House, cases: &[(&str, &str)]) {
    for (case, reason) in cases {
        house.refused("run", json!({ "case": case }), reason);
    }
}

#[test]
pub(super) fn wrong_host() {
    let house = House::serving(&Guest::new("wrong_host"));
    house.run("echo").done(&["200"]);
    let bound = house.upstreams().origin("echo").trim_start_matches("http://").to_owned();
    let port = bound.rsplit(':').next().unwrap();
    house.upstreams().forget();

    refused(
        &house,
        &[
            ("evil.example", "origin-not-bound"),
            ("echo.evil.example", "origin-not-bound"),
            ("evil.example:443", "origin-not-bound"),
            ("virustotal", "origin-not-bound"),
            ("localhost", "origin-not-bound"),
            ("127.0.0.1", "origin-not-bound"),
            ("169.254.169.254", "origin-not-bound"),
            // The name of the upstream, and nothing beside it.
            ("echo:443", "origin-not-bound"),
            ("echo:80", "origin-not-bound"),
            ("ECHO", "origin-malformed"),
            ("echo.", "origin-malformed"),
            (".echo", "origin-malformed"),
            // Right behind the gate, under https and not http.
            (&bound, "origin-not-bound"),
        ],
    );
    let spellings = [
        format!("0x7f000001:{port}"),
        format!("2130706433:{port}"),
        format!("017700000001:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("0x7f.0.0.1:{port}"),
        format!("127.0.0.1.:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("[::ffff:7f00:1]:{port}"),
        format!("[0:0:0:0:0:0:0:1]:{port}"),
        format!("127.0.0.1:0{port}"),
        "0xa9fea9fe".to_owned(),
        "2852039166".to_owned(),
        "[::ffff:169.254.169.254]".to_owned(),
        "[fe80::1%25eth0]".to_owned(),
        "echo\\@evil.example".to_owned(),
        "echo:443:443".to_owned(),
        "echo:".to_owned(),
        "echo:0".to_owned(),
        "echo:65536".to_owned(),
        "xn--echo".to_owned(),
        "\u{ff45}cho".to_owned(),
        "e%63ho".to_owned(),
        "echo%00.evil.example".to_owned(),
        "echo evil".to_owned(),
    ];
    stopped(&house, spellings.iter().map(String::as_str));
    house.goes_on();
}

#[test]
fn a_user_in_front_of_the_host_is_no_way_in() {
    let house = House::serving(&Guest::new("wrong_host"));
    stopped(
        &house,
        [
            "echo@evil.example",
            "evil.example@echo",
            "echo:x@evil.example",
            "echo:443@evil.example",
            "evil.example#echo",
            "evil.example#@echo",
            "evil.example/@echo",
            "evil.example?@echo",
            "evil.example\\@echo",
            "echo@",
            "@echo",
            "echo,evil.example",
            "echo evil.example",
            "echo\r\nhost: evil.example",
            "echo/../evil.example",
            "echo;evil.example",
            "echo\0evil.example",
            "[echo]",
            "",
        ],
    );
    house.goes_on();
}

/// Each case of the tool `run` is stopped, by the gate or before it, and nothing of it leaves.
#[track_caller]
fn stopped<'a>(house: &House, cases: impl IntoIterator<Item = &'a str>) {
    for case in cases {
        let (before, connections) = (house.received().len(), house.upstreams().connections());
        let reply = house.run(case);
        assert!(reply.is_error(), "{case:?}: {reply:?}");
        let by_gate = (reply.decision(), reply.reason()) == ("denied", "egress-refused");
        let before_gate = reply.reason() == "internal" && reply.text().contains("refused");
        assert!(by_gate || before_gate, "{case:?}: {reply:?}");
        assert_eq!((house.received().len(), house.upstreams().connections()), (before, connections), "{case:?}");
    }
}

#[test]
pub(super) fn wrong_scheme() {
    let house = House::serving(&Guest::new("wrong_scheme"));
    house.run("https").done(&["200"]);
    stopped(&house, ["http", "ftp", "file", "HTTPS", "https:", "wss", "h2c", "unix"]);
    // Without a scheme the request is an https one.
    house.run("").done(&["200"]);
    house.goes_on();
}

#[test]
pub(super) fn no_authority() {
    let house = House::serving(&Guest::new("no_authority"));
    stopped(&house, ["/items/one", "//echo/items/one", "https://echo/items/one", "echo:443", "*", ""]);
    house.goes_on();
}

#[test]
pub(super) fn wrong_path() {
    let house = House::serving(&Guest::new("wrong_path"));
    house.run("/items/one").done(&["200"]);
    house.run("/items/%6f%6E%65").done(&["\"/items/one\""]);
    // A fragment is never sent, and never read as a path.
    house.run("/items/one#/../../admin").done(&["\"/items/one\""]);
    house.upstreams().forget();

    refused(
        &house,
        &[
            ("/", "no-contract"),
            ("/admin", "no-contract"),
            ("/items", "no-contract"),
            ("/items/one/", "no-contract"),
            ("/items/one/two", "no-contract"),
            ("/Items/one", "no-contract"),
            ("/items/ONE", "no-contract"),
            ("/items/one%20", "no-contract"),
            ("/items/%C5%BFecret", "path-malformed"),
            // Another tool's.
            ("/groups/lab", "contract-not-granted"),
            ("/items/../admin", "path-malformed"),
            ("/items/one/../../admin", "path-malformed"),
            ("/items/%2e%2e/admin", "path-malformed"),
            ("/items/%2E%2E", "path-malformed"),
            ("/items/.%2e", "path-malformed"),
            ("/items/.", "path-malformed"),
            ("/items/one%2F..%2F..%2Fadmin", "path-malformed"),
            ("/items/one%2fadmin", "path-malformed"),
            ("/items/one%5Cadmin", "path-malformed"),
            ("/items/%252e%252e/admin", "path-malformed"),
            ("/items/%25%32%66", "path-malformed"),
            ("/items//one", "path-malformed"),
            ("//items/one", "path-malformed"),
            ("//evil.example/items/one", "path-malformed"),
            ("/items/one;admin=true", "path-malformed"),
            ("/items/..;/admin", "path-malformed"),
            ("/items/one%3Badmin", "path-malformed"),
            ("/items/one%00", "path-malformed"),
            ("/items/one%0d%0ahost:%20evil.example", "path-malformed"),
            ("/items/%c0%ae%c0%ae/admin", "path-malformed"),
            ("/items/%u002e%u002e", "path-malformed"),
            ("/items/one%", "path-malformed"),
            ("/items/one?admin=true", "query-not-allowed"),
            ("/items/one??", "query-malformed"),
            ("/items/one?q", "query-malformed"),
        ],
    );
    stopped(
        &house,
        [
            "/items\\one",
            "/items/..\\admin",
            "/items/one admin",
            "/items/one\r\nhost: evil.example",
            "/items/\u{2025}/admin",
            "items/one",
            "https://echo/items/one",
            "http://evil.example/items/one",
            "https://evil.example#/items/one",
            "https://echo@evil.example/items/one",
            "?/items/one",
            "*",
            "",
        ],
    );
    house.goes_on();
}

#[test]
pub(super) fn wrong_method() {
    let house = House::serving(&Guest::new("wrong_method"));
    house.run("GET").done(&["200"]);
    house.upstreams().forget();
    refused(
        &house,
        &[
            ("HEAD", "no-contract"),
            ("POST", "no-contract"),
            ("PUT", "no-contract"),
            ("PATCH", "no-contract"),
            ("DELETE", "no-contract"),
            ("OPTIONS", "method-unknown"),
            ("TRACE", "method-unknown"),
            ("CONNECT", "method-unknown"),
            ("PROPFIND", "method-unknown"),
        ],
    );
    stopped(&house, ["get", "Get", "GET /changes HTTP/1.1\r\nhost: echo\r\n\r\nPOST", "GET\0", " GET", ""]);
    house.goes_on();
}

#[test]
pub(super) fn redirect_following() {
    let house = House::serving(&Guest::new("redirect_following"));
    for (to, reason) in [
        ("http://169.254.169.254/latest/meta-data/", "origin-not-bound"),
        ("https://evil.example/items/one", "origin-not-bound"),
        ("http://127.0.0.1:1/items/one", "origin-not-bound"),
        ("https://echo@evil.example/items/one", "origin-malformed"),
        ("/admin", "no-contract"),
        ("//evil.example/items/one", "path-malformed"),
    ] {
        house.upstreams().forget();
        house.upstreams().script(json!({ "misbehave": { "kind": "redirect", "to": to } }));
        let reply = house.run("").ended("denied", "egress-refused", &[]);
        house.expect_refusal(&reply, reason);
        let received = house.received();
        assert_eq!(
            received.iter().map(|request| request.target()).collect::<Vec<_>>(),
            ["/items/one"],
            "{to}: only what was asked for first"
        );
    }
    // Within the contract it may go where the upstream says.
    house.upstreams().forget();
    house.upstreams().script(json!({ "misbehave": { "kind": "redirect", "to": "/items/two" } }));
    house.run("").done(&["200", "/items/two"]);
    house.upstreams().script(json!({ "misbehave": { "kind": "redirect-path", "to": "/items/three" } }));
    house.run("").done(&["200", "/items/three"]);
    house.goes_on();
}

/// What comes of it is in `secrets`: here, that it is as every other guest is.
#[test]
pub(super) fn every_credential() {
    let guest = Guest::new("every_credential");
    assert!(guest.imports().iter().any(|import| import.starts_with("wasi:http/outgoing-handler@")));
}
