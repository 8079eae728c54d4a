//! The endpoint over loopback, in bytes as they are on the wire.

mod connections;
mod stopping;
mod tls;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use casemate_policy::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::{FakeHouse, PATIENCE, call, code, initialize, modern, reaches, request, text};
use crate::{
    config::HttpSettings,
    identity::Identity,
    mcp::{
        Limits, Shutdown,
        http::{Options, serve},
    },
    token::TokenFile,
};

struct Server {
    address: SocketAddr,
    house: Arc<FakeHouse>,
    identity: Arc<Identity>,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
    /// The tokens of `token:ann` and `token:ben`.
    ann: String,
    ben: String,
}

/// The endpoint with these settings, which stay.
pub(super) fn options(settings: HttpSettings) -> Options {
    Options { limits: Limits::default(), settings: watch::channel(Arc::new(settings)).1, tls: None, beside: None }
}

/// A response, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The messages of the body, JSON or an event stream.
    fn messages(&self) -> Vec<Value> {
        if self.header("content-type") == Some("text/event-stream") {
            let data = self.body.lines().filter_map(|line| line.strip_prefix("data:").map(str::trim));
            return data.filter(|data| !data.is_empty()).map(|data| serde_json::from_str(data).expect("JSON")).collect();
        }
        vec![serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))]
    }

    fn message(&self) -> Value {
        self.messages().pop().unwrap_or_else(|| panic!("no message: {self:?}"))
    }
}

/// What is different about a request.
#[derive(Clone, Default)]
struct Ask<'a> {
    token: Option<&'a str>,
    session: Option<&'a str>,
    host: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
}

impl Server {
    async fn start() -> Self {
        Self::with(options(HttpSettings::default())).await
    }

    async fn with(options: Options) -> Self {
        let mut tokens = TokenFile::default();
        let mut token = |name: &str| {
            let made = tokens.issue(name.parse().expect("a name"), Timestamp::from_millis(0), None);
            made.expect("a token").reveal().to_owned()
        };
        let (ann, ben) = (token("ann"), token("ben"));
        let identity = Arc::new(Identity::new(tokens, || Timestamp::from_millis(1)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (house, shutdown) = (Arc::new(FakeHouse::default()), Shutdown::default());
        let serving = tokio::spawn(serve(listener, Arc::clone(&house), Arc::clone(&identity), options, shutdown.clone()));
        Self { address, house, identity, shutdown, serving, ann, ben }
    }

    /// Sends the head and body of a request, and leaves the connection open.
    async fn send(&self, method: &str, target: &str, ask: &Ask<'_>, body: &str) -> TcpStream {
        let default_host = self.address.to_string();
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", ask.host.unwrap_or(&default_host));
        head += "accept: application/json, text/event-stream\r\ncontent-type: application/json\r\n";
        if let Some(token) = ask.token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        if let Some(session) = ask.session {
            head += &format!("mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n");
        }
        for (name, value) in ask.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        let bytes = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        stream
    }

    async fn ask(&self, method: &str, target: &str, ask: &Ask<'_>, body: &str) -> Answer {
        let stream = self.send(method, target, ask, body).await;
        tokio::time::timeout(PATIENCE, read(stream)).await.expect("an answer in time")
    }

    async fn post(&self, ask: &Ask<'_>, message: &Value) -> Answer {
        self.ask("POST", "/mcp", ask, &message.to_string()).await
    }

    /// A 2025-11-25 session of the bearer of `token`.
    async fn session(&self, token: &str) -> String {
        let ask = Ask { token: Some(token), ..Ask::default() };
        let answer = self.post(&ask, &initialize("2025-11-25")).await;
        assert_eq!(answer.message()["result"]["protocolVersion"], "2025-11-25");
        answer.header("mcp-session-id").expect("a session").to_owned()
    }

    /// One 2026-07-28 call.
    async fn modern_call(&self, token: &str, tool: &str, arguments: Value) -> Answer {
        let headers = modern_headers(tool);
        let params = modern(json!({"name": tool, "arguments": arguments}));
        self.post(&Ask { token: Some(token), headers: &headers, ..Ask::default() }, &request(1, "tools/call", params)).await
    }
}

fn modern_headers(tool: &str) -> [(&'static str, &str); 3] {
    [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", tool)]
}

async fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.into() };
    Answer { status, head: head.into(), body }
}

fn unchunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        text += rest.get(..size).expect("a whole chunk");
        body = rest.get(size + 2..).unwrap_or_default();
    }
    text
}

#[tokio::test]
async fn nobody_comes_in_without_a_good_token() {
    let server = Server::start().await;
    let good = server.ann.clone();
    for (token, status) in
        [(None, 401), (Some("casemate_wrong"), 401), (Some(good.to_uppercase().as_str()), 401), (Some(""), 400)]
    {
        for method in ["POST", "GET", "DELETE", "PUT", "OPTIONS"] {
            let answer =
                server.ask(method, "/mcp", &Ask { token, ..Ask::default() }, &initialize("2025-11-25").to_string()).await;
            assert_eq!(answer.status, status, "{method} {token:?}");
            assert!(answer.header("www-authenticate").expect("a challenge").starts_with("Bearer realm="), "{answer:?}");
        }
    }
    server.session(&good).await;
    server.identity.replace(TokenFile::default());
    let answer = server.post(&Ask { token: Some(&good), ..Ask::default() }, &initialize("2025-11-25")).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").expect("a challenge").contains(r#"error="invalid_token""#));
    assert_eq!(server.house.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_token_in_the_url_is_refused() {
    let server = Server::start().await;
    let good = server.ann.clone();
    for query in [format!("access_token={good}"), format!("x={good}"), "token=1".to_owned()] {
        for token in [None, Some(good.as_str())] {
            let ask = Ask { token, ..Ask::default() };
            let answer = server.ask("POST", &format!("/mcp?{query}"), &ask, &initialize("2025-11-25").to_string()).await;
            assert_eq!(answer.status, 400, "{query}");
        }
    }
}

#[tokio::test]
async fn health_needs_no_token_and_says_no_more() {
    let server = Server::start().await;
    let answer = server.ask("GET", "/healthz", &Ask::default(), "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    assert_eq!(server.ask("GET", "/", &Ask::default(), "").await.status, 404);
}

#[tokio::test]
async fn a_session_of_2025_lists_and_calls() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(server.post(&ask, &ready).await.status, 202);
    let list = server.post(&ask, &request(1, "tools/list", json!({}))).await.message();
    assert!(list["result"]["tools"].as_array().expect("a list").iter().any(|tool| tool["name"] == "only_token-ann"));
    assert!(list["result"].get("resultType").is_none());
    assert_eq!(text(&server.post(&ask, &call(2, "whoami", json!({}))).await.message()), "token:ann");
    assert_eq!(server.ask("DELETE", "/mcp", &ask, "").await.status, 204);
    assert_eq!(server.post(&ask, &call(3, "whoami", json!({}))).await.status, 404);
}

#[tokio::test]
async fn a_stateless_request_of_2026_is_answered_in_json() {
    let server = Server::start().await;
    let answer = server.modern_call(&server.ben, "whoami", json!({})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(text(&answer.message()), "token:ben");
    assert_eq!(answer.message()["result"]["resultType"], "complete");
    assert!(answer.header("mcp-session-id").is_none());
    // What the headers say is what the body says.
    let headers = modern_headers("echo");
    let params = modern(json!({"name": "whoami", "arguments": {}}));
    let answer = server
        .post(&Ask { token: Some(&server.ben), headers: &headers, ..Ask::default() }, &request(1, "tools/call", params))
        .await;
    assert_eq!((answer.status, code(&answer.message())), (400, -32020));
}

#[tokio::test]
async fn progress_comes_before_the_answer() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let params = json!({"name": "progress", "arguments": {}, "_meta": {"progressToken": 7}});
    let headers = modern_headers("progress");
    for (ask, params) in [
        (Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() }, params.clone()),
        (Ask { token: Some(&server.ann), headers: &headers, ..Ask::default() }, modern(params)),
    ] {
        let messages = server.post(&ask, &request(1, "tools/call", params)).await.messages();
        let steps: Vec<_> = messages.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
        assert_eq!(steps, [1.0, 2.0, 3.0]);
        assert_eq!(text(messages.last().expect("an answer")), "true");
    }
}

#[tokio::test]
async fn a_body_that_does_not_parse_is_400_with_a_parse_error() {
    let server = Server::start().await;
    let ask = Ask { token: Some(&server.ann), ..Ask::default() };
    for (body, expected, id) in [
        ("", -32700, Value::Null),
        ("hello", -32700, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"#, -32700, Value::Null),
        (r#"{"id":5,"method":"ping"}"#, -32600, json!(5)),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#, -32602, json!(1)),
    ] {
        let answer = server.ask("POST", "/mcp", &ask, body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let message = answer.message();
        assert_eq!((code(&message), &message["id"]), (expected, &id), "{body}");
        assert_eq!(message["jsonrpc"], "2.0");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_413_however_it_is_sent() {
    let server = Server::with(options(HttpSettings { message_bytes: 10_000, ..HttpSettings::default() })).await;
    let body = call(1, "echo", json!({"x": "y".repeat(20_000)})).to_string();
    let ask = Ask { token: Some(&server.ann), ..Ask::default() };
    let answer = server.ask("POST", "/mcp", &ask, &body).await;
    assert_eq!((answer.status, code(&answer.message())), (413, -32600));

    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: application/json, text/event-stream\r\n\
        content-type: application/json\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        server.address, server.ann
    );
    stream.write_all(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes()).await.expect("it reads");
    assert_eq!(read(stream).await.status, 413);
}

#[tokio::test]
async fn pages_of_other_sites_reach_nothing() {
    let (hosts, origins) = (vec!["mcp.example".into()], vec!["https://console.example".into()]);
    let server = Server::with(options(HttpSettings { hosts, origins, ..HttpSettings::default() })).await;
    let port = server.address.port();
    let own_host = format!("localhost:{port}");
    for (host, origin, status) in [
        (own_host.as_str(), None, 200),
        (own_host.as_str(), Some("http://localhost:6274"), 200),
        (own_host.as_str(), Some("http://127.0.0.1"), 200),
        ("mcp.example", Some("https://console.example"), 200),
        ("mcp.example", Some("https://console.example:443"), 200),
        ("mcp.example", Some("https://console.example:8443"), 403),
        ("mcp.example", Some("http://console.example"), 403),
        ("mcp.example", Some("https://console.example.evil.example"), 403),
        (own_host.as_str(), Some("null"), 403),
        (own_host.as_str(), Some("https://evil.example"), 403),
        (own_host.as_str(), Some("http://localhost.evil.example"), 403),
        ("evil.example", None, 403),
        ("evil.example", Some("http://localhost"), 403),
        ("localhost.evil.example", None, 403),
    ] {
        let origin: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
        let ask = Ask { token: Some(&server.ann), host: Some(host), headers: &origin, ..Ask::default() };
        let answer = server.post(&ask, &initialize("2025-11-25")).await;
        assert_eq!(answer.status, status, "{host} {origin:?}");
    }
}

#[tokio::test]
async fn a_session_id_opens_nothing_for_another_principal() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let theft = Ask { token: Some(&server.ben), session: Some(&session), ..Ask::default() };
    assert_eq!(server.post(&theft, &call(1, "whoami", json!({}))).await.status, 404);
    assert_eq!(server.ask("GET", "/mcp", &theft, "").await.status, 404);
    assert_eq!(server.ask("DELETE", "/mcp", &theft, "").await.status, 404);
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(server.post(&theft, &cancel).await.status, 404);
    let unknown = Ask { token: Some(&server.ben), session: Some("00000000-0000-0000-0000-000000000000"), ..Ask::default() };
    // The same as for a session that is nobody's.
    assert_eq!(server.post(&unknown, &call(1, "whoami", json!({}))).await.status, 404);
    assert_eq!(server.ask("DELETE", "/mcp", &unknown, "").await.status, 404);
    assert_eq!(server.house.started.load(Ordering::SeqCst), 0);
    // And the owner still has it.
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    assert_eq!(text(&server.post(&ask, &call(1, "whoami", json!({}))).await.message()), "token:ann");
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_call() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let in_session = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let stream = server.send("POST", "/mcp", &in_session, &call(1, "hang", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    drop(stream);
    reaches(&server.house.cancelled, 1).await;

    let headers = modern_headers("hang");
    let stateless = Ask { token: Some(&server.ann), headers: &headers, ..Ask::default() };
    let message = request(1, "tools/call", modern(json!({"name": "hang", "arguments": {}})));
    let stream = server.send("POST", "/mcp", &stateless, &message.to_string()).await;
    reaches(&server.house.started, 2).await;
    drop(stream);
    reaches(&server.house.cancelled, 2).await;
    // The session outlives its connection.
    assert_eq!(text(&server.post(&in_session, &call(2, "whoami", json!({}))).await.message()), "token:ann");
}

#[tokio::test]
async fn a_cancelled_call_stops_and_its_stream_ends() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let stream = server.send("POST", "/mcp", &ask, &call(1, "hang", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(server.post(&ask, &cancel).await.status, 202);
    reaches(&server.house.cancelled, 1).await;
    let rest = tokio::time::timeout(PATIENCE, read(stream)).await.expect("the stream ends");
    assert!(rest.messages().is_empty());
}

#[tokio::test]
async fn an_id_in_flight_is_refused_in_its_session_only() {
    let server = Server::start().await;
    let (session, other) = (server.session(&server.ann).await, server.session(&server.ann).await);
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let first = server.send("POST", "/mcp", &ask, &call(1, "slow", json!({"n": 1})).to_string()).await;
    reaches(&server.house.started, 1).await;
    let second = server.post(&ask, &call(1, "echo", json!({"n": 2}))).await.message();
    assert_eq!((code(&second), &second["id"]), (-32600, &json!(1)));
    let elsewhere = Ask { token: Some(&server.ann), session: Some(&other), ..Ask::default() };
    assert_eq!(text(&server.post(&elsewhere, &call(1, "echo", json!({}))).await.message()), "{}");
    assert_eq!(text(&read(first).await.message()), r#"{"n":1}"#);
    assert_eq!(text(&server.post(&ask, &call(1, "echo", json!({}))).await.message()), "{}");
}

#[tokio::test]
async fn a_panicking_handler_answers_over_http_too() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    assert_eq!(code(&server.post(&ask, &call(1, "panic", json!({}))).await.message()), -32603);
    assert_eq!(text(&server.post(&ask, &call(2, "echo", json!({}))).await.message()), "{}");
    assert_eq!(code(&server.modern_call(&server.ann, "panic", json!({})).await.message()), -32603);
}

#[tokio::test]
async fn calls_in_flight_are_bounded_for_each_principal() {
    let limits = Limits { calls_in_flight: 1, ..Limits::default() };
    let server = Server::with(Options { limits, ..options(HttpSettings::default()) }).await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let _hanging = server.send("POST", "/mcp", &ask, &call(1, "hang", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    assert_eq!(code(&server.post(&ask, &call(2, "echo", json!({}))).await.message()), -32005);
    assert_eq!(code(&server.modern_call(&server.ann, "echo", json!({})).await.message()), -32005);
    assert_eq!(text(&server.modern_call(&server.ben, "whoami", json!({})).await.message()), "token:ben");
}

#[tokio::test]
async fn sessions_are_bounded_for_each_principal() {
    let server = Server::start().await;
    for _ in 0..256 {
        server.session(&server.ann).await;
    }
    let ask = Ask { token: Some(&server.ann), ..Ask::default() };
    let answer = server.post(&ask, &initialize("2025-11-25")).await;
    assert_eq!((answer.status, code(&answer.message())), (503, -32005));
    server.session(&server.ben).await;
}

#[tokio::test]
async fn shutdown_cancels_calls_and_ends() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let _listening = server.send("GET", "/mcp", &ask, "").await;
    let _hanging = server.send("POST", "/mcp", &ask, &call(1, "hang", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    server.shutdown.hurry();
    tokio::time::timeout(PATIENCE, server.serving).await.expect("in time").expect("no panic");
    reaches(&server.house.cancelled, 1).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "still listening");
}
