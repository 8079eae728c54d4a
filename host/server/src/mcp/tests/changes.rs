//! A client that is there when the list of tools changes is told, in the way of its revision.

use std::sync::Arc;

use casemate_policy::Timestamp;
use rmcp::{
    model::{ProtocolVersion, ServerNotification, SubscriptionFilter},
    service::{ClientLifecycleMode, ClientServiceExt},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{FakeHouse, PATIENCE, call, code, initialize, modern, request, stdio::Client, text};
use crate::{
    identity::Identity,
    mcp::{changes::STREAMS, http},
    token::TokenFile,
};

/// The id that ties a notification to the stream it is on (2026-07-28).
const STREAM_ID: &str = "io.modelcontextprotocol/subscriptionId";

fn listen(id: u32, notifications: Value) -> Value {
    request(id, "subscriptions/listen", modern(json!({ "notifications": notifications })))
}

#[tokio::test]
async fn a_client_of_2025_is_told_once_it_is_initialized() {
    let mut client = Client::start();
    client.ask(&initialize("2025-11-25")).await;
    client.house.take_guest_in();
    // Not before it said that it is ready: the next thing it hears is the answer.
    assert_eq!(client.ask(&call(1, "echo", json!({}))).await["id"], 1);
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    assert_eq!(client.ask(&call(2, "echo", json!({}))).await["id"], 2);
    client.house.take_guest_in();
    assert_eq!(client.hear().await, json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
    // Once, however often it said so.
    let list = client.ask(&request(3, "tools/list", json!({}))).await;
    assert!(list["result"]["tools"].as_array().expect("a list").iter().any(|tool| tool["name"] == "guest"));
    assert_eq!(client.end().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_client_of_2026_is_told_on_the_stream_it_asked_for_and_nowhere_else() {
    let mut client = Client::start();
    let params = modern(json!({"name": "echo", "arguments": {}}));
    assert_eq!(text(&client.ask(&request(1, "tools/call", params)).await), "{}");
    client.house.take_guest_in();
    client.say(listen(2, json!({"toolsListChanged": true, "resourceSubscriptions": ["casemate://nothing"]})).to_string()).await;
    let accepted = client.hear().await;
    assert_eq!(accepted["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(accepted["params"]["notifications"], json!({"toolsListChanged": true}), "what is not served is not promised");
    client.house.take_guest_in();
    let told = client.hear().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"][STREAM_ID], 2);
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#).await;
    let params = modern(json!({"name": "echo", "arguments": {}}));
    client.say(request(3, "tools/call", params).to_string()).await;
    while client.hear().await["id"] != 3 {}
    client.house.take_guest_in();
    assert_eq!(client.end().await, Vec::<Value>::new(), "told although it no longer listens");
}

#[tokio::test]
async fn streams_have_a_bound_and_give_their_places_back() {
    let mut client = Client::start();
    let wanted = json!({"toolsListChanged": true});
    let streams = u32::try_from(STREAMS).expect("a small number");
    for id in 1..=streams {
        client.say(listen(id, wanted.clone()).to_string()).await;
        assert_eq!(client.hear().await["params"]["_meta"][STREAM_ID], id);
    }
    client.say(listen(99, wanted.clone()).to_string()).await;
    let refused = loop {
        let message = client.hear().await;
        if message["id"] == 99 {
            break message;
        }
    };
    assert_eq!(code(&refused), -32005);
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    client.ask(&request(100, "tools/list", modern(json!({})))).await;
    client.say(listen(101, wanted).to_string()).await;
    assert_eq!(client.hear().await["params"]["_meta"][STREAM_ID], 101);
    client.house.take_guest_in();
    assert_eq!(client.hear().await["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_stream_asked_for_badly_is_refused_and_2025_has_none() {
    let mut client = Client::start();
    let answer = client.ask(&request(1, "subscriptions/listen", modern(json!({"notifications": 5})))).await;
    assert_eq!(code(&answer), -32602);
    let mut client = Client::initialized().await;
    let answer = client.ask(&request(1, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}))).await;
    assert_eq!(code(&answer), -32601);
}

/// An endpoint with one token.
async fn endpoint() -> (TcpListener, Arc<Identity>, String) {
    let mut tokens = TokenFile::default();
    let made = tokens.issue("ann".parse().expect("a name"), Timestamp::from_millis(0), None);
    let token = made.expect("a token").reveal().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    (listener, Arc::new(Identity::new(tokens, || Timestamp::from_millis(1))), token)
}

#[tokio::test]
async fn over_http_both_revisions_are_told() {
    let (listener, identity, token) = endpoint().await;
    let address = listener.local_addr().expect("an address");
    let (house, shutdown) = (Arc::new(FakeHouse::default()), CancellationToken::new());
    let serving = tokio::spawn(http::serve(listener, Arc::clone(&house), identity, http::Options::default(), shutdown.clone()));

    // A session of 2025 hears it on its standing stream.
    let open = |head: String, body: String| async move {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "{head}host: {address}\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("the server reads");
        BufReader::new(stream).lines()
    };
    let bearer = format!("authorization: Bearer {token}\r\n");
    let mut answer = open(format!("POST /mcp HTTP/1.1\r\n{bearer}"), initialize("2025-11-25").to_string()).await;
    let session = loop {
        let line = answer.next_line().await.expect("text").expect("an answer");
        if let Some(session) = line.strip_prefix("mcp-session-id: ") {
            break session.to_owned();
        }
    };
    let of_session = format!("{bearer}mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let mut accepted = open(format!("POST /mcp HTTP/1.1\r\n{of_session}"), ready).await;
    assert!(accepted.next_line().await.expect("text").expect("an answer").contains("202"));
    let mut standing = open(format!("GET /mcp HTTP/1.1\r\n{of_session}"), String::new()).await;

    // A client of 2026 on the stream it asked for.
    let of_2026 = format!("{bearer}mcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\n");
    let mut asked =
        open(format!("POST /mcp HTTP/1.1\r\n{of_2026}"), listen(7, json!({"toolsListChanged": true})).to_string()).await;
    let line = async |stream: &mut tokio::io::Lines<BufReader<TcpStream>>, part: &str| {
        let found = async {
            loop {
                let line = stream.next_line().await.expect("text").expect("the stream goes on");
                if line.contains(part) {
                    return line;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("`{part}` does not come"))
    };
    line(&mut standing, "200").await;
    line(&mut asked, "notifications/subscriptions/acknowledged").await;
    house.take_guest_in();
    line(&mut standing, "notifications/tools/list_changed").await;
    assert!(line(&mut asked, "notifications/tools/list_changed").await.contains(STREAM_ID));

    shutdown.cancel();
    let ended = tokio::time::timeout(PATIENCE, serving).await.expect("the server ends although streams are open");
    ended.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn the_rmcp_client_listens() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (house, shutdown) = (Arc::new(FakeHouse::default()), CancellationToken::new());
    let streams = tokio::io::split(theirs);
    let serving = crate::mcp::stdio::serve_streams(
        Arc::clone(&house),
        crate::identity::local(),
        crate::mcp::Limits::default(),
        streams,
        shutdown.clone(),
    );
    let server = tokio::spawn(serving);
    let newest = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = ().serve_with_lifecycle(ours, newest).await.expect("the handshake succeeds");
    let mut changes = client.listen(SubscriptionFilter::builder().tools_list_changed().build()).await.expect("a stream");
    house.take_guest_in();
    let told = tokio::time::timeout(PATIENCE, changes.next()).await.expect("it is told").expect("the stream goes on");
    assert!(matches!(told, Some(ServerNotification::ToolListChangedNotification(_))), "{told:?}");
    shutdown.cancel();
    let _ = client.cancel().await;
    server.await.expect("no panic").expect("a clean end");
}
