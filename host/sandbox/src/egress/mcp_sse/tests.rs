//! A server of one session that says what it was told to say, honest or not.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::*;

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look"}}"#;
const WELCOME: &str = r#"{"jsonrpc":"2.0","id":"casemate","result":{"protocolVersion":"2024-11-05"}}"#;
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
const ENDPOINT: &str = "event: endpoint\ndata: /message?sessionId=7\n\n";
const TAKEN: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const GONE: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 15\r\nconnection: close\r\n\r\nUnknown session";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// What it answers, in this order: to the GET, and to each POST on the POST's connection and on the stream.
struct Script {
    stream: String,
    posts: Vec<(&'static str, String)>,
    /// Whether it hangs up when all has been said.
    ends: bool,
}

impl Script {
    fn honest() -> Self {
        let said = |text: &str| format!("event: message\ndata: {text}\n\n");
        let posts = vec![(TAKEN, said(WELCOME)), (TAKEN, String::new()), (TAKEN, said(ANSWER))];
        Self { stream: format!("{STREAM}{ENDPOINT}"), posts, ends: false }
    }

    /// It says this and nothing more.
    fn beginning(stream: &str) -> Self {
        Self { stream: stream.to_owned(), posts: vec![], ends: true }
    }

    /// The nth POST is answered so instead.
    fn post(mut self, number: usize, answer: &'static str, said: &str) -> Self {
        self.posts[number] = (answer, said.to_owned());
        self
    }
}

/// A request as it came: the line, the headers in lower case, the body.
type Heard = (String, String, String);

async fn read(connection: &mut TcpStream) -> Heard {
    let mut reader = BufReader::new(connection);
    let (mut first, mut headers) = (String::new(), String::new());
    reader.read_line(&mut first).await.unwrap();
    while !headers.ends_with("\n\r\n") {
        reader.read_line(&mut headers).await.unwrap();
    }
    let headers = headers.to_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.unwrap();
    (first.trim_end().to_owned(), headers, String::from_utf8(body).unwrap())
}

async fn serve(listener: TcpListener, script: Script, heard: Arc<Mutex<Vec<Heard>>>) {
    let mut stream = listener.accept().await.unwrap().0;
    let request = read(&mut stream).await;
    heard.lock().unwrap().push(request);
    // Whoever has heard enough may have gone.
    let _ = stream.write_all(script.stream.as_bytes()).await;
    let mut open = Vec::new();
    for (answer, said) in &script.posts {
        let mut connection = listener.accept().await.unwrap().0;
        let request = read(&mut connection).await;
        heard.lock().unwrap().push(request);
        let _ = stream.write_all(said.as_bytes()).await;
        let _ = connection.write_all(answer.as_bytes()).await;
        open.push(connection);
    }
    if !script.ends {
        std::future::pending().await
    }
}

/// What the host makes of it, and what the server was told.
async fn call(script: Script, cap: usize, message: &[u8]) -> (Result<Raw, SendError>, Vec<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let server = tokio::spawn(serve(listener, script, Arc::clone(&heard)));
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer key"))]);
    // A second one is refused, and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let session = Session { client: &client, url: &url, headers: &headers, cap, redactor: &Redactor::default() };
    let raw = session.call(message).await;
    server.abort();
    let heard = heard.lock().unwrap().clone();
    (raw, heard)
}

#[track_caller]
fn text(raw: Result<Raw, SendError>) -> String {
    match raw {
        Ok(raw) => format!("{} {}", raw.status, String::from_utf8_lossy(&raw.body)),
        Err(SendError::Connect(why)) => format!("not sent: {why}"),
        Err(SendError::Broken(why)) => format!("broken: {why}"),
        Err(SendError::TooLarge) => "too large".to_owned(),
        Err(_) => panic!("no such failure"),
    }
}

#[tokio::test]
async fn a_call_is_made_in_a_session_of_its_own() {
    let (raw, heard) = call(Script::honest(), 4_096, CALL).await;
    assert_eq!(text(raw), format!("200 {ANSWER}"));
    let lines: Vec<&str> = heard.iter().map(|(line, ..)| line.as_str()).collect();
    let post = "POST /message?sessionId=7 HTTP/1.1";
    assert_eq!(lines, ["GET / HTTP/1.1", post, post, post]);
    assert!(heard.iter().all(|(_, headers, _)| headers.contains("authorization: bearer key")), "{heard:?}");
    assert!(heard[0].1.contains("accept: text/event-stream") && heard[3].1.contains("content-type: application/json"));
    assert!(heard[1].2.contains(r#""method":"initialize""#) && heard[2].2.contains("notifications/initialized"));
    assert_eq!(heard[3].2.as_bytes(), CALL);
}

#[tokio::test]
async fn what_answers_something_else_is_passed_over() {
    let noise = [
        ": nothing\n\n",
        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\"}\n\n",
        "event: ping\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n",
        "data: no JSON\n\nid: 4\n\n",
        "data: {\"jsonrpc\":\"2.0\",\r\ndata: \"id\":1,\"result\":{\"a\":1}}\r\n\r\n",
    ];
    let (raw, _) = call(Script::honest().post(2, TAKEN, &noise.concat()), 4_096, CALL).await;
    assert_eq!(text(raw), "200 {\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{\"a\":1}}");
}

/// A server that says what comes of a call before it was called, and then does not take it.
#[tokio::test]
async fn an_answer_to_what_was_not_taken_is_none() {
    let early = format!("data: {ANSWER}\n\n");
    let before = Script::honest().post(1, TAKEN, &early).post(2, GONE, "");
    for script in [before, Script::honest().post(2, GONE, &early)] {
        let (raw, heard) = call(script, 4_096, CALL).await;
        assert_eq!((text(raw).as_str(), heard.len()), ("404 Unknown session", 4));
    }
}

#[tokio::test]
async fn messages_go_to_no_other_origin() {
    for place in [
        "http://127.0.0.1:1/message",
        "//example.com/message",
        "https://127.0.0.1/",
        "http://user@127.0.0.1:1/",
        "file:///etc",
        "http://",
    ] {
        let (raw, heard) = call(Script::beginning(&format!("{STREAM}event: endpoint\ndata: {place}\n\n")), 4_096, CALL).await;
        let said = text(raw);
        assert!(said.starts_with("not sent: it wants messages posted to "), "{place}: {said}");
        assert_eq!(heard.len(), 1, "{place}: {heard:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_something_else_is_not_asked() {
    for (stream, said) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", "403 no"),
        ("HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n", "302 "),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi",
            "not sent: what it answers is no stream of events",
        ),
        (STREAM, "not sent: the stream ended before the answer"),
        (&format!("{STREAM}endpoint\n\n"), "not sent: what comes on the stream is no event"),
        (&format!("{STREAM}{}", ": x\n".repeat(2_000)), "not sent: it says more than a server has to say before it is asked"),
        (&format!("{STREAM}data: {}", "x".repeat(8_000)), "not sent: it says more than a server has to say before it is asked"),
    ] {
        let (raw, heard) = call(Script::beginning(stream), 4_096, CALL).await;
        assert_eq!((text(raw).as_str(), heard.len()), (said, 1), "{stream}");
    }
    let declined = "data: {\"id\":\"casemate\",\"error\":{\"code\":-32602}}\n\n";
    let (raw, heard) = call(Script::honest().post(0, TAKEN, declined), 4_096, CALL).await;
    assert_eq!((text(raw).as_str(), heard.len()), ("not sent: it declines to begin a session", 2));
}

#[tokio::test]
async fn what_comes_of_a_call_is_told() {
    for (answer, said, came) in [
        (GONE, String::new(), "404 Unknown session".to_owned()),
        (TAKEN, String::new(), "broken: the stream ended before the answer".to_owned()),
        (TAKEN, "nonsense\n\n".to_owned(), "broken: what comes on the stream is no event".to_owned()),
        (TAKEN, format!("data: {}\n\n", "x".repeat(8_000)), "too large".to_owned()),
        (TAKEN, "data: {\"id\":1,\"error\":{}}\n\n".to_owned(), "200 {\"id\":1,\"error\":{}}".to_owned()),
    ] {
        let script = Script { ends: true, ..Script::honest().post(2, answer, &said) };
        assert_eq!(text(call(script, 4_096, CALL).await.0), came);
    }
}

#[tokio::test]
async fn what_nothing_could_answer_is_not_sent() {
    for message in [br#"{"jsonrpc":"2.0","method":"tools/call"}"#.as_slice(), br#"{"id":null}"#, b"[]", b""] {
        let (raw, heard) = call(Script::honest(), 4_096, message).await;
        assert!(text(raw).starts_with("not sent: what is asked has no id") && heard.is_empty());
    }
}
