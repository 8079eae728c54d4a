//! The fake of Burp's extension: a session over HTTP with SSE, and who is not answered.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod client;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use client::{Answer, Fakes};

/// A stream of events that was asked for.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(fakes: &Fakes) -> Self {
        let mut stream = fakes.connect("burp");
        let host = fakes.origins["burp"].strip_prefix("http://").unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n").unwrap();
        Stream(BufReader::new(stream))
    }

    /// What stands behind `data: ` next.
    fn data(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream is over");
            if let Some(data) = line.strip_prefix("data: ") {
                return data.trim_end().to_owned();
            }
        }
    }

    fn message(&mut self) -> Value {
        serde_json::from_str(&self.data()).unwrap()
    }
}

fn post(fakes: &Fakes, target: &str, message: &Value) -> Answer {
    fakes.send("burp", "POST", target, "Content-Type: application/json\r\n", message.to_string().as_bytes())
}

fn call(id: u32, tool: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

#[test]
fn what_is_posted_is_answered_on_the_stream() {
    let fakes = Fakes::new();
    let mut stream = Stream::open(&fakes);
    let place = stream.data();
    assert!(place.starts_with("?sessionId="), "{place}");
    let target = format!("/{place}");
    let page = json!({ "count": 1, "offset": 0 });
    let early = post(&fakes, &target, &call(1, "get_proxy_http_history", &page));
    assert_eq!((early.status, early.body.as_slice()), (202, b"Accepted".as_slice()), "{}", early.head);
    assert_eq!(stream.message()["error"]["message"], "Server not initialized");
    let hello = json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": { "protocolVersion": "2024-11-05" } });
    post(&fakes, &target, &hello);
    let welcome = stream.message();
    assert_eq!((&welcome["id"], &welcome["result"]["serverInfo"]["name"]), (&json!("a"), &json!("burp-suite")));
    assert_eq!(post(&fakes, &target, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).status, 202);
    post(&fakes, &target, &call(2, "get_proxy_http_history", &page));
    let answer = stream.message();
    assert_eq!(answer["id"], 2, "what asks nothing is not answered");
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().starts_with("{\"request\":\"GET /orders"), "{answer}");
    post(&fakes, &target, &call(3, "get_proxy_http_history", &json!({ "count": 1, "offset": 99 })));
    assert_eq!(stream.message()["result"]["content"][0]["text"], "Reached end of items");
    let send =
        json!({ "content": "GET / HTTP/1.1\\r\\nHost: a\n\nb\n", "targetHostname": "a", "targetPort": 80, "usesHttps": false });
    post(&fakes, &target, &call(4, "send_http1_request", &send));
    let sent = stream.message()["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(
        sent.starts_with("HttpRequestResponse{httpRequest=GET / HTTP/1.1\r\nHost: a\r\n\r\nb\n, httpResponse=HTTP/1.1 200"),
        "{sent}"
    );
    post(&fakes, &target, &call(5, "send_http1_request", &json!({ "content": "x" })));
    assert_eq!(stream.message()["result"]["isError"], true);
    let reached = fakes.requests();
    assert_eq!((&reached[0]["method"], &reached[0]["answered"]), (&json!("GET"), &json!("200")), "{}", reached[0]);
    // Of another session, or none.
    let other = target.replace("001", "009");
    for (target, status) in [("/", 400), (other.as_str(), 404), ("/sse", 404)] {
        assert_eq!(post(&fakes, target, &call(6, "get_scanner_issues", &page)).status, status, "{target}");
    }
    // A session ends with its stream.
    drop(stream);
    let ended = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        post(&fakes, &target, &call(7, "get_scanner_issues", &page)).status == 404
    });
    assert!(ended);
}

#[test]
fn whoever_may_be_a_web_page_is_not_answered() {
    let fakes = Fakes::new();
    let host = fakes.origins["burp"].strip_prefix("http://").unwrap();
    let port = host.rsplit(':').next().unwrap();
    let ask = |headers: &str| {
        let request = format!("POST / HTTP/1.1\r\nConnection: close\r\n{headers}Content-Length: 0\r\n\r\n");
        let all = String::from_utf8(fakes.bytes("burp", request.as_bytes())).unwrap();
        all.split(' ').nth(1).unwrap().to_owned()
    };
    for (headers, status) in [
        (format!("Host: {host}\r\n"), "400"),
        (format!("Host: localhost:{port}\r\nOrigin: http://localhost:3000\r\n"), "400"),
        (format!("Host: {host}\r\nUser-Agent: casemate\r\nReferer: http://127.0.0.1/x\r\n"), "400"),
        (format!("Host: burp.example:{port}\r\n"), "403"),
        ("Host: 127.0.0.1:1\r\n".to_owned(), "403"),
        (format!("Host: {host}\r\nOrigin: http://evil.example\r\n"), "403"),
        (format!("Host: {host}\r\nOrigin: null\r\n"), "403"),
        (format!("Host: {host}\r\nReferer: http://evil.example/127.0.0.1\r\n"), "403"),
        (format!("Host: {host}\r\nUser-Agent: Mozilla/5.0\r\n"), "403"),
    ] {
        assert_eq!(ask(&headers), status, "{headers}");
    }
}
