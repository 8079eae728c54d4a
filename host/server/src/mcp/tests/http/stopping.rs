//! The end of the endpoint: what has begun comes to its end, as far as it is let.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;

use super::{Ask, HttpSettings, PATIENCE, Server, call, modern, modern_headers, options, reaches, read, request, text};

#[tokio::test]
async fn a_call_that_runs_is_answered_before_the_end() {
    let server = Server::start().await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    // Streams that never end by themselves hold nothing up.
    let _listening = server.send("GET", "/mcp", &ask, "").await;
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];
    let listen = request(9, "subscriptions/listen", modern(json!({ "notifications": { "toolsListChanged": true } })));
    let stateless = Ask { token: Some(&server.ann), headers: &headers, ..Ask::default() };
    let _changes = server.send("POST", "/mcp", &stateless, &listen.to_string()).await;
    let running = server.send("POST", "/mcp", &ask, &call(1, "long", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    server.shutdown.ask();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(server.address).await.is_err(), "still listening");
    assert_eq!(text(&read(running).await.message()), "done");
    let started = Instant::now();
    tokio::time::timeout(PATIENCE, server.serving).await.expect("in time").expect("no panic");
    assert!(started.elapsed() < Duration::from_secs(5), "the drain was over: {:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_that_outlasts_the_drain_is_cancelled() {
    let server = Server::with(options(HttpSettings { drain: Duration::from_millis(200), ..HttpSettings::default() })).await;
    let headers = modern_headers("hang");
    let ask = Ask { token: Some(&server.ann), headers: &headers, ..Ask::default() };
    let message = request(1, "tools/call", modern(json!({"name": "hang", "arguments": {}})));
    let _hanging = server.send("POST", "/mcp", &ask, &message.to_string()).await;
    reaches(&server.house.started, 1).await;
    server.shutdown.ask();
    tokio::time::timeout(PATIENCE, server.serving).await.expect("in time").expect("no panic");
    reaches(&server.house.cancelled, 1).await;
}

#[tokio::test]
async fn a_second_word_does_not_wait_for_the_drain() {
    let server = Server::with(options(HttpSettings { drain: Duration::from_secs(3600), ..HttpSettings::default() })).await;
    let session = server.session(&server.ann).await;
    let ask = Ask { token: Some(&server.ann), session: Some(&session), ..Ask::default() };
    let _hanging = server.send("POST", "/mcp", &ask, &call(1, "hang", json!({})).to_string()).await;
    reaches(&server.house.started, 1).await;
    server.shutdown.ask();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!server.serving.is_finished(), "the call may run on");
    server.shutdown.hurry();
    tokio::time::timeout(PATIENCE, server.serving).await.expect("in time").expect("no panic");
    reaches(&server.house.cancelled, 1).await;
}
