//! What `rmcp` leaves open on a stream of lines, a test each.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{FakeHouse, PATIENCE, call, code, initialize, reaches, request, stdio::Client, text};
use crate::mcp::Limits;

#[tokio::test]
async fn a_panicking_handler_answers_and_the_server_goes_on() {
    let mut client = Client::initialized().await;
    assert_eq!(code(&client.ask(&call(1, "panic", json!({}))).await), -32603);
    assert_eq!(text(&client.ask(&call(2, "echo", json!({}))).await), "{}");

    let mut client = Client::with(FakeHouse { broken_list: true, ..FakeHouse::default() }, Limits::default());
    client.ask(&initialize("2025-11-25")).await;
    assert_eq!(code(&client.ask(&request(1, "tools/list", json!({}))).await), -32603);
    assert_eq!(text(&client.ask(&call(2, "echo", json!({}))).await), "{}");
}

#[tokio::test]
async fn a_panic_says_nothing_about_itself() {
    let mut client = Client::initialized().await;
    let answer = client.ask(&call(1, "panic", json!({}))).await;
    assert!(!answer.to_string().contains("a call that panics"));
}

#[tokio::test]
async fn malformed_params_are_invalid_params() {
    let mut client = Client::initialized().await;
    for params in [json!({}), json!({"name": 7}), json!({"name": "echo", "arguments": []}), json!([]), json!("echo"), Value::Null]
    {
        assert_eq!(code(&client.ask(&request(1, "tools/call", params.clone())).await), -32602, "{params}");
    }
    assert_eq!(code(&client.ask(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call"})).await), -32602);
    assert_eq!(code(&client.ask(&request(3, "tools/list", json!({"cursor": 7}))).await), -32602);
    assert_eq!(code(&client.ask(&request(4, "initialize", json!({}))).await), -32602);
    assert_eq!(client.house.started.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn unknown_methods_are_not_found() {
    let mut client = Client::initialized().await;
    for method in ["tools/execute", "", "prompts/fill", "sampling/createMessage", "roots/list", "subscriptions/listen"] {
        assert_eq!(code(&client.ask(&request(1, method, json!({}))).await), -32601, "{method}");
    }
    // Known ones without what they need.
    for method in ["prompts/get", "resources/read", "resources/subscribe", "completion/complete", "logging/setLevel"] {
        assert_eq!(code(&client.ask(&request(1, method, json!({}))).await), -32602, "{method}");
    }
    // What this client has not said that it can do.
    assert_eq!(code(&client.ask(&request(1, "tasks/get", json!({"taskId": "t"}))).await), -32021);
}

#[tokio::test]
async fn an_unparsable_line_is_a_parse_error_and_the_session_goes_on() {
    let mut client = Client::initialized().await;
    for line in [&b"hello"[..], b"{", b"{\"jsonrpc\":\"2.0\",\"id\":1,", b"\xff\xfe", b"\0"] {
        client.say(line).await;
        let answer = client.hear().await;
        assert_eq!(code(&answer), -32700);
        assert!(answer.as_object().expect("an object").get("id").expect("there is an id").is_null());
    }
    client.say("").await;
    client.say(" \t\r").await;
    assert_eq!(text(&client.ask(&call(2, "echo", json!({}))).await), "{}");
}

#[tokio::test]
async fn an_invalid_request_object_is_an_invalid_request() {
    let mut client = Client::initialized().await;
    for (line, id) in [
        ("1", Value::Null),
        (r#"{"id":5,"method":"ping"}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":5,"method":["ping"]}"#, json!(5)),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#, Value::Null),
        ("[]", Value::Null),
    ] {
        client.say(line).await;
        let answer = client.hear().await;
        assert_eq!((code(&answer), &answer["id"]), (-32600, &id), "{line}");
    }
    assert_eq!(text(&client.ask(&call(2, "echo", json!({}))).await), "{}");
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_and_the_next_one_read() {
    let mut client = Client::with(FakeHouse::default(), Limits { message_bytes: 10_000, ..Limits::default() });
    client.ask(&initialize("2025-11-25")).await;
    client.say(call(1, "echo", json!({"x": "y".repeat(50_000)})).to_string()).await;
    let answer = client.hear().await;
    assert_eq!((code(&answer), &answer["id"]), (-32600, &Value::Null));
    assert!(answer["error"]["message"].as_str().expect("a message").contains("10000 bytes"));
    assert_eq!(text(&client.ask(&call(2, "echo", json!({}))).await), "{}");
}

#[tokio::test]
async fn nothing_before_initialize_ends_the_session() {
    let mut client = Client::start();
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    client.say(r#"{"jsonrpc":"2.0","method":"$/unheard-of"}"#).await;
    client.say(r#"{"jsonrpc":"2.0","id":9,"result":{}}"#).await;
    client.say(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}"#).await;
    assert_eq!(client.ask(&request(1, "ping", json!({}))).await["result"], json!({}));
    // No revision is agreed, so nothing that depends on one is served.
    assert_eq!(code(&client.ask(&request(2, "tools/list", json!({}))).await), -32602);
    assert_eq!(code(&client.ask(&call(3, "echo", json!({}))).await), -32602);
    assert_eq!(client.house.started.load(Ordering::SeqCst), 0);
    client.ask(&initialize("2025-11-25")).await;
    assert_eq!(text(&client.ask(&call(4, "echo", json!({}))).await), "{}");
}

#[tokio::test]
async fn a_cancelled_call_stops_and_stays_unanswered() {
    let mut client = Client::initialized().await;
    client.say(call(1, "hang", json!({})).to_string()).await;
    reaches(&client.house.started, 1).await;
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"enough"}}"#).await;
    reaches(&client.house.cancelled, 1).await;
    assert_eq!(text(&client.ask(&call(2, "echo", json!({}))).await), "{}");
    assert!(client.end().await.is_empty());
}

#[tokio::test]
async fn an_id_in_flight_is_refused_and_its_first_request_still_answered() {
    let mut client = Client::initialized().await;
    client.say(call(1, "slow", json!({"n": 1})).to_string()).await;
    client.say(call(1, "echo", json!({"n": 2})).to_string()).await;
    let (first, second) = (client.hear().await, client.hear().await);
    assert_eq!((code(&first), &first["id"]), (-32600, &json!(1)));
    assert_eq!((text(&second), &second["id"]), (r#"{"n":1}"#, &json!(1)));
    // Answered: free again.
    assert_eq!(text(&client.ask(&call(1, "echo", json!({}))).await), "{}");
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_another_requests() {
    let mut client = Client::initialized().await;
    client.say(call(1, "slow", json!({"old": true})).to_string()).await;
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    assert_eq!(code(&client.ask(&call(1, "hang", json!({}))).await), -32600);
}

#[tokio::test]
async fn calls_in_flight_are_bounded() {
    let mut client = Client::with(FakeHouse::default(), Limits { calls_in_flight: 2, ..Limits::default() });
    client.ask(&initialize("2025-11-25")).await;
    for id in [1, 2] {
        client.say(call(id, "hang", json!({})).to_string()).await;
    }
    reaches(&client.house.started, 2).await;
    let answer = client.ask(&call(3, "echo", json!({}))).await;
    assert_eq!(code(&answer), -32005);
    assert!(answer["error"]["message"].as_str().expect("a message").starts_with("busy: 2 calls"));
    // Listing and pings are not calls.
    assert!(client.ask(&request(4, "tools/list", json!({}))).await["result"].is_object());
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    reaches(&client.house.cancelled, 1).await;
    let mut answer = client.ask(&call(5, "echo", json!({}))).await;
    for id in 6..100 {
        // The place is free when the cancelled call's task has ended, a moment after the call.
        if answer.get("error").is_none() {
            break;
        }
        answer = client.ask(&call(id, "echo", json!({}))).await;
    }
    assert_eq!(text(&answer), "{}");
}

#[tokio::test]
async fn the_end_of_input_cancels_calls_and_ends_at_once() {
    let mut client = Client::initialized().await;
    client.say(call(1, "hang", json!({})).to_string()).await;
    reaches(&client.house.started, 1).await;
    let house = Arc::clone(&client.house);
    let started = Instant::now();
    client.end().await;
    assert_eq!(house.cancelled.load(Ordering::SeqCst), 1);
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_that_ignores_its_cancellation_does_not_hold_up_the_end() {
    let mut client = Client::initialized().await;
    client.say(call(1, "stubborn", json!({})).to_string()).await;
    reaches(&client.house.started, 1).await;
    let started = Instant::now();
    client.to.shutdown().await.expect("the stream can be ended");
    tokio::time::timeout(PATIENCE, client.server).await.expect("in time").expect("no panic").expect("a clean end");
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
}

#[tokio::test]
async fn the_end_of_input_before_anything_is_a_clean_end() {
    assert!(Client::start().end().await.is_empty());
}

#[tokio::test]
async fn a_last_line_without_its_end_is_read() {
    let mut client = Client::initialized().await;
    client.say(request(1, "ping", json!({})).to_string()).await;
    client.hear().await;
    let (mut to, mut from) = client.split();
    to.write_all(request(2, "ping", json!({})).to_string().as_bytes()).await.expect("the server reads");
    to.shutdown().await.expect("the stream can be ended");
    let answer = from.next_line().await.expect("text").expect("an answer");
    assert!(answer.contains(r#""id":2"#));
}

#[tokio::test]
async fn shutdown_cancels_calls_and_ends_the_session() {
    let mut client = Client::initialized().await;
    client.say(call(1, "hang", json!({})).to_string()).await;
    reaches(&client.house.started, 1).await;
    client.shutdown.cancel();
    tokio::time::timeout(PATIENCE, client.server).await.expect("in time").expect("no panic").expect("a clean end");
    assert_eq!(client.house.cancelled.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_client_that_stops_reading_for_good_ends_the_session() {
    let mut client = Client::initialized().await;
    client.say(call(1, "hang", json!({})).to_string()).await;
    reaches(&client.house.started, 1).await;
    client.say(call(2, "echo", json!({})).to_string()).await;
    let (house, server) = (Arc::clone(&client.house), std::mem::replace(&mut client.server, tokio::spawn(async { Ok(()) })));
    drop(client);
    tokio::time::timeout(PATIENCE, server).await.expect("in time").expect("no panic").expect("a clean end");
    assert_eq!(house.cancelled.load(Ordering::SeqCst), 1);
}

/// An older `rmcp` lost requests that were being read while an answer was written.
#[tokio::test]
async fn large_requests_with_two_in_flight_are_not_lost() {
    const REQUESTS: usize = 200;
    let client = Client::initialized().await;
    let (mut to, mut from) = client.split();
    let filler = "z".repeat(10_000);
    let writing = tokio::spawn(async move {
        for id in 0..REQUESTS {
            let line =
                call(id, if id % 2 == 0 { "slow" } else { "echo" }, json!({"id": id, "filler": filler})).to_string() + "\n";
            to.write_all(line.as_bytes()).await.expect("the server reads");
        }
        to
    });
    let mut answered = HashSet::new();
    for _ in 0..REQUESTS {
        let line = tokio::time::timeout(PATIENCE, from.next_line()).await.expect("in time").expect("text").expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        let echoed: Value = serde_json::from_str(text(&answer)).expect("the echo is JSON");
        assert_eq!(echoed["id"], answer["id"]);
        assert!(answered.insert(answer["id"].as_u64().expect("a number")));
    }
    drop(writing.await.expect("no panic"));
}

/// More requests than may be in flight, from a client that writes all before it reads any: the server stops reading, and
/// once the client reads, each request has one answer.
#[tokio::test]
async fn every_request_has_exactly_one_answer_however_late_they_are_read() {
    const REQUESTS: usize = 10_000;
    let client = Client::initialized().await;
    let (mut to, mut from) = client.split();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writing = tokio::spawn(async move {
        for id in 0..REQUESTS {
            to.write_all((request(id, "ping", json!({})).to_string() + "\n").as_bytes()).await.expect("the server reads");
            count.fetch_add(1, Ordering::SeqCst);
        }
        to
    });
    let mut before = usize::MAX;
    while before != written.load(Ordering::SeqCst) {
        before = written.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(before < REQUESTS, "answers pile up in the server for a client that does not read them");
    let mut answered = HashSet::new();
    for _ in 0..REQUESTS {
        let line = tokio::time::timeout(PATIENCE, from.next_line()).await.expect("in time").expect("text").expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer["result"].is_object() || code(&answer) == -32005, "{answer}");
        assert!(answered.insert(answer["id"].as_u64().expect("a number")), "two answers: {answer}");
    }
    drop(writing.await.expect("no panic"));
}
