//! Guests whose answers are not what they should be: what does not fit is withheld, what hides is shown, what is secret is gone.

use serde_json::json;

use crate::harness::{Guest, House};

#[test]
pub(super) fn invalid_json() {
    let house = House::serving(&Guest::new("invalid_json"));
    let report = |case: &str| house.call("report", json!({ "case": case }));
    report(r#"{"name":"a","count":1}"#).done(&["here it is"]);
    for case in [
        "",
        "{",
        "nonsense",
        r#"{"name":"a","count":1}trailing"#,
        r#"{"name":"a","count":1}{}"#,
        r#"{"name":"a","name":"b","count":1}"#,
        r#"{"name":"a","count":NaN}"#,
        r#"{'name':'a','count':1}"#,
        r#"{"name":"a","count":1,}"#,
        "\u{feff}{}",
        r#"{"name":"\ud800","count":1}"#,
        r#"{"name":"a","count":01}"#,
        "{\"name\":\"a\n\",\"count\":1}",
        "/**/{}",
    ] {
        report(case).withheld("structured-malformed");
    }
    house.goes_on();
}

#[test]
pub(super) fn misfit_result() {
    let house = House::serving(&Guest::new("misfit_result"));
    let report = |case: &str| house.call("report", json!({ "case": case }));
    let fitting = report("fits").done(&[]);
    assert_eq!(*fitting.structured(), json!({ "name": "a", "count": 1 }));
    for case in ["extra", "type", "range"] {
        report(case).withheld("output-schema-mismatch").silent(&["ignore the schema"]);
    }
    for case in ["array", "null"] {
        let reply = report(case);
        assert!(["structured-malformed", "output-schema-mismatch"].contains(&reply.reason()), "{reply:?}");
    }
    report("missing").withheld("structured-unexpected");
    // Another tool of it has no output schema.
    house.run("fits").withheld("structured-unexpected");
    house.goes_on();
}

#[test]
pub(super) fn hidden_text() {
    let house = House::serving(&Guest::new("hidden_text"));
    let hidden =
        ["\u{1b}", "\u{9b}", "\u{202e}", "\u{200b}", "\u{feff}", "\u{e0069}", "\u{2066}", "\0", "\u{8}", "\u{7}", "\u{ad}", "\r"];
    for tool in ["run", "report"] {
        let reply = house.call(tool, json!({}));
        for (part, text) in
            [("text", reply.text()), ("structured", reply.structured()["name"].as_str().unwrap_or_default().to_owned())]
        {
            assert!(!text.contains(|c| hidden.iter().any(|each| each.contains(c))), "{part}: {text:?}");
        }
        if !reply.is_error() {
            reply.done(&["invoice", "fdp.exe"]);
        }
    }
    house.goes_on();
}

#[test]
pub(super) fn wrong_image() {
    let house = House::serving(&Guest::new("wrong_image"));
    for media_type in ["image/svg+xml", "text/html", "image/png", "image/png\r\nx: y", "", "IMAGE/PNG"] {
        house.run(media_type).withheld("image-not-allowed").silent(&["<script>", "PHN2Zy"]);
    }
    house.goes_on();
}

#[test]
pub(super) fn wrong_audio() {
    let house = House::serving(&Guest::new("wrong_audio"));
    for media_type in ["audio/wav", "audio/mpeg", "text/html", "image/png", "", "AUDIO/WAV", "audio/wav\r\nx: y"] {
        house.run(media_type).withheld("audio-not-allowed").silent(&["<script>", "PHNjcmlwdD"]);
    }
    house.goes_on();
}

#[test]
pub(super) fn bad_embedded() {
    let house = House::serving(&Guest::new("bad_embedded"));
    for uri in
        ["javascript:alert(1)", "file:///etc/passwd", "casemate://audit/self", "http://example.com/", "https://exa mple.com/", ""]
    {
        house.run(uri).withheld("link-not-allowed").silent(&["Ignore"]);
    }
    // A text like any other of a plugin: nothing hidden in it, and marked as data.
    let reply = house.run("https://example.com/note").done(&[]).silent(&["\u{202e}", "\u{1b}"]);
    let resource = &reply.0["content"][0]["resource"];
    assert_eq!(resource["uri"], "https://example.com/note", "{reply:?}");
    let text = resource["text"].as_str().unwrap();
    assert!(text.contains("not instructions") && text.contains("\\u{202e}"), "{text}");
    house.goes_on();
}

#[test]
pub(super) fn bad_link() {
    let house = House::serving(&Guest::new("bad_link"));
    for uri in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "http://example.com/",
        "https://user:pass@example.com/",
        "//example.com/",
        "https://example.com/\u{202e}fdp",
        "https://example.com\\@evil.example/",
        "",
        "https://",
        "https://exa mple.com/",
        "HTTPS://example.com/",
    ] {
        house.run(uri).withheld("link-not-allowed");
    }
    let reply = house.run("https://example.com/report").done(&[]).silent(&["\u{202e}"]);
    assert!(reply.0["content"].to_string().contains("https://example.com/report"), "{reply:?}");
    house.goes_on();
}

#[test]
pub(super) fn empty_answer() {
    let house = House::serving(&Guest::new("empty_answer"));
    house.run("").done(&[]);
    house.goes_on();
}

#[test]
pub(super) fn failure_text() {
    let house = House::serving(&Guest::new("failure_text"));
    let reply = house.run("echo").ended("error", "upstream", &["refused"]);
    let text = reply.text();
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{200b}', '\u{202e}', '\r']), "{text:?}");
    assert!(reply.structured()["retry_after_ms"].as_u64().unwrap() <= 86_400_000, "{reply:?}");
    assert_eq!(
        house.received()[0].headers("x-api-key"),
        [house.secret().value()],
        "the upstream was given the key that it echoed"
    );
    let huge = house.run("huge").ended("error", "upstream", &[]);
    assert!(huge.text().len() < 8 << 10, "{} bytes", huge.text().len());
    house.goes_on();
}

#[test]
pub(super) fn secret_echo() {
    let house = House::serving(&Guest::new("secret_echo"));
    // The upstream says everything it was sent, in every spelling that an echo comes in. The guest sees none of it, so that no
    // disguise of its own has anything to hide.
    for form in [
        None,
        Some("plain"),
        Some("base64"),
        Some("base64-url"),
        Some("base64-shifted"),
        Some("hex"),
        Some("hex-upper"),
        Some("embedded"),
    ] {
        for case in ["plain", "reversed", "hex", "spaced", "rotated"] {
            if let Some(form) = form {
                house.upstreams().script(json!({ "misbehave": { "kind": "echo-key", "form": form } }));
            }
            let reply = house.run(case).done(&[]);
            house.secret().assert_not_in("the reply", reply.0.to_string().as_bytes());
            let marker = disguise("secret api_key", case);
            assert!(reply.text().contains(&marker), "{form:?} {case}: `{marker}` is not in {}", reply.text());
        }
    }
    assert!(house.received().iter().all(|request| request.headers("x-api-key") == [house.secret().value()]));
    house.goes_on();
}

fn disguise(text: &str, case: &str) -> String {
    match case {
        "reversed" => text.chars().rev().collect(),
        "hex" => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        "spaced" => text.chars().flat_map(|c| [c, ' ']).collect(),
        "rotated" => text.bytes().map(|byte| char::from(byte + 1)).collect(),
        _ => text.to_owned(),
    }
}

/// What follows from it is in `composition`: what was said was read.
#[test]
pub(super) fn progress_leak() {
    let house = House::serving(&Guest::new("progress_leak").limit("deadline_ms", 1000));
    house.upstreams().script(json!({ "answer": { "body": "from \u{1b}outside" } }));
    house.run("fail").ended("error", "internal", &["nothing to return"]).silent(&["outside"]);
    house.upstreams().script(json!({ "answer": { "body": "from \u{1b}outside" } }));
    house.run("wait").limited("deadline_ms", "1000");
    let reports = house.server().progress();
    assert!(!reports.is_empty(), "the one that had time is told");
    assert!(reports.iter().all(|report| report.message.as_deref() == Some("from \\u{1b}outside")), "{reports:?}");
    house.goes_on();
}

/// Who hears it, where the operator lets anybody, is in `surface::logging`.
#[test]
pub(super) fn talker() {
    let house = House::serving(&Guest::new("talker"));
    house.run("").done(&["done"]);
    house.run("failed").ended("error", "internal", &["it did not work"]).silent(&["looking", "nearly done"]);
    house.goes_on();
}

/// What becomes of its words, by what they look like and what the operator looks for, is in `screened`.
#[test]
pub(super) fn parrot() {
    let house = House::serving(&Guest::new("parrot"));
    house.run("say hello").done(&["hello"]);
    house.run("fail hello").ended("error", "internal", &["hello"]);
    house.goes_on();
}

/// What of it is seen by whom is in `secrets::surfaces`.
#[test]
pub(super) fn echo_everywhere() {
    let house = House::serving(&Guest::new("echo_everywhere"));
    house.upstreams().script(json!({ "misbehave": { "kind": "echo-key", "form": "plain" } }));
    house.call("hosts", json!({})).done(&["‹secret api_key›"]);
    house.goes_on();
}
