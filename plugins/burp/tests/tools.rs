//! The tools against a scripted Burp: what they ask, what they make of the answer, and what they never ask.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use casemate_burp::TOOLS;
use casemate_plugin::{
    Context, Failure, FailureKind, Outcome, SendError,
    testing::{Answer, Recorded, ScriptedUpstream, answer, check, fault, post},
};
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: app.test\r\nCookie: sid=s3cr3t\r\n\r\n";
const CHANGES: [&str; 2] = ["replay_request", "create_repeater_tab"];

fn call(tool: &str, arguments: &Value, upstream: &ScriptedUpstream) -> Result<Outcome, Failure> {
    casemate_plugin::testing::call(TOOLS, tool, arguments, &Context::scripted([upstream]))
}

fn history(reply: Answer) -> Result<Outcome, Failure> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "get_proxy_http_history", "arguments": { "count": 10, "offset": 0 } } });
    let upstream = ScriptedUpstream::new("burp").expect(post("/").json(body).timeout(Duration::from_secs(20)), reply);
    call("get_proxy_history", &json!({}), &upstream)
}

fn said(text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": text }], "isError": false } })
}

fn item(request: &str) -> String {
    json!({ "request": request, "response": "HTTP/1.1 200 OK\r\n\r\n", "notes": null }).to_string()
}

/// Burp, which says this when it is asked for the recorded request.
fn recorded(text: &str) -> ScriptedUpstream {
    let is_read = |body: &[u8]| {
        let body: Value = serde_json::from_slice(body).unwrap();
        body["params"] == json!({ "name": "get_proxy_http_history", "arguments": { "count": 1, "offset": 4 } })
    };
    ScriptedUpstream::new("burp").expect(post("/").body_that(is_read), answer(200).json(&said(text)))
}

/// A call of one of the tools that do something, with something else to it.
fn arguments(tool: &str, besides: Value) -> Value {
    let mut arguments = json!({ "number": 4, "host": "app.test", "port": 443 });
    if tool == "create_repeater_tab" {
        arguments["title"] = json!("look at a");
    }
    arguments.as_object_mut().unwrap().extend(besides.as_object().unwrap().clone());
    arguments
}

#[test]
fn packs() {
    assert_eq!(check(TOOLS), Vec::<String>::new());
    let described = casemate_plugin::describe(TOOLS);
    let effects: Vec<_> =
        described.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["effect"].as_str().unwrap())).collect();
    let expected = [
        ("get_proxy_history", "read"),
        ("get_scanner_issues", "read"),
        ("replay_request", "execute"),
        ("create_repeater_tab", "write"),
    ];
    assert_eq!(effects, expected);
}

#[test]
fn recorded_cases() {
    for case in Recorded::all(RECORDED).into_iter().filter(Recorded::plays_natively) {
        case.replay(TOOLS);
    }
}

#[test]
fn what_is_no_answer_is_none() {
    let error = |code: i32| answer(200).json(&json!({ "id": 1, "error": { "code": code, "message": "ignore" } }));
    for (reply, kind) in [
        (answer(200).body(""), FailureKind::Upstream),
        (answer(200).body("{\"id\": 1"), FailureKind::Upstream),
        (answer(200).json(&json!({ "id": 2, "result": said("x")["result"] })), FailureKind::Upstream),
        (answer(200).json(&json!({ "id": "1", "result": said("x")["result"] })), FailureKind::Upstream),
        (answer(200).json(&json!({ "id": 1, "result": {} })), FailureKind::Upstream),
        (answer(200).json(&json!([said("x")])), FailureKind::Upstream),
        (answer(200).json(&json!({ "id": 1, "error": { "message": "ignore" } })), FailureKind::Upstream),
        (error(-32_602), FailureKind::Upstream),
        (error(-32_603), FailureKind::Upstream),
        (answer(202), FailureKind::Upstream),
        (answer(403), FailureKind::Unauthorized),
        (answer(404), FailureKind::Upstream),
        (answer(429), FailureKind::RateLimited),
        (answer(502), FailureKind::Unavailable),
        (fault(SendError::Broken("burp")), FailureKind::Upstream),
        (fault(SendError::TimedOut("burp")), FailureKind::Unavailable),
        (fault(SendError::Unreachable("burp")), FailureKind::Unavailable),
    ] {
        let failure = history(reply).unwrap_err();
        assert!(failure.kind() == kind && !failure.message().contains("ignore"), "{failure}");
    }
}

#[test]
fn items_are_bounded_plain_and_without_credentials() {
    let item = json!({ "request": format!("GET /{} HTTP/1.1\r\nCookie: a=s3cr3t\r\n\r\n\u{202e}", "x".repeat(9_000)), "notes": "key=s3cr3t\u{1b}" });
    let outcome = history(answer(200).json(&said(&vec![item.to_string(); 60].join("\n\n")))).unwrap();
    let items: Value = serde_json::from_str(&outcome.structured).unwrap();
    assert_eq!(items["items"].as_array().unwrap().len(), 10, "no more than was asked for");
    assert!(items["items"][0]["request"].as_str().unwrap().chars().count() <= 3_000);
    assert!(!outcome.structured.contains("s3cr3t") && !outcome.structured.contains(['\u{202e}', '\u{1b}']));
    assert_eq!(history(answer(200).json(&said("nothing of the kind"))).unwrap().text, "0 requests");
}

/// Where it goes is what the recorded request names; what the caller says has to be the same.
#[test]
fn what_is_no_request_to_there_is_not_sent() {
    let length = |body: &str| format!("POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\n{body}");
    for (request, why) in [
        (REQUEST.replace("app.test", "bank.example"), "names `bank.example:443`"),
        (REQUEST.replace("app.test", "app.test:80"), "names `app.test:80`"),
        (REQUEST.replace("app.test", "app.test@bank.example"), "names `app.test@bank.example"),
        (REQUEST.replace("Cookie", "Host"), "several"),
        (REQUEST.replace("Host", "X-Host"), "no `Host`"),
        (REQUEST.replace("/a", "http://bank.example/a"), "names a host"),
        (REQUEST.replace("/a", "//bank.example/a"), "names a host"),
        (REQUEST.replace("s3cr3t", "x\rHost: bank.example"), "half of the end"),
        (REQUEST.replace("s3cr3t", "x\\r\\nHost: bank.example"), "a backslash"),
        (REQUEST.replace("s3cr3t", "é"), "beyond ASCII"),
        (REQUEST.replace("HTTP/1.1", "HTTP/3"), "first line"),
        (REQUEST.replace("Cookie: ", "Transfer-Encoding: "), "Transfer-Encoding"),
        (length("abcd"), "as long as it says"),
        (length("a\nb"), "line ends"),
        (length("a\\n"), "line ends"),
        ("<no request>".to_owned(), "no `Host`"),
    ] {
        for tool in CHANGES {
            let failure = call(tool, &arguments(tool, json!({})), &recorded(&item(&request))).unwrap_err();
            let message = failure.message();
            assert_eq!(failure.kind(), FailureKind::InvalidArguments, "{request}: {failure}");
            assert!(message.starts_with("nothing was sent") && message.contains(why), "{request}: {message}");
        }
    }
    for (text, kind) in [
        (format!("{}\n\n{}", item(REQUEST), item(REQUEST)), FailureKind::Upstream),
        ("{\"other\": \"GET / HTTP/1.1\"}".to_owned(), FailureKind::Upstream),
        ("Reached end of items".to_owned(), FailureKind::NotFound),
        ("HTTP history access denied by Burp Suite".to_owned(), FailureKind::Unauthorized),
        (format!("{}... (truncated)", &item(REQUEST)[..30]), FailureKind::InvalidArguments),
    ] {
        for tool in CHANGES {
            assert_eq!(call(tool, &arguments(tool, json!({})), &recorded(&text)).unwrap_err().kind(), kind, "{text}");
        }
    }
}

/// Burp may be read before a change turns out not to be one that can be sent; never after.
#[test]
fn what_cannot_be_changed_is_not_sent() {
    let jwt = format!("eyJ{0}.eyJ{0}.{0}", "hbGciOiJI".repeat(3));
    for tool in CHANGES {
        for besides in [
            json!({ "query": [{ "name": "api_key", "value": "x" }] }),
            json!({ "headers": { "accept": jwt } }),
            json!({ "path": format!("/{jwt}") }),
            json!({ "body": format!("a={jwt}") }),
        ] {
            let none = ScriptedUpstream::new("burp");
            let failure = call(tool, &arguments(tool, besides), &none).unwrap_err();
            assert!(failure.message().contains("nothing was sent") && !failure.message().contains(&jwt), "{failure}");
        }
        for (besides, why) in [
            (json!({ "headers": { "accept": "a\\r\\nHost: bank.example" } }), "a backslash"),
            (json!({ "headers": { "accept": "\\n" } }), "a backslash"),
            (json!({ "body": "x" }), "without a body"),
            (json!({ "https": false }), "names `app.test:80`"),
        ] {
            let failure = call(tool, &arguments(tool, besides.clone()), &recorded(&item(REQUEST))).unwrap_err();
            assert!(failure.message().contains(why), "{besides}: {failure}");
        }
        let form = item("POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\n\r\na");
        for (body, why) in [("é", "beyond ASCII"), ("{\"a\": \"b\\nc\"}", "line ends"), ("a\\r\\nb", "line ends")] {
            let failure = call(tool, &arguments(tool, json!({ "body": body })), &recorded(&form)).unwrap_err();
            assert!(failure.message().contains(why), "{body}: {failure}");
        }
    }
    let title = arguments("create_repeater_tab", json!({ "title": format!("AKIA{}", "A1B2C3D4".repeat(2)) }));
    let failure = call("create_repeater_tab", &title, &ScriptedUpstream::new("burp")).unwrap_err();
    assert!(failure.message().contains("the title holds"), "{failure}");
}

#[test]
fn a_body_of_several_lines_is_as_long_as_it_is_sent() {
    let form = item("POST /a HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1\r\n\r\na");
    let is_sent = |body: &[u8]| {
        let body: Value = serde_json::from_slice(body).unwrap();
        body["params"]["arguments"]["content"] == "POST /a HTTP/1.1\r\nHost: app.test\r\ncontent-length: 4\r\n\r\na\r\nb"
    };
    let upstream = recorded(&form).expect(post("/").body_that(is_sent), answer(200).json(&said("<no response>")));
    let outcome = call("replay_request", &arguments("replay_request", json!({ "body": "a\nb" })), &upstream).unwrap();
    assert!(outcome.text.ends_with("copy of 4: no response"), "{}", outcome.text);
}

#[test]
fn a_change_of_which_nobody_knows_is_not_made_again() {
    for tool in CHANGES {
        for reply in [
            answer(500),
            answer(200).body("<html>"),
            answer(200).json(&json!({})),
            answer(200).json(&json!({ "id": 7, "result": said("Executed tool")["result"] })),
            answer(200).json(&json!({ "id": 1, "result": { "content": [{ "text": "Error: ignore" }], "isError": true } })),
            answer(200).json(&json!({ "id": 1, "error": { "code": -32_603, "message": "ignore" } })),
            fault(SendError::TimedOut("burp")),
            fault(SendError::Broken("burp")),
            fault(SendError::TooLarge("burp")),
        ] {
            let upstream = recorded(&item(REQUEST)).expect(post("/").body_that(|_| true), reply);
            let failure = call(tool, &arguments(tool, json!({})), &upstream).unwrap_err();
            assert_eq!((failure.kind(), failure.code()), (FailureKind::Upstream, Some("outcome-unknown")), "{failure}");
            assert!(!failure.message().contains("ignore"), "{failure}");
        }
        for (reply, kind) in [
            (answer(200).json(&said("Send HTTP request denied by Burp Suite")), FailureKind::Unauthorized),
            (answer(200).json(&json!({ "id": 1, "error": { "code": -32_602, "message": "x" } })), FailureKind::Upstream),
            (answer(403), FailureKind::Unauthorized),
            (answer(404), FailureKind::Upstream),
            (fault(SendError::Unreachable("burp")), FailureKind::Unavailable),
            (fault(SendError::Refused), FailureKind::Internal),
        ] {
            let upstream = recorded(&item(REQUEST)).expect(post("/").body_that(|_| true), reply);
            let failure = call(tool, &arguments(tool, json!({})), &upstream).unwrap_err();
            assert_eq!((failure.kind(), failure.code()), (kind, None), "{failure}");
        }
    }
    let upstream = recorded(&item(REQUEST)).expect(post("/").body_that(|_| true), answer(200).json(&said("who knows")));
    let failure = call("replay_request", &arguments("replay_request", json!({})), &upstream).unwrap_err();
    assert_eq!(failure.code(), Some("outcome-unknown"), "{failure}");
}

/// A target may say that Burp denied it, or what Burp writes around a response.
#[test]
fn what_a_target_answers_is_only_an_answer() {
    for body in ["Send HTTP request denied by Burp Suite", ", messageAnnotations=Annotations{}}", "}", "Error: x"] {
        let response = format!("HTTP/1.1 200 OK\r\nSet-Cookie: a=s3cr3t\r\n\r\n{body}\u{202e}");
        let text = format!(
            "HttpRequestResponse{{httpRequest={REQUEST}, httpResponse={response}, messageAnnotations=Annotations{{comment='', highlightColor=NONE}}}}"
        );
        let upstream = recorded(&item(REQUEST)).expect(post("/").body_that(|_| true), answer(200).json(&said(&text)));
        let outcome = call("replay_request", &arguments("replay_request", json!({})), &upstream).unwrap();
        let report: Value = serde_json::from_str(&outcome.structured).unwrap();
        let shown = format!("HTTP/1.1 200 OK\nSet-Cookie: a=‹redacted›\n\n{body}\u{fffd}");
        assert_eq!((&report["status"], &report["response"]), (&json!(200), &json!(shown)));
        assert!(!outcome.text.contains("s3cr3t"), "{}", outcome.text);
    }
    let long =
        format!("HttpRequestResponse{{httpRequest={REQUEST}, httpResponse=HTTP/1.1 200 OK\r\n\r\n{}}}", "é".repeat(100_000));
    let upstream = recorded(&item(REQUEST)).expect(post("/").body_that(|_| true), answer(200).json(&said(&long)));
    let outcome = call("replay_request", &arguments("replay_request", json!({})), &upstream).unwrap();
    let report: Value = serde_json::from_str(&outcome.structured).unwrap();
    assert_eq!(report["response"].as_str().unwrap().chars().count(), 8_000);
}
