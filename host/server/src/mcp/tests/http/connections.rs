//! Clients that are slow, large or many: each is held to its bound, told so where it can be, and nobody else notices.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use super::{Ask, HttpSettings, PATIENCE, Server, call, code, initialize, options, reaches, read, text};

/// Settings with times short enough to wait for.
fn short() -> HttpSettings {
    let time = Duration::from_millis(300);
    HttpSettings { header_time: time, body_time: time, idle_time: time, stall_time: time, ..HttpSettings::default() }
}

/// All that comes until the connection ends, and how long that took.
async fn rest(mut stream: TcpStream) -> (String, Duration) {
    let (started, mut bytes) = (Instant::now(), Vec::new());
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is not ended");
    (String::from_utf8_lossy(&bytes).into_owned(), started.elapsed())
}

impl Server {
    async fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        stream
    }

    /// Others are served as if nothing were.
    async fn serves(&self) {
        assert_eq!(text(&self.modern_call(&self.ben, "whoami", json!({})).await.message()), "token:ben");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let server = Server::with(options(short())).await;
    let mut stream = server.connect("POST /mcp HTTP/1.1\r\nhost: localhost\r\n").await;
    let started = Instant::now();
    // It never stops sending, and yet it gets no more time.
    while started.elapsed() < PATIENCE && stream.write_all(b"x-a: b\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if started.elapsed() > short().header_time * 4 {
            break;
        }
    }
    let (said, _) = rest(stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    server.serves().await;
}

#[tokio::test]
async fn a_head_that_stops_is_told_so() {
    let server = Server::with(options(short())).await;
    let (said, took) = rest(server.connect("POST /mcp HTTP/1.1\r\nhost: loc").await).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("did not arrive within 300ms"), "{said}");
    assert!(took < PATIENCE / 4, "{took:?}");
}

#[tokio::test]
async fn a_connection_without_a_request_ends() {
    let server = Server::with(options(short())).await;
    let (said, _) = rest(server.connect("").await).await;
    assert_eq!(said, "");
    // And so does one whose last request is long ago; the answer to that one is whole.
    let (said, _) = rest(server.connect("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("ok\n"), "{said}");
}

#[tokio::test]
async fn a_call_that_takes_its_time_is_not_idle() {
    let server = Server::with(options(short())).await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let stream = server.send("POST", "/mcp", &ask, &call(1, "long", json!({})).to_string()).await;
    let answer = tokio::time::timeout(PATIENCE, read(stream)).await.expect("an answer");
    assert_eq!(text(&answer.message()), "done");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_so() {
    let server = Server::with(options(short())).await;
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"id\"",
        server.ann
    );
    let answer = tokio::time::timeout(PATIENCE, read(server.connect(&head).await)).await.expect("an answer");
    assert_eq!((answer.status, code(&answer.message())), (408, -32600));
    server.serves().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_431() {
    let server = Server::with(options(HttpSettings { header_bytes: 8192, header_fields: 20, ..short() })).await;
    let large = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-large: {}\r\n\r\n", "x".repeat(9000));
    let many = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(30));
    for head in [large, many] {
        let (said, _) = rest(server.connect(&head).await).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
    }
    server.serves().await;
}

#[tokio::test]
async fn what_is_no_http_ends_at_once_and_nothing_is_run() {
    let server = Server::start().await;
    for bytes in [
        "\x16\x03\x01\x02\x00",
        "hello\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /mcp HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let (said, _) = rest(server.connect(bytes).await).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.1 5"), "{bytes:?}: {said}");
    }
    assert_eq!(server.house.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_host_or_an_origin_given_twice_is_refused() {
    let server = Server::start().await;
    for headers in [[("host", "evil.example")], [("host", "localhost")]] {
        let ask = Ask { token: Some(&server.ann), headers: &headers, ..Ask::default() };
        assert_eq!(server.post(&ask, &initialize("2025-11-25")).await.status, 400);
    }
    let headers = [("origin", "http://localhost"), ("origin", "https://evil.example")];
    let ask = Ask { token: Some(&server.ann), headers: &headers, ..Ask::default() };
    assert_eq!(server.post(&ask, &initialize("2025-11-25")).await.status, 400);
}

/// A proxy that decides by the last of two would let another call pass than the one that is made.
#[tokio::test]
async fn a_header_of_the_protocol_given_twice_is_refused() {
    let server = Server::start().await;
    for name in ["mcp-method", "mcp-name", "mcp-param-region", "mcp-session-id", "mcp-protocol-version"] {
        for (other, status) in [("mcp-other", 200), (name, 400)] {
            let headers = [(name, "2025-11-25"), (other, "2025-11-25")];
            let headers = if name == "mcp-session-id" && other != name { &headers[1..] } else { &headers[..] };
            let ask = Ask { token: Some(&server.ann), headers, ..Ask::default() };
            assert_eq!(server.post(&ask, &initialize("2025-11-25")).await.status, status, "{name}, {other}");
        }
    }
}

#[tokio::test]
async fn a_flood_of_connections_is_told_so_and_is_over_when_it_is() {
    for (settings, status) in [
        (HttpSettings { connections_per_address: 4, ..HttpSettings::default() }, "429"),
        (HttpSettings { connections: 4, ..HttpSettings::default() }, "503"),
    ] {
        let server = Server::with(options(settings)).await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(server.connect("GET /he").await);
        }
        let (said, _) = rest(server.connect("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains("retry-after: 1"), "{said}");
        assert!(said.contains("the limit `connections"), "{said}");
        // Who is connected is served on.
        let mut first = held.pop().expect("it is held");
        first.write_all(b"althz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.expect("it reads");
        assert_eq!(read(first).await.status, 200);
        drop(held);
        let started = Instant::now();
        while !rest(server.connect("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await)
            .await
            .0
            .contains("200")
        {
            assert!(started.elapsed() < PATIENCE);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_given_up_and_its_place_is_free() {
    let settings = HttpSettings { connections: 3, body_time: PATIENCE, ..short() };
    let server = Server::with(options(settings)).await;
    let body = call(1, "echo", json!({"x": "y".repeat(6_000_000)}));
    let session = server.session(&server.ann).await;
    // The connection it came over is closed by then.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let mut unread = Vec::new();
    for id in 1..=3 {
        let mut body = body.clone();
        body["id"] = json!(id);
        unread.push(server.send("POST", "/mcp", &ask, &body.to_string()).await);
    }
    reaches(&server.house.started, 3).await;
    let started = Instant::now();
    loop {
        let (said, _) = rest(server.connect("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await).await;
        if said.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(unread);
    server.serves().await;
}

/// Names and bounds change while sessions and calls go on.
#[tokio::test]
async fn new_settings_count_for_what_comes_after_them() {
    let (sender, settings) = watch::channel(std::sync::Arc::new(HttpSettings::default()));
    let server = Server::with(super::Options { settings, ..options(HttpSettings::default()) }).await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), host: Some("mcp.example"), ..Ask::default() };
    assert_eq!(server.post(&ask, &call(1, "whoami", json!({}))).await.status, 403);
    let at_home = Ask { host: None, ..ask.clone() };
    let running = server.send("POST", "/mcp", &at_home, &call(2, "long", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    sender.send_replace(std::sync::Arc::new(HttpSettings {
        hosts: vec!["mcp.example".into()],
        message_bytes: 500,
        ..HttpSettings::default()
    }));
    assert_eq!(text(&server.post(&ask, &call(3, "whoami", json!({}))).await.message()), "token:ann");
    let large = call(4, "echo", json!({"x": "y".repeat(1000)}));
    assert_eq!(server.post(&ask, &large).await.status, 413);
    assert_eq!(text(&read(running).await.message()), "done");
}
