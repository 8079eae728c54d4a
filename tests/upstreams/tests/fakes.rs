//! The fakes, asked over real sockets by a client that sends and reads bytes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use casemate_upstreams::misbehaviour::Kind;
use casemate_upstreams::virustotal::Code;
use casemate_upstreams::{Settings, caldera, limacharlie, mitmproxy, sentinel, start, stratus, winrm};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use client::{Answer, Fakes, KEY};

const EICAR: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

impl Answer {
    fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap().to_owned())
    }
}

impl Fakes {
    fn get(&self, path: &str) -> Answer {
        self.send("virustotal", "GET", path, &format!("x-apikey: {KEY}\r\n"), b"")
    }

    fn script(&self, script: &Value) -> Answer {
        self.send("control", "POST", "/_casemate/script", "", script.to_string().as_bytes())
    }
}

#[test]
fn without_the_right_key_nothing_is_answered() {
    let fakes = Fakes::new();
    for (header, code, message) in [
        ("", "AuthenticationRequiredError", "X-Apikey header is missing"),
        ("x-apikey: \r\n", "AuthenticationRequiredError", "X-Apikey header is missing"),
        ("x-apikey: another\r\n", "WrongCredentialsError", "Wrong API key"),
        ("authorization: Bearer test-key-1\r\n", "AuthenticationRequiredError", "X-Apikey header is missing"),
    ] {
        for path in [&format!("/api/v3/files/{EICAR}"), "/api/v3/nothing", "/"] {
            let answer = fakes.send("virustotal", "GET", path, header, b"");
            assert_eq!(answer.status, 401, "{header}{path}");
            assert_eq!(answer.json(), json!({ "error": { "code": code, "message": message } }), "{header}{path}");
        }
    }
}

/// mitmweb's own paths change nothing without a browser's cookie; the two of casemate.py need the password alone.
#[test]
fn mitmproxy_replays_a_copy_of_what_is_stored() {
    let fakes = Fakes::new();
    let key = format!("Authorization: Bearer {}\r\n", mitmproxy::DEFAULT_KEY);
    let send = |method: &str, path: &str, headers: &str, body: &Value| {
        let headers = format!("{headers}Content-Type: application/json\r\n");
        fakes.send("mitmproxy", method, path, &headers, body.to_string().as_bytes())
    };
    let flow = "/casemate/flows/6c386939-a24c-4072-b140-000000000000";
    assert_eq!(fakes.send("mitmproxy", "GET", "/flows", "", b"").status, 403);
    assert_eq!(fakes.send("mitmproxy", "GET", "/flows", &key, b"").json().as_array().unwrap().len(), 6);
    assert_eq!(send("POST", "/flows/6c386939-a24c-4072-b140-000000000000/replay", &key, &json!({})).status, 403);
    let described = fakes.send("mitmproxy", "GET", flow, &key, b"").json();
    let stored = json!({ "method": described["method"], "target": described["target"] });
    for (order, status) in [
        (json!({}), 400),
        (json!({ "method": "GET", "target": "http://127.0.0.1:9000", "host": "x" }), 400),
        (json!({ "method": "GET", "target": "https://bank.example" }), 409),
        (stored.clone(), 200),
    ] {
        assert_eq!(send("POST", &format!("{flow}/replay"), &key, &order).status, status, "{order}");
    }
    assert_eq!(send("POST", &format!("{flow}/replay"), "", &stored).status, 403);
    let flows = fakes.send("mitmproxy", "GET", "/flows", &key, b"").json();
    assert_eq!((&flows[0]["is_replay"], &flows[6]["is_replay"]), (&json!(null), &json!("request")));
}

#[test]
fn every_kind_of_object_is_found_by_every_name_it_has() {
    let fakes = Fakes::new();
    let origin = &fakes.origins["virustotal"];
    // base64url of `https://www.google.com/` and of the same without its path, which is the same URL.
    let google = "d0e196a0c25d35dd0a84593cbae0f38333aa58529936444ea26453eab28dfc86";
    for (path, kind, id) in [
        (format!("files/{EICAR}"), "file", EICAR),
        ("files/44d88612fea8a8f36de82e1278abb02f".into(), "file", EICAR),
        ("files/3395856CE81F2B7382DEE72602F798B642F14140".into(), "file", EICAR),
        ("urls/aHR0cHM6Ly93d3cuZ29vZ2xlLmNvbS8".into(), "url", google),
        ("urls/aHR0cHM6Ly93d3cuZ29vZ2xlLmNvbQ".into(), "url", google),
        (format!("urls/{google}"), "url", google),
        ("ip_addresses/8.8.8.8".into(), "ip_address", "8.8.8.8"),
        ("ip_addresses/2001:4860:4860:0::8888".into(), "ip_address", "2001:4860:4860::8888"),
        ("domains/GOOGLE.com".into(), "domain", "google.com"),
    ] {
        let answer = fakes.get(&format!("/api/v3/{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        let data = &answer.json()["data"];
        assert_eq!((&data["type"], &data["id"]), (&json!(kind), &json!(id)), "{path}");
        assert!(data["links"]["self"].as_str().unwrap().starts_with(&format!("{origin}/api/v3/")), "{path}");
        let results = data["attributes"]["last_analysis_results"].as_object().unwrap();
        let stats = data["attributes"]["last_analysis_stats"].as_object().unwrap();
        assert!(results.len() >= 70, "{path}: {} engines", results.len());
        assert_eq!(
            stats.values().map(|count| count.as_u64().unwrap()).sum::<u64>(),
            results.len() as u64,
            "{path}: counts add up"
        );
        for (category, count) in stats {
            let of = results.values().filter(|result| result["category"] == json!(category)).count();
            assert_eq!(count, &json!(of), "{path}: {category}");
        }
    }
}

#[test]
fn what_is_not_there_says_so_as_documented() {
    let fakes = Fakes::new();
    for (path, status, code, message) in [
        ("files/00000000000000000000000000000000", 404, "NotFoundError", "File \"00000000000000000000000000000000\" not found"),
        ("urls/thisurlidmakesnosenseatall", 404, "NotFoundError", "URL \"thisurlidmakesnosenseatall\" not found"),
        ("domains/never-seen.example.org", 404, "NotFoundError", "Domain \"never-seen.example.org\" not found"),
        ("domains/nodots", 400, "InvalidArgumentError", "\"nodots\" is not a valid domain pattern"),
        ("ip_addresses/8.8.8", 400, "InvalidArgumentError", "\"8.8.8\" is not a valid IP address"),
        ("analyses/none", 404, "NotFoundError", "Analysis \"none\" not found"),
        (
            "domains/google.com/no_such",
            400,
            "InvalidArgumentError",
            "Invalid relationship \"no_such\" for object type \"domain\"",
        ),
        ("search", 400, "BadRequestError", "Missing query parameter: query"),
        ("search?query=content:%22ab%22", 400, "UnselectiveContentQueryError", "Content search query is not selective enough"),
        ("search?query=content:%22a.*b%22", 400, "UnsupportedContentQueryError", "Unsupported content search query"),
        ("intelligence/search?query=x", 403, "ForbiddenError", "You are not authorized to perform the requested operation"),
        ("elsewhere", 404, "NotFoundError", "Resource not found."),
    ] {
        let answer = fakes.get(&format!("/api/v3/{path}"));
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json(), json!({ "error": { "code": code, "message": message } }), "{path}");
    }
}

#[test]
fn every_documented_error_can_be_had_by_domain_by_hash_and_by_script() {
    let fakes = Fakes::new();
    for code in Code::ALL {
        let expected = (code.status(), code.name().to_owned());
        let domain = format!("/api/v3/domains/{}.errors.example.org", code.name().to_lowercase());
        assert_eq!(fakes.get(&domain).error(), expected);
        let hash: String = Sha256::digest(code.name()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(fakes.get(&format!("/api/v3/files/{hash}")).error(), expected);
        let script = json!({ "upstream": "virustotal", "error": code.name(), "path": "/api/v3/ip_addresses/" });
        assert_eq!(fakes.script(&script).status, 204);
        assert_eq!(fakes.get("/api/v3/domains/google.com").status, 200, "the script is for another path");
        assert_eq!(fakes.get("/api/v3/ip_addresses/8.8.8.8").error(), expected);
        assert_eq!(fakes.get("/api/v3/ip_addresses/8.8.8.8").status, 200, "the script was for one request");
    }
}

#[test]
fn scripts_that_say_nothing_clear_are_refused() {
    let fakes = Fakes::new();
    for script in [
        json!({ "upstream": "virustotal" }),
        json!({ "upstream": "nowhere", "error": "ForbiddenError" }),
        json!({ "upstream": "virustotal", "error": "NoSuchError" }),
        json!({ "upstream": "echo", "error": "ForbiddenError" }),
        json!({ "upstream": "virustotal", "error": "ForbiddenError", "misbehave": { "kind": "reset" } }),
        json!({ "upstream": "virustotal", "misbehave": { "kind": "no-such" } }),
        json!({ "upstream": "virustotal", "misbehave": { "kind": "reset", "typo": 1 } }),
        json!({ "upstream": "virustotal", "answer": {}, "tmies": 2 }),
    ] {
        assert_eq!(fakes.script(&script).status, 400, "{script}");
    }
    let answer = json!({ "status": 418, "headers": [["x-a", "b"]], "body": { "tea": true } });
    assert_eq!(fakes.script(&json!({ "upstream": "echo", "times": 2, "answer": answer })).status, 204);
    for status in [418, 418, 200] {
        assert_eq!(fakes.send("echo", "GET", "/", "", b"").status, status);
    }
}

#[test]
fn the_quota_refuses_the_call_after_the_last() {
    let fakes = Fakes::with_quota(Some(2));
    assert_eq!(fakes.get("/api/v3/domains/google.com").status, 200);
    let wrong = fakes.send("virustotal", "GET", "/api/v3/domains/google.com", "x-apikey: no\r\n", b"");
    assert_eq!(wrong.status, 401, "a stranger spends nothing");
    assert_eq!(fakes.get("/api/v3/domains/google.com").status, 200);
    assert_eq!(fakes.get("/api/v3/domains/google.com").error(), (429, "QuotaExceededError".into()));
    assert_eq!(fakes.send("control", "POST", "/_casemate/reset", "", b"").status, 204);
    assert_eq!(fakes.get("/api/v3/domains/google.com").status, 200);
}

#[test]
fn cursors_lead_through_a_collection_once() {
    let fakes = Fakes::new();
    let (mut seen, mut pages, mut next) = (Vec::new(), 0, "/api/v3/domains/google.com/subdomains?limit=20".to_owned());
    loop {
        let body = fakes.get(&next).json();
        seen.extend(body["data"].as_array().unwrap().iter().map(|object| object["id"].as_str().unwrap().to_owned()));
        pages += 1;
        assert_eq!(body["meta"]["count"], 45);
        assert_eq!(body["meta"]["cursor"].is_string(), body["links"]["next"].is_string());
        let Some(link) = body["links"]["next"].as_str() else { break };
        next = link.strip_prefix(fakes.origins["virustotal"].as_str()).unwrap().to_owned();
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((pages, seen.len(), distinct.len()), (3, 45, 45));

    let cursor = fakes.get("/api/v3/domains/google.com/subdomains").json()["meta"]["cursor"].as_str().unwrap().to_owned();
    for path in [
        format!("/api/v3/domains/google.com/relationships/subdomains?cursor={cursor}"),
        "/api/v3/domains/google.com/subdomains?cursor=made-up".into(),
    ] {
        assert_eq!(fakes.get(&path).error(), (400, "BadRequestError".into()), "{path}");
    }
    for limit in ["0", "41", "ten", "-1"] {
        let answer = fakes.get(&format!("/api/v3/domains/google.com/subdomains?limit={limit}"));
        assert_eq!(answer.error(), (400, "InvalidArgumentError".into()), "{limit}");
    }
    let bare = fakes.get("/api/v3/domains/google.com/relationships/subdomains?limit=1").json();
    assert_eq!(bare["data"], json!([{ "type": "domain", "id": "www.google.com" }]));
    let inline = fakes.get("/api/v3/domains/google.com?relationships=subdomains,resolutions").json();
    assert_eq!(inline["data"]["relationships"]["subdomains"]["meta"]["count"], 45);
    let resolution = fakes.get("/api/v3/domains/google.com/resolutions").json();
    assert_eq!(resolution["data"][2]["attributes"]["ip_address"], "2607:f8b0:4005:80f::200e");
    assert_eq!(resolution["data"][2]["attributes"]["host_name"], "google.com");
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=b\r\n";
const UPLOAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";

#[test]
fn a_submission_is_queued_then_in_progress_then_completed_then_found() {
    let fakes = Fakes::new();
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(fakes.get(&format!("/api/v3/files/{sha256}")).status, 404);
    let key = format!("x-apikey: {KEY}\r\n");
    let answer = fakes.send("virustotal", "POST", "/api/v3/files", &format!("{key}{FORM}"), UPLOAD).json();
    assert_eq!(answer["data"]["type"], "analysis");
    let id = answer["data"]["id"].as_str().unwrap();
    for status in ["queued", "in-progress", "completed"] {
        let analysis = fakes.get(&format!("/api/v3/analyses/{id}")).json();
        assert_eq!(analysis["data"]["attributes"]["status"], status);
        assert_eq!(analysis["meta"]["file_info"]["md5"], "5d41402abc4b2a76b9719d911017c592");
        let results = analysis["data"]["attributes"]["results"].as_object().unwrap().len();
        assert_eq!(results > 0, status == "completed");
    }
    let file = fakes.get(&format!("/api/v3/files/{sha256}")).json();
    assert_eq!(file["data"]["attributes"]["meaningful_name"], "a.txt");

    let url = b"url=http%3A%2F%2Fnew.example.org%2F";
    let form = format!("{key}Content-Type: application/x-www-form-urlencoded\r\n");
    let answer = fakes.send("virustotal", "POST", "/api/v3/urls", &form, url).json();
    assert!(answer["data"]["id"].as_str().unwrap().starts_with("u-"));
    let answer = fakes.send("virustotal", "POST", "/api/v3/urls", &form, b"url=not+a+url");
    assert_eq!(answer.error(), (400, "InvalidArgumentError".into()));
}

#[test]
fn an_upload_url_is_good_once_and_only_with_the_key() {
    let fakes = Fakes::new();
    let url = fakes.get("/api/v3/files/upload_url").json()["data"].as_str().unwrap().to_owned();
    let path = url.strip_prefix(fakes.origins["virustotal"].as_str()).unwrap();
    assert_eq!(fakes.send("virustotal", "POST", path, FORM, UPLOAD).status, 401);
    let headers = format!("x-apikey: {KEY}\r\n{FORM}");
    assert_eq!(fakes.send("virustotal", "POST", path, &headers, UPLOAD).status, 200);
    assert_eq!(fakes.send("virustotal", "POST", path, &headers, UPLOAD).status, 404);
    assert_eq!(fakes.send("virustotal", "POST", "/_ah/upload/guessed", &headers, UPLOAD).status, 404);
}

#[test]
fn the_record_has_what_reached_each_upstream_and_nothing_else() {
    let fakes = Fakes::new();
    fakes.bytes("echo", b"PUT http://echo/a%2Fb?c=d HTTP/1.0\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 2\r\n\r\nhi");
    fakes.bytes("hostile", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    fakes.bytes("hostile", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
    let requests = fakes.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0]["target"], "http://echo/a%2Fb?c=d");
    assert_eq!((&requests[0]["path"], &requests[0]["query"]), (&json!("/a%2Fb"), &json!("c=d")));
    assert_eq!(requests[0]["headers"], json!([["X-One", "1"], ["x-one", "2"], ["Content-Length", "2"]]));
    assert_eq!((&requests[0]["body_base64"], &requests[0]["version"]), (&json!("aGk="), &json!("1.0")));
    assert_eq!(requests[1]["malformed"], "both content-length and transfer-encoding");
    assert_eq!(requests[2]["malformed"], "not exactly one host header");
    let since = fakes.send("control", "GET", "/_casemate/requests?upstream=hostile&since=2", "", b"").json();
    assert_eq!(since["requests"].as_array().unwrap().len(), 1);
    let connections = fakes.send("control", "GET", "/_casemate/connections", "", b"").json();
    assert_eq!(connections, json!({ "echo": 1, "hostile": 2 }));
    assert_eq!(fakes.send("control", "DELETE", "/_casemate/requests", "", b"").status, 204);
    assert!(fakes.requests().is_empty());
}

#[test]
fn the_echo_gives_back_the_credential() {
    let fakes = Fakes::new();
    let answer = fakes.send("echo", "POST", "/x?y=z", "X-Apikey: sesame\r\n", b"body").json();
    assert!(answer["headers"].as_array().unwrap().contains(&json!(["X-Apikey", "sesame"])));
    assert_eq!((&answer["path"], &answer["query"], &answer["body_text"]), (&json!("/x"), &json!("y=z"), &json!("body")));
}

#[test]
fn one_connection_carries_many_requests() {
    let fakes = Fakes::new();
    let all = fakes.bytes(
        "echo",
        b"POST /1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n\
          GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    let text = String::from_utf8(all).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(text.contains(r#""body_text":"abc""#) && text.contains(r#""path":"/2""#));
}

/// What a client sees of a misbehaviour: a piece of text, or nothing at all.
fn mark(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::SlowHeaders | Kind::DripHeaders | Kind::SlowBody | Kind::Informational => r#"{"message":"all is well","list":["#,
        Kind::StalledBody | Kind::Truncated => "content-length: 64\r\n\r\n{\"message\":\"all is well\",\"list\":",
        Kind::EndlessBody => "10000\r\nAAAA",
        Kind::EndlessHeaders => "x-more: and more and more and more\r\nx-more",
        Kind::HugeBody => "content-length: 268435456\r\n\r\n{\"data\":\"AAAA",
        Kind::GzipBomb => "content-encoding: gzip\r\n",
        Kind::Redirect | Kind::RedirectMetadata => {
            "302 Found\r\ncontent-type: text/html; charset=utf-8\r\nlocation: http://169.254.169.254/latest"
        }
        Kind::RedirectPath => "/redirected\r\n",
        Kind::RedirectLoop => "location: /redirect-loop?ms=1\r\n",
        Kind::Html => "HTTP/1.1 200 OK\r\ncontent-type: text/html",
        Kind::TruncatedChunks => "\"count\":3}\r\n",
        Kind::InvalidJson => "content-length: 32\r\n\r\n{",
        Kind::InvalidUtf8 => "{\"message\":\"\u{fffd}",
        Kind::DeepJson => "[[[[[[[[[[[",
        Kind::DuplicateKeys => r#"{"message":null,"message":"all is well""#,
        Kind::WrongShape => r#"{"data":"a text","error":7"#,
        Kind::EmptyBody => "content-length: 0\r\n\r\n",
        Kind::EchoKey => "x-echo-hex: 746573742d6b65792d31\r\n",
        Kind::HostileText => "\\u001b[2J",
        Kind::HugeHeader => "x-huge: hhhh",
        Kind::ManyHeaders => "x-9999: h\r\n",
        Kind::SwitchingProtocols => "101 Switching Protocols\r\n",
        Kind::ChunkGarbage => "\r\n-5\r\nzz\r\n",
        Kind::ChunkOverflow => "\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        Kind::SetCookie => "set-cookie: session=stolen",
        Kind::TwoLengths => "content-length: 2\r\ncontent-length: 64\r\n",
        Kind::LengthAndChunked => "transfer-encoding: chunked\r\ncontent-length: 64\r\n",
        Kind::ExtraResponse => "\"count\":3}HTTP/1.1 200 OK\r\n",
        Kind::OddHeaders => "x-folded: one\r\n two\r\nx-space : three\r\nx-cr: four\rx-hidden",
        Kind::NotHttp => "SSH-2.0-",
        Kind::Status => "HTTP/1.1 500 Internal",
        Kind::ResetBody => "\"list\":",
        Kind::Reset | Kind::Close => return None,
    })
}

#[test]
fn every_misbehaviour_is_what_it_says() {
    let fakes = Fakes::new();
    for kind in Kind::ALL {
        let request = format!("GET /{}?ms=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-apikey: {KEY}\r\n\r\n", kind.name());
        let mut stream = fakes.connect("hostile");
        stream.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = Vec::new();
        let ended = stream.take(1 << 20).read_to_end(&mut all);
        let text = String::from_utf8_lossy(&all);
        match mark(*kind) {
            Some(mark) => assert!(text.contains(mark), "{}: {:?}", kind.name(), text.chars().take(400).collect::<String>()),
            None => assert!(all.is_empty(), "{}: {text:?}", kind.name()),
        }
        let reset = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
        assert_eq!(reset, matches!(kind, Kind::Reset | Kind::ResetBody), "{}", kind.name());
        assert_eq!(fakes.requests().last().unwrap()["answered"], kind.name());
    }
}

#[test]
fn misbehaviour_can_be_had_from_virustotal_by_domain_by_hash_and_by_script() {
    let fakes = Fakes::new();
    let hash: String = Sha256::digest("echo-key").iter().map(|byte| format!("{byte:02x}")).collect();
    let by_name = ["/api/v3/domains/echo-key.misbehaves.example.org".to_owned(), format!("/api/v3/files/{hash}")];
    for path in by_name {
        let mut stream = fakes.connect("virustotal");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-apikey: {KEY}\r\n\r\n").unwrap();
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let text = String::from_utf8_lossy(&all);
        assert!(
            text.contains("last_analysis_stats") && text.contains(KEY) && text.contains("dGVzdC1rZXktMQ=="),
            "{path}: {text}"
        );
    }
    assert_eq!(fakes.script(&json!({ "upstream": "virustotal", "misbehave": { "kind": "truncated" } })).status, 204);
    let answer = fakes.get("/api/v3/domains/google.com");
    let length: usize = answer.head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    assert_eq!(answer.body.len(), length / 2);
}

#[test]
fn answers_are_compressed_for_those_who_ask() {
    let fakes = Fakes::new();
    let headers = format!("x-apikey: {KEY}\r\nAccept-Encoding: gzip, br\r\n");
    let packed = fakes.send("virustotal", "GET", "/api/v3/domains/google.com", &headers, b"");
    assert!(packed.head.contains("content-encoding: gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, fakes.get("/api/v3/domains/google.com").body);
}

#[test]
fn only_loopback_is_served() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let settings = Settings {
        listen: "0.0.0.0:0".parse().unwrap(),
        virustotal_key: KEY.into(),
        caldera_key: caldera::RED_KEY.into(),
        quota: None,
        beat: None,
        log: None,
    };
    assert!(runtime.block_on(start(&settings)).is_err());
}

/// A token of LimaCharlie's, as the line that a request carries.
fn limacharlie_token(fakes: &Fakes) -> String {
    let key = format!("oid={}&secret={}", limacharlie::ORGANIZATION, limacharlie::DEFAULT_KEY);
    let answer = fakes.send("limacharlie-jwt", "POST", "/", "", key.as_bytes());
    format!("authorization: Bearer {}\r\n", answer.json()["jwt"].as_str().unwrap())
}

#[test]
fn limacharlie_takes_tokens_of_its_own_until_they_are_revoked() {
    let fakes = Fakes::new();
    let who = |header: &str| fakes.send("limacharlie", "GET", "/v1/who", header, b"").status;
    assert_eq!(fakes.send("limacharlie-jwt", "POST", "/", "", b"oid=x&secret=y").status, 401);
    assert_eq!((who(""), who("authorization: Bearer token-number-1\r\n")), (401, 401));
    let token = limacharlie_token(&fakes);
    assert_eq!(who(&token), 200);
    fakes.send("control", "POST", "/_casemate/order?upstream=limacharlie", "", b"\"revoke\"");
    assert_eq!((who(&token), who(&limacharlie_token(&fakes))), (401, 200));
}

#[test]
fn limacharlie_s_hive_says_400_and_what_it_means() {
    let fakes = Fakes::new();
    let token = limacharlie_token(&fakes);
    let hive = format!("/v1/hive/dr-general/{}", limacharlie::ORGANIZATION);
    let ask = |method: &str, path: &str, body: &str| {
        fakes.send("limacharlie", method, &format!("{hive}{path}"), &token, body.as_bytes())
    };
    let missing = ask("GET", "/nothing/mtd", "");
    assert_eq!(
        (missing.status, missing.json()["error"].as_str().unwrap().split(' ').next()),
        (400, Some("lc_error_code:RECORD_NOT_FOUND"))
    );
    let rule =
        "data=%7B%22detect%22%3A%7B%22op%22%3A%22exists%22%7D%2C%22respond%22%3A%5B%7B%22action%22%3A%22report%22%7D%5D%7D";
    assert_eq!(ask("POST", "/new/validate", rule).status, 200);
    assert_eq!(ask("GET", "/new/mtd", "").status, 400, "validating stores nothing");
    assert_eq!(ask("POST", "/new/data", &format!("{rule}&usr_mtd=%7B%7D")).status, 200);
    let stored = ask("GET", "/new/data", "").json();
    assert_eq!((&stored["usr_mtd"]["enabled"], &stored["data"]["detect"]["op"]), (&json!(false), &json!("exists")));
    assert_eq!(ask("POST", "/new/data", &format!("{rule}&etag=etag-9")).status, 400);
    assert_eq!(ask("POST", "/new/data", "data=%7B%7D").status, 400);
    assert_eq!((ask("DELETE", "/new", "").status, ask("DELETE", "/new", "").status), (200, 400));
}

#[test]
fn stratus_takes_what_is_signed_for_where_it_goes_and_over_what_it_says() {
    let fakes = Fakes::new();
    let ask = |body: &str, key: &str, region: &str, service: &str, hashed: &str| {
        let hash: String = Sha256::digest(hashed).iter().map(|byte| format!("{byte:02x}")).collect();
        let signed = format!(
            "authorization: AWS4-HMAC-SHA256 Credential={key}/20261122/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             x-amz-date: 20261122T060000Z\r\nx-amz-content-sha256: {hash}\r\n"
        );
        fakes.send("stratus", "POST", "/", &signed, body.as_bytes()).status
    };
    let (key, who) = (stratus::DEFAULT_KEY, "Action=GetCallerIdentity&Version=2011-06-15");
    assert_eq!(ask(who, key, stratus::REGION, "sts", who), 200);
    for (key, region, service, hashed) in [
        ("ANOTHERKEY0000000001", stratus::REGION, "sts", who),
        (key, "us-west-2", "sts", who),
        (key, stratus::REGION, "iam", who),
        (key, stratus::REGION, "sts", "another body"),
    ] {
        assert_eq!(ask(who, key, region, service, hashed), 403, "{key} {region} {service} {hashed}");
    }
    assert_eq!(fakes.send("stratus", "POST", "/", "", who.as_bytes()).status, 403);
    let user = |action: &str| {
        let body = format!("Action={action}&Version=2010-05-08&UserName=a&PolicyArn=p");
        ask(&body, key, "us-east-1", "iam", &body)
    };
    let steps =
        ["GetUser", "CreateUser", "CreateUser", "AttachUserPolicy", "DeleteUser", "DetachUserPolicy", "DeleteUser", "GetUser"];
    assert_eq!(steps.map(user), [404, 200, 409, 200, 409, 200, 200, 404]);
}

fn binary() -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_casemate-upstreams"))
        .args(["--quota", "4/min"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn ends(child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    false
}

#[test]
fn the_binary_says_where_it_is_and_ends_with_its_parent() {
    let (mut child, ready) = binary();
    let names: Vec<_> = ready.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "abuseipdb",
            "atomic",
            "burp",
            "caido",
            "caldera",
            "collector",
            "control",
            "crowdsec",
            "crowdsec-cti",
            "echo",
            "entra",
            "github",
            "hackerone",
            "hostile",
            "limacharlie",
            "limacharlie-jwt",
            "mirror",
            "misp",
            "mitmproxy",
            "oauth",
            "sentinelone",
            "shodan",
            "siem-sentinel",
            "siem-splunk",
            "siem-victorialogs",
            "slack",
            "stratus",
            "vault",
            "virustotal"
        ]
    );
    for origin in ready.as_object().unwrap().values() {
        TcpStream::connect(origin.as_str().unwrap().strip_prefix("http://").unwrap()).unwrap();
    }
    drop(child.stdin.take());
    assert!(ends(&mut child), "it outlived its standard input");

    let (mut child, _) = binary();
    let terminated = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(terminated.success() && ends(&mut child), "it outlived SIGTERM");
}

#[test]
fn sentinel_takes_tokens_of_entra_and_bounds_a_search_by_its_span() {
    let fakes = Fakes::new();
    let token = |secret: &str| {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}&scope=https%3A%2F%2Fapi.loganalytics.azure.com%2F.default",
            sentinel::CLIENT
        );
        fakes.send("entra", "POST", &format!("/{}/oauth2/v2.0/token", sentinel::TENANT), "", form.as_bytes())
    };
    assert_eq!(token("wrong").json()["error"], "invalid_client");
    let header = format!("authorization: Bearer {}\r\n", token(sentinel::DEFAULT_KEY).json()["access_token"].as_str().unwrap());
    let search = |workspace: &str, header: &str, body: &Value| {
        fakes.send("siem-sentinel", "POST", &format!("/v1/workspaces/{workspace}/query"), header, body.to_string().as_bytes())
    };
    let body = json!({ "query": "SecurityEvent | take 100", "timespan": "2026-11-22T00:00:00Z/2026-11-22T00:04:00Z" });
    let found = search(sentinel::WORKSPACE, &header, &body).json();
    assert_eq!(found["tables"][0]["rows"].as_array().map(Vec::len), Some(5));
    for (workspace, header, status) in
        [(sentinel::WORKSPACE, "", 401), (sentinel::FORBIDDEN, header.as_str(), 403), ("x", header.as_str(), 404)]
    {
        assert_eq!(search(workspace, header, &body).status, status, "{workspace}");
    }
    let unknown = search(sentinel::WORKSPACE, &header, &json!({ "query": "SecurityEvent | where Nothing == 1" }));
    assert_eq!((unknown.status, &unknown.json()["error"]["innererror"]["innererror"]["code"]), (400, &json!("SEM0100")));
}

#[test]
fn winrm_runs_a_command_in_a_shell_and_says_why_not() {
    let fakes = Fakes::new();
    let shell = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
    let basic = STANDARD.encode(format!("{}:{}", winrm::USER, winrm::DEFAULT_KEY));
    let header = format!("authorization: Basic {basic}\r\ncontent-type: application/soap+xml; charset=utf-8\r\n");
    let say = |action: &str, inner: &str| {
        let text = format!(
            "<a:MessageID>uuid:1</a:MessageID><w:ResourceURI>{shell}/cmd</w:ResourceURI><a:Action>{action}</a:Action>{inner}"
        );
        let answer = fakes.send("atomic", "POST", "/wsman?step=x", &header, text.as_bytes());
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    assert_eq!(fakes.send("atomic", "POST", "/wsman", "", b"").status, 401);
    let (status, made) = say("http://schemas.xmlsoap.org/ws/2004/09/transfer/Create", "");
    assert!(status == 200 && made.contains("<a:RelatesTo>uuid:1</a:RelatesTo>"), "{made}");
    let id = "<w:Selector Name=\"ShellId\">11111111-AAAA-4BBB-8CCC-000000000001</w:Selector>";
    assert!(made.contains(id), "{made}");
    let (_, begun) = say(&format!("{shell}/Command"), &format!("{id}<rsp:Command>hostname</rsp:Command>"));
    let command = "22222222-AAAA-4BBB-8CCC-000001000001";
    assert!(begun.contains(command), "{begun}");
    let receive = format!("{id}<rsp:DesiredStream CommandId=\"{command}\"/>");
    let (_, output) = say(&format!("{shell}/Receive"), &receive);
    assert!(output.contains(&STANDARD.encode("LAB-WIN-1\r\n")) && output.contains("/Done"), "{output}");
    for (action, inner, code) in [
        (format!("{shell}/Receive"), id.to_owned(), "2150858829"),
        (format!("{shell}/Receive"), receive.replace("11111111", "33333333"), "2150858843"),
        (format!("{shell}/Nothing"), id.to_owned(), "2150858819"),
    ] {
        let (status, fault) = say(&action, &inner);
        assert!(status == 500 && fault.contains(&format!("Code=\"{code}\"")), "{fault}");
    }
}

#[test]
fn splunk_runs_a_search_as_a_job_and_reads_whatever_index_is_named() {
    let fakes = Fakes::new();
    let token = format!("authorization: Bearer {}\r\n", casemate_upstreams::splunk::DEFAULT_KEY);
    let send = |method: &str, path: &str, body: &str| {
        fakes.send("siem-splunk", method, &format!("/services{path}"), &token, body.as_bytes())
    };
    let begin = |query: &str| {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        send(
            "POST",
            "/search/v2/jobs",
            &format!("search={query}&exec_mode=normal&output_mode=json&earliest_time=1795219200&latest_time=1795305600"),
        )
    };
    let found = |query: &str| {
        let begun = begin(query);
        assert_eq!(begun.status, 201, "{query}");
        let job = format!("/search/v2/jobs/{}", begun.json()["sid"].as_str().unwrap());
        let state = |answer: Answer| answer.json()["entry"][0]["content"]["dispatchState"].clone();
        assert_eq!(send("GET", &format!("{job}/results?output_mode=json"), "").status, 204);
        let first = state(send("GET", &format!("{job}?output_mode=json"), ""));
        if first == "FAILED" {
            return None;
        }
        assert_eq!((first, state(send("GET", &format!("{job}?output_mode=json"), ""))), (json!("RUNNING"), json!("DONE")));
        let results = send("GET", &format!("{job}/results?output_mode=json&count=0"), "").json();
        assert_eq!(send("POST", &format!("{job}/control"), "action=cancel&output_mode=json").status, 200);
        assert_eq!(send("GET", &format!("{job}?output_mode=json"), "").status, 404);
        Some(results["results"].as_array().unwrap().clone())
    };
    assert_eq!(found("search index=web status=500 | head 3").unwrap().len(), 3);
    assert_eq!(found("search index IN (\"auth\") (user=ali* OR nothing) NOT src=*.0").unwrap().len(), 19);
    assert_eq!(
        found("search index=web | stats count by host").unwrap(),
        [
            json!({ "host": "web-00", "count": "40" }),
            json!({ "host": "web-01", "count": "40" }),
            json!({ "host": "web-02", "count": "40" })
        ]
    );
    let secret = casemate_upstreams::splunk::SECRET;
    for query in [
        "search index=web OR INDEX = \"hr\"",
        "search index::hr",
        "search x [search index=hr]",
        "search `any`",
        "search index!=web",
    ] {
        let told = found(query).unwrap();
        assert_eq!(told.iter().any(|event| event["_raw"] == secret), !query.contains("x ["), "{query}");
    }
    assert_eq!(found("search index=web | nosuchcommand"), None);
    for (query, status) in [("index=web", 400), ("search \"", 400), ("search (", 400)] {
        assert_eq!(begin(query).status, status, "{query}");
    }
    let stranger =
        fakes.send("siem-splunk", "GET", "/services/data/indexes?output_mode=json", "authorization: Bearer x\r\n", b"");
    assert_eq!((stranger.status, &stranger.json()["messages"][0]["text"]), (401, &json!("call not properly authenticated")));
    assert!(send("GET", "/search/v2/jobs/1.1", "").body.starts_with(b"<?xml"));
    assert_eq!(send("GET", "/data/indexes/web?output_mode=json", "").json()["entry"][0]["content"]["totalEventCount"], "120");
    assert_eq!(send("GET", "/data/indexes/nothing?output_mode=json", "").status, 404);
    let listed = |filter: &str| {
        let path = format!("/data/indexes?output_mode=json&{filter}");
        let names = |answer: Value| answer["entry"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect::<Vec<_>>();
        names(send("GET", &path, "").json())
    };
    assert_eq!(listed("count=0"), ["_internal", "auth", "hr", "web"]);
    assert_eq!(listed("search=name%3D%22web%22+OR+name%3D%22auth%22"), ["auth", "web"]);
    assert_eq!(listed("search=isInternal%3D0&count=1&offset=1"), ["hr"]);
    assert_eq!(listed("search=%2A"), listed(""));
    assert!(listed("search=name%3D%22nothing%22").is_empty());
    assert_eq!(send("GET", "/data/indexes?output_mode=json&search=%22", "").status, 400);
}
