//! A small plugin, from its functions to its description and its calls.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use casemate_plugin::{
    Context, Failure, FailureKind, Level, Multipart, Readable, SendError,
    field::{FileHash, List, Name},
    path, plugin,
    testing::{ScriptedUpstream, answer, call, check, fault, get, post},
    tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
struct FileReport {
    /// The file's digest.
    hash: FileHash,
    /// Only these engines.
    #[serde(default)]
    engines: Option<List<Name, 3>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Report {
    verdict: String,
}

impl Readable for Report {
    fn text(&self) -> String {
        format!("verdict: {}", self.verdict)
    }
}

/// Look a file up
/// by its hash.
#[tool(effect = read, idempotent)]
fn file_report(args: FileReport, cx: &Context) -> Result<Report, Failure> {
    let mut request = cx.upstream("files").get(path!("/v1/files/{}", args.hash));
    for engine in args.engines.iter().flat_map(List::as_slice) {
        request = request.query("engine", engine);
    }
    request.send()?.json()
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize)]
struct Settings {
    folder: String,
}

/// Send a note, and say how far it has come.
#[tool(effect = write, title = "Send it")]
fn send_note(_: Nothing, cx: &Context) -> Result<Report, Failure> {
    let Settings { folder } = cx.settings()?;
    cx.log(Level::Info, "sending");
    cx.progress(1, Some(2), "half");
    let files = cx.upstream("files");
    files.post(path!("/notes")).json(&json!({ "folder": folder })).header("X-Trace", 7).send()?.success()?;
    files.post(path!("/form")).form([("a", "1&2"), ("b", "")]).send()?.success()?;
    files.post(path!("/file")).multipart(Multipart::new().file("file", "a.txt", b"hi".to_vec())).send()?.text()?;
    Ok(Report { verdict: "sent".to_owned() })
}

/// Fall over.
#[tool(effect = read)]
fn fall_over(_: Nothing, _: &Context) -> Result<Report, Failure> {
    panic!("not caught, this would end the test");
}

plugin!(file_report, send_note, fall_over);

const HASH: &str = "44d88612fea8a8f36de82e1278abb02f";

#[test]
fn describes_itself() {
    let described = casemate_plugin::describe(TOOLS);
    let expected = json!({
        "name": "file_report",
        "title": "File report",
        "description": "Look a file up by its hash.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "hash": {
                    "description": "The file's digest.", "type": "string", "minLength": 32, "maxLength": 64,
                    "pattern": "^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
                },
                "engines": {
                    "description": "Only these engines.", "type": "array", "maxItems": 3,
                    "items": { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]{1,64}$" },
                },
            },
            "required": ["hash"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object", "properties": { "verdict": { "type": "string" } }, "required": ["verdict"], "additionalProperties": false,
        },
        "effect": "read",
        "idempotent": true,
    });
    assert_eq!(described[0], expected);
    assert_eq!(
        (&described[1]["title"], &described[1]["effect"], &described[1]["idempotent"]),
        (&json!("Send it"), &json!("write"), &json!(false))
    );
    assert_eq!(described[1]["inputSchema"]["additionalProperties"], json!(false));
    assert_eq!(check(TOOLS), Vec::<String>::new());
}

#[test]
fn answers_twice() {
    let files = ScriptedUpstream::new("files").expect(
        get(&format!("/v1/files/{HASH}")).query("engine", "a").query("engine", "b"),
        answer(200).json(&json!({ "verdict": "malicious" })),
    );
    let outcome =
        call(TOOLS, "file_report", &json!({ "hash": HASH.to_uppercase(), "engines": ["a", "b"] }), &Context::scripted([&files]))
            .unwrap();
    assert_eq!(outcome.text, "verdict: malicious");
    assert_eq!(serde_json::from_str::<Value>(&outcome.structured).unwrap(), json!({ "verdict": "malicious" }));
}

#[test]
fn sends_bodies_and_reports() {
    let files = ScriptedUpstream::new("files")
        .expect(
            post("/notes").header("x-trace", "7").header("content-type", "application/json").json(json!({ "folder": "in" })),
            answer(201),
        )
        .expect(post("/form").body("a=1%262&b="), answer(204))
        .expect(post("/file").body_that(|body| body.windows(4).any(|it| it == b"hi\r\n")), answer(200).body("ok"));
    let cx = Context::scripted([&files]).with_settings(&json!({ "folder": "in" }));
    assert_eq!(call(TOOLS, "send_note", &json!({}), &cx).unwrap().text, "verdict: sent");
    assert_eq!(cx.lines(), [(Level::Info, "sending".to_owned())]);
    assert_eq!(cx.reports(), [(1, Some(2), "half".to_owned())]);
}

#[test]
fn arguments_that_do_not_fit_never_reach_the_tool() {
    let cx = Context::scripted([]);
    for bad in [
        json!({}),
        json!([]),
        json!({ "hash": "x" }),
        json!({ "hash": HASH, "more": 1 }),
        json!({ "hash": HASH, "engines": ["a", "b", "c", "d"] }),
        json!({ "hash": HASH, "engines": null }),
        json!({ "hash": HASH, "engines": ["a/b"] }),
    ] {
        assert_eq!(call(TOOLS, "file_report", &bad, &cx).unwrap_err().kind(), FailureKind::InvalidArguments, "{bad}");
    }
}

#[test]
fn faults_become_failures() {
    for (given, kind) in [
        (answer(404), FailureKind::NotFound),
        (answer(401), FailureKind::Unauthorized),
        (answer(429).header("Retry-After", "7"), FailureKind::RateLimited),
        (answer(500), FailureKind::Unavailable),
        (answer(200).body("<html>"), FailureKind::Upstream),
        (answer(200).body("{\"verdict\": \"mal"), FailureKind::Upstream),
        (fault(SendError::Refused), FailureKind::Internal),
        (fault(SendError::Unreachable("files")), FailureKind::Unavailable),
        (fault(SendError::TimedOut("files")), FailureKind::Unavailable),
        (fault(SendError::TooLarge("files")), FailureKind::Upstream),
    ] {
        let files = ScriptedUpstream::new("files").expect(get(&format!("/v1/files/{HASH}")), given);
        let failure = call(TOOLS, "file_report", &json!({ "hash": HASH }), &Context::scripted([&files])).unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
        assert_eq!(failure.retry_after().is_some(), kind == FailureKind::RateLimited);
    }
    let refused = Failure::from(SendError::Refused);
    assert_eq!(refused.message(), "the host refused the request");
}

#[test]
fn a_panic_stays_inside() {
    let failure = call(TOOLS, "fall_over", &json!({}), &Context::scripted([])).unwrap_err();
    assert_eq!((failure.kind(), failure.message()), (FailureKind::Internal, "`fall_over` panicked"));
    assert_eq!(call(TOOLS, "other", &json!({}), &Context::scripted([])).unwrap_err().kind(), FailureKind::Internal);
}

#[test]
fn a_value_that_is_no_segment_is_not_sent() {
    let cx = Context::scripted([]);
    for bad in ["", ".", ".."] {
        let error = cx.upstream("files").get(path!("/v1/{}", bad)).send().unwrap_err();
        assert_eq!(Failure::from(error).kind(), FailureKind::InvalidArguments);
    }
    let error = cx.upstream("files").get(path!("/")).header("x", "a\r\nhost: evil").send().unwrap_err();
    assert!(matches!(error, SendError::Invalid(_)));
}

#[test]
#[should_panic(expected = "the request was not expected: GET /v1/other")]
fn a_script_notices_what_it_did_not_expect() {
    let files = ScriptedUpstream::new("files");
    let _ = Context::scripted([&files]).upstream("files").get(path!("/v1/other")).send();
}

#[test]
#[should_panic(expected = "the request was never sent: GET /v1/x?a=1")]
fn a_script_notices_what_did_not_come() {
    let _files = ScriptedUpstream::new("files").expect(get("/v1/x").query("a", "1"), answer(200));
}

#[test]
#[should_panic(expected = "but the body is another one: {\"b\":2}")]
fn a_script_notices_another_body() {
    let files = ScriptedUpstream::new("files").expect(post("/x").json(json!({ "b": 1 })), answer(200));
    let _ = Context::scripted([&files]).upstream("files").post(path!("/x")).json(&json!({ "b": 2 })).send();
}

#[test]
fn a_script_takes_the_timeout_it_expects_and_any_where_it_names_none() {
    let second = Duration::from_secs(1);
    let files = ScriptedUpstream::new("files").expect(get("/x").timeout(second), answer(200)).expect(get("/x"), answer(200));
    let cx = Context::scripted([&files]);
    for _ in 0..2 {
        assert!(cx.upstream("files").get(path!("/x")).timeout(second).send().is_ok());
    }
}

#[test]
#[should_panic(expected = "but its timeout is None")]
fn a_script_notices_a_missing_timeout() {
    let files = ScriptedUpstream::new("files").expect(get("/x").timeout(Duration::from_secs(1)), answer(200));
    let _ = Context::scripted([&files]).upstream("files").get(path!("/x")).send();
}

mod unpackable {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    struct Loose {
        #[expect(dead_code, reason = "only its schema matters")]
        text: String,
        #[expect(dead_code, reason = "only its schema matters")]
        list: Vec<bool>,
        #[expect(dead_code, reason = "only its schema matters")]
        number: u64,
        #[expect(dead_code, reason = "only its schema matters")]
        real: f64,
        #[expect(dead_code, reason = "only its schema matters")]
        map: BTreeMap<String, bool>,
        #[expect(dead_code, reason = "only its schema matters")]
        any: Value,
    }

    /// Too loose to be packed.
    #[tool(effect = read)]
    fn loose(_: Loose, _: &Context) -> Result<Report, Failure> {
        Err(Failure::internal("never called"))
    }

    plugin!(loose, loose);

    #[test]
    fn what_packing_would_refuse_is_said_here() {
        let faults = check(TOOLS).join("\n");
        for expected in [
            "loose: two tools have this name",
            "loose: inputSchema/text: a string needs `maxLength`",
            "loose: inputSchema/list: an array needs `maxItems`",
            "loose: inputSchema/number: an integer needs `minimum` and `maximum`",
            "loose: inputSchema/real: floating-point numbers",
            "loose: inputSchema/map: an object may not be a map",
            "loose: inputSchema/any: accepts anything",
        ] {
            assert!(faults.contains(expected), "{expected} in {faults}");
        }
    }
}
