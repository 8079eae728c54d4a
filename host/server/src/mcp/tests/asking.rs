//! What a client is asked while a call is made, and what becomes of the call when no answer comes.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::{Value, json};

use super::{FakeHouse, call, initialize, request, stdio::Client, text};
use crate::mcp::Limits;

/// A client of 2025 that can ask, and has been asked something by its first call.
async fn asked(limits: Limits) -> (Client, Value) {
    let mut client = Client::with(FakeHouse::default(), limits);
    let mut hello = initialize("2025-11-25");
    hello["params"]["capabilities"] = json!({"elicitation": {}});
    client.ask(&hello).await;
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    client.say(call(1, "ask", json!({})).to_string()).await;
    let question = client.hear().await;
    assert_eq!((&question["method"], &question["params"]["message"]), (&json!("elicitation/create"), &json!("sure?")));
    (client, question["id"].clone())
}

#[tokio::test]
async fn the_answer_goes_with_the_same_call() {
    let (mut client, question) = asked(Limits::default()).await;
    let yes = json!({"jsonrpc": "2.0", "id": question, "result": {"action": "accept", "content": {"approve": true}}});
    client.say(yes.to_string()).await;
    assert_eq!(text(&client.hear().await), "the note came back with Yes");
    assert_eq!(client.house.started.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_question_without_an_answer_is_taken_back_and_the_call_waits() {
    let (mut client, question) = asked(Limits { answer: Duration::from_millis(50), ..Limits::default() }).await;
    let taken_back = client.hear().await;
    assert_eq!((&taken_back["method"], &taken_back["params"]["requestId"]), (&json!("notifications/cancelled"), &question));
    let answer = client.hear().await;
    assert_eq!((&answer["id"], text(&answer)), (&json!(1), "it waits"));
    // Too late.
    client
        .say(json!({"jsonrpc": "2.0", "id": question, "result": {"action": "accept", "content": {"approve": true}}}).to_string())
        .await;
    client.ask(&request(2, "ping", json!({}))).await;
    assert_eq!(client.house.started.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_question_keeps_no_other_call_from_being_made() {
    let (mut client, _) = asked(Limits::default()).await;
    assert_eq!(text(&client.ask(&call(2, "echo", json!({"x": 1}))).await), r#"{"x":1}"#);
}
