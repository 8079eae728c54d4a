//! What a hostile plugin tries at the gate. Everything here is refused, and for the reason it should be.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use casemate_policy::{
    Permit,
    egress::{Conduct, Gate, Outgoing, RefusalReason, Verdict},
};

use crate::fixture::{House, form_body, gate, json_body, request, with_body};

const FILE: &str = "/api/files/00000000000000000000000000000000";

static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| Arc::new(gate()));
static PERMITS: LazyLock<BTreeMap<String, Permit>> = LazyLock::new(|| {
    let house = House::open();
    house.rules.iter().map(|rule| (rule.served.to_string(), house.permit(rule.served.as_str()))).collect()
});

fn send(tool: &str, asked: Outgoing) -> Verdict {
    Conduct::new(Arc::clone(&GATE), &PERMITS[tool], None).check(asked)
}

fn check(tool: &str, asked: Outgoing, expected: RefusalReason) {
    let shown = format!("{asked:?}");
    let verdict = send(tool, asked);
    let Verdict::Refuse(refusal) = verdict else { panic!("{shown} → {verdict:?}") };
    assert_eq!(refusal.reason(), expected, "{shown}: {}", refusal.for_operator());
}

#[test]
fn the_request_the_attacks_vary_is_sent() {
    assert!(matches!(send("lab_read_file", request("GET", FILE)), Verdict::Send(_)));
}

#[test]
fn other_hosts() {
    for authority in [
        "evil.example",
        "api.lab.test",
        "api.lab.test:443",
        "api.lab.test:844",
        "evil.api.lab.test:8443",
        "api.lab.test.evil.example:8443",
        "10.20.0.1:8443",
        "[::1]:8443",
        "localhost",
    ] {
        check(
            "lab_read_file",
            Outgoing { authority: authority.to_owned(), ..request("GET", FILE) },
            RefusalReason::OriginNotBound,
        );
    }
    check("lab_read_file", Outgoing { scheme: "http".to_owned(), ..request("GET", FILE) }, RefusalReason::OriginNotBound);
}

#[test]
fn the_host_in_other_spellings() {
    for authority in [
        "",
        ":8443",
        "API.lab.test:8443",
        "api.lab.test.:8443",
        "api.lab.test:08443",
        "api.lab.test:8443:8443",
        "api.lab.test:+8443",
        "api.lab.test:8443 ",
        " api.lab.test:8443",
        "user@api.lab.test:8443",
        "user:pass@api.lab.test:8443",
        "api.lab.test:8443@evil.example",
        "evil.example#@api.lab.test:8443",
        "evil.example/@api.lab.test:8443",
        "evil.example\\@api.lab.test:8443",
        "evil.example?@api.lab.test:8443",
        "api%2elab.test:8443",
        "api.lab.test%00.evil.example:8443",
        "api.lab.test:8443\r\nhost: evil.example",
        "api.lab.test\0:8443",
        "api。lab。test:8443",
        "ａpi.lab.test:8443",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.01",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]:8443x",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[0:0:0:0:0:0:0:1]",
        "::1",
        "[::1",
        "api.lab.test:65536",
        "api.lab.test:0",
        "api..lab.test:8443",
    ] {
        check(
            "lab_read_file",
            Outgoing { authority: authority.to_owned(), ..request("GET", FILE) },
            RefusalReason::OriginMalformed,
        );
    }
    for scheme in ["HTTPS", "ftp", "file", "", "https:", "https://evil.example/", "javascript", "ws"] {
        check("lab_read_file", Outgoing { scheme: scheme.to_owned(), ..request("GET", FILE) }, RefusalReason::OriginMalformed);
    }
}

#[test]
fn other_paths() {
    for path in [
        "/",
        "/api/files",
        "/api/files/",
        "/api/admin",
        "/API/files/00000000000000000000000000000000",
        &format!("{FILE}/"),
        &format!("{FILE}0"),
        &format!("{FILE}/comments"),
        "/api/files/upload_urls",
    ] {
        check("lab_read_file", request("GET", path), RefusalReason::NoContract);
    }
}

#[test]
fn paths_in_other_spellings() {
    for path in [
        "",
        "*",
        "api/files",
        "https://evil.example/",
        "//evil.example/api",
        "/api//files",
        "/api/./files",
        "/api/files/../admin",
        "/api/files/%2e%2e/admin",
        "/api/files/.%2E/admin",
        "/api%2ffiles",
        "/api%5cfiles",
        "/api\\files",
        "/api/files/%252e%252e/admin",
        "/api/files/..;/admin",
        "/api;x/files",
        "/api/files/%00",
        "/api/files/\0",
        "/api/files/a\r\nb",
        "/api/files/%0d%0a",
        "/api/files/é",
        "/api/files/%c0%ae%c0%ae/admin",
        "/api/files/%",
        "/api/files/%u002e",
        "/api/files/a b",
        &format!("{FILE}#fragment"),
        &format!("{FILE}%23x%"),
    ] {
        check("lab_read_file", request("GET", path), RefusalReason::PathMalformed);
    }
    check("lab_read_file", request("GET", &format!("/{}", "a".repeat(20_000))), RefusalReason::QueryMalformed);
    // Decoded once, these are one segment that fits no pattern.
    for path in ["/api/files/%2a", &format!("{FILE}%20"), &format!("{FILE}%3f"), &format!("{FILE}%23")] {
        check("lab_read_file", request("GET", path), RefusalReason::NoContract);
    }
}

#[test]
fn other_methods() {
    for method in ["HEAD", "POST", "PUT", "DELETE", "PATCH"] {
        check("lab_read_file", request(method, FILE), RefusalReason::NoContract);
    }
    for method in ["get", "Get", "CONNECT", "TRACE", "OPTIONS", "", "GET ", "GET /x HTTP/1.1\r\n", "PRI", "PROPFIND", "G\0ET"] {
        check("lab_read_file", request(method, FILE), RefusalReason::MethodUnknown);
    }
}

#[test]
fn queries() {
    for query in ["admin=1", "Fields=a", "fields=A", "fields=a%0ab", "fields=", "field%73x=a", "_method=DELETE"] {
        check("lab_read_file", request("GET", &format!("{FILE}?{query}")), RefusalReason::QueryNotAllowed);
    }
    for query in [
        "fields=a&fields=b",
        "fields=a&FIELDS=b",
        "fields=a&%66ields=b",
        "fields",
        "fields=a&",
        "&",
        "?fields=a&?",
        "fields=%ff",
        "fields=%",
        "fields=a#b",
        "fields=a\r\n",
        "fields=a b",
        "fields=é",
        "=a",
    ] {
        check("lab_read_file", request("GET", &format!("{FILE}?{query}")), RefusalReason::QueryMalformed);
    }
}

#[test]
fn headers() {
    let with = |name: &str, value: &[u8]| {
        let mut asked = request("GET", FILE);
        asked.headers.push((name.to_owned(), value.to_vec()));
        asked
    };
    for name in [
        "host",
        "Host",
        "authorization",
        "cookie",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "upgrade",
        "expect",
        "proxy-authorization",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "content-encoding",
        "x-real-ip",
    ] {
        check("lab_read_file", with(name, b"x"), RefusalReason::HeaderForbidden);
    }
    check("lab_read_file", with("KEY", b"mine"), RefusalReason::HeaderForbidden);
    check("lab_read_file", with("key", b""), RefusalReason::HeaderForbidden);
    for (name, value) in [("x-unknown", "x"), ("x-trace", "NOT LOWER"), ("range", "bytes=0-"), ("if-none-match", "x")] {
        check("lab_read_file", with(name, value.as_bytes()), RefusalReason::HeaderNotAllowed);
    }
    for (name, value) in [
        ("accept", "a\r\nhost: evil".as_bytes()),
        ("accept", b"a\nb"),
        ("accept", b"\xff"),
        ("accept", b"\0"),
        ("accept\r\nx", b"a"),
        ("x_trace", b"a"),
        (":authority", b"evil.example"),
        ("accept ", b"a"),
        ("content-length", b"7"),
        ("content-length", b"+0"),
        ("content-length", b"0, 0"),
    ] {
        check("lab_read_file", with(name, value), RefusalReason::HeaderMalformed);
    }
    let mut twice = with("accept", b"a");
    twice.headers.push(("Accept".to_owned(), b"b".to_vec()));
    check("lab_read_file", twice, RefusalReason::HeaderMalformed);
}

#[test]
fn bodies_where_none_belong() {
    let mut with_bytes = request("GET", FILE);
    with_bytes.body = b"GET /admin HTTP/1.1\r\n\r\n".to_vec();
    check("lab_read_file", with_bytes, RefusalReason::ContentTypeMalformed);
    check("lab_read_file", Outgoing { method: "GET".to_owned(), ..json_body(FILE, "{}") }, RefusalReason::NoContract);
    check("lab_operate", request("POST", "/api/operations"), RefusalReason::NoContract);
    check("lab_operate", form_body("/api/operations", "group=red-lab"), RefusalReason::NoContract);
    check("lab_operate", with_body("/api/operations", "text/plain", r#"{"group":"red-lab"}"#), RefusalReason::NoContract);
}

#[test]
fn another_group_in_a_json_body() {
    let body = |text: &str| json_body("/api/operations", text);
    for text in [r#"{"group":"prod"}"#, r#"{"group":"\u0070rod"}"#, r#"{"group":["red-lab","prod"]}"#, r#"{"group":"Red-Lab"}"#] {
        check("lab_operate", body(text), RefusalReason::OutOfScope);
    }
    for text in ["{}", r#"{"group":null}"#, r#"{"group":[]}"#, r#"{"name":"x"}"#] {
        check("lab_operate", body(text), RefusalReason::ScopeMissing);
    }
    for text in [
        r#"{"group":""}"#,
        r#"{"group":" red-lab"}"#,
        r#"{"group":"red-lab\u0000"}"#,
        r#"{"group":"red-lab,prod"}"#,
        r#"{"group":{"a":"red-lab"}}"#,
        r#"{"group":[["red-lab"]]}"#,
        r#"{"group":true}"#,
        r#"{"group":"red\u2010lab"}"#,
        r#"{"group":"r\u0435d-lab"}"#,
        r#"{"group":"*"}"#,
    ] {
        check("lab_operate", body(text), RefusalReason::ScopeMalformed);
    }
    for text in [
        r#"{"group":"red-lab","group":"prod"}"#,
        r#"{"group":"prod","group":"red-lab"}"#,
        r#"{"group":"red-lab","\u0067roup":"prod"}"#,
        r#"{"group":"red-lab","Group":"prod"}"#,
        r#"{"group":"red-lab","GROUP":"prod"}"#,
        r#"{"group":"red-lab"}{"group":"prod"}"#,
        r#"{"group":"red-lab"} // "#,
        r#"{"group":"red-lab",}"#,
        r#"{'group':'red-lab'}"#,
        r#"{"group":"red-lab","group\u0000":"prod"}"#,
        "\u{feff}{\"group\":\"red-lab\"}",
    ] {
        check("lab_operate", body(text), RefusalReason::BodyMalformed);
    }
    for text in [
        r#"{"group":"red-lab","host_group":"prod"}"#,
        r#"{"group":"red-lab","auto_close":1}"#,
        r#"{"group":"red-lab","name2":{}}"#,
    ] {
        check("lab_operate", body(text), RefusalReason::BodyNotAllowed);
    }
    check("lab_operate", body(r#"[{"group":"red-lab"},{"group":"prod"}]"#), RefusalReason::BodyNotAllowed);
    check("lab_operate", body(r#""group=red-lab""#), RefusalReason::BodyNotAllowed);
    check("lab_operate", body("[]"), RefusalReason::ScopeMissing);
    let utf16 = Outgoing { body: r#"{"group":"prod"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect(), ..body("") };
    check("lab_operate", utf16, RefusalReason::BodyMalformed);
}

#[test]
fn another_group_in_a_form_a_path_or_a_header() {
    let form = |text: &str| form_body("/api/tags", text);
    for text in ["group=prod", "group=%70rod"] {
        check("lab_tag", form(text), RefusalReason::OutOfScope);
    }
    for text in ["group=", "group=red-lab%00", "group=red-lab+", "group=red%252dlab", "group=red-lab%0a"] {
        let expected = if text.contains("%00") { RefusalReason::BodyMalformed } else { RefusalReason::ScopeMalformed };
        check("lab_tag", form(text), expected);
    }
    for text in ["", "note=x", "Group=red-lab", "group[]=red-lab", "group%5B%5D=red-lab", "group.x=red-lab"] {
        check("lab_tag", form(text), RefusalReason::ScopeMissing);
    }
    for text in [
        "group=red-lab&group=prod",
        "group=red-lab&Group=prod",
        "group=red-lab&%67roup=prod",
        "group=red-lab&group[]=prod",
        "group=red-lab&group%5bx%5d=prod",
        "group=red-lab;group=prod&x",
        "group=red-lab&",
    ] {
        check("lab_tag", form(text), RefusalReason::BodyMalformed);
    }
    for text in ["group=red-lab&admin=1", "group=red-lab&ADMIN=1"] {
        check("lab_tag", form(text), RefusalReason::BodyNotAllowed);
    }
    // `;` separates pairs for some old servers. What is sent has none: it is part of the value, which is no name.
    check("lab_tag", form("group=red-lab;group=prod"), RefusalReason::ScopeMalformed);

    for (path, expected) in [
        ("/api/groups/prod", RefusalReason::OutOfScope),
        ("/api/groups/%70rod", RefusalReason::OutOfScope),
        ("/api/groups/red-lab%20", RefusalReason::ScopeMalformed),
        ("/api/groups/red-lab,prod", RefusalReason::ScopeMalformed),
        ("/api/groups/*", RefusalReason::ScopeMalformed),
        ("/api/groups/red-lab%2f..%2fprod", RefusalReason::PathMalformed),
        ("/api/groups/red-lab/../prod", RefusalReason::PathMalformed),
        ("/api/groups/", RefusalReason::NoContract),
    ] {
        check("lab_operate", request("DELETE", path), expected);
    }

    let header = |value: Option<&str>| {
        let mut asked = json_body("/api/run", "{}");
        asked.headers.extend(value.map(|value| ("x-group".to_owned(), value.as_bytes().to_vec())));
        asked
    };
    assert!(matches!(send("lab_replay", header(Some("red-lab"))), Verdict::Send(_)));
    check("lab_replay", header(Some("prod")), RefusalReason::OutOfScope);
    check("lab_replay", header(Some("red-lab, prod")), RefusalReason::ScopeMalformed);
    check("lab_replay", header(None), RefusalReason::ScopeMissing);
    let mut forbidden = header(Some("red-lab"));
    forbidden.body = br#"{"Extensions":{}}"#.to_vec();
    check("lab_replay", forbidden, RefusalReason::BodyNotAllowed);
}

#[test]
fn another_index_in_a_query() {
    let search = |query: &str| request("GET", &format!("/api/search/?{query}"));
    assert!(matches!(send("lab_search", search("index=web-1,web-*&count=50")), Verdict::Send(_)));
    for query in [
        "index=*&count=1",
        "index=web-1,secret&count=1",
        "index=web-1%2Csecret&count=1",
        "index=_all&count=1",
        "index=web-1&count=101",
    ] {
        check("lab_search", search(query), RefusalReason::OutOfScope);
    }
    for query in [
        "index=web-1&count=0",
        "index=web-1,&count=1",
        "index=-web-1&count=1",
        "index=other:web-1&count=1",
        "index=web-1+or+1&count=1",
    ] {
        check("lab_search", search(query), RefusalReason::ScopeMalformed);
    }
    for query in ["count=1", "index=web-1", "q=index%3Dweb-1&count=1"] {
        check("lab_search", search(query), RefusalReason::ScopeMissing);
    }
    check("lab_search", search("index=web-1&index=secret&count=1"), RefusalReason::QueryMalformed);
}

#[test]
fn frames_that_do_not_close() {
    for body in ["", "x", "--b\r\nx", "--b\r\n\r\nx\r\n--b--\r\nGET / HTTP/1.1\r\n"] {
        check("lab_tag", with_body("/api/files", "multipart/form-data; boundary=b", body), RefusalReason::BodyMalformed);
    }
    for content_type in
        ["multipart/form-data", "multipart/form-data; boundary=\"b\"", "multipart/form-data; boundary=b; boundary=c"]
    {
        check("lab_tag", with_body("/api/files", content_type, "--b\r\n\r\n\r\n--b--"), RefusalReason::ContentTypeMalformed);
    }
}
