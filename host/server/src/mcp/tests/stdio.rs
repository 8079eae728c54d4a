//! Both revisions over lines: what a well-behaved client sees.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{FakeHouse, PATIENCE, SCHEMA, call, code, initialize, modern, request, text};
use crate::{
    identity,
    mcp::{Limits, StdioError, stdio::serve_streams},
};

/// The other end of a session.
pub(super) struct Client {
    pub(super) to: WriteHalf<DuplexStream>,
    from: Lines<BufReader<ReadHalf<DuplexStream>>>,
    pub(super) server: JoinHandle<Result<(), StdioError>>,
    pub(super) house: Arc<FakeHouse>,
    pub(super) shutdown: CancellationToken,
}

impl Client {
    pub(super) fn start() -> Self {
        Self::with(FakeHouse::default(), Limits::default())
    }

    /// A session through a pipe as small as a page, so that every larger message is read in parts.
    pub(super) fn with(house: FakeHouse, limits: Limits) -> Self {
        let (ours, theirs) = tokio::io::duplex(4096);
        let house = Arc::new(house);
        let shutdown = CancellationToken::new();
        let serving = serve_streams(Arc::clone(&house), identity::local(), limits, tokio::io::split(theirs), shutdown.clone());
        let (from, to) = tokio::io::split(ours);
        Self { to, from: BufReader::new(from).lines(), server: tokio::spawn(serving), house, shutdown }
    }

    /// A session that has agreed on 2025-11-25.
    pub(super) async fn initialized() -> Self {
        let mut client = Self::start();
        client.ask(&initialize("2025-11-25")).await;
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }

    pub(super) async fn say(&mut self, line: impl AsRef<[u8]>) {
        let said = async {
            self.to.write_all(line.as_ref()).await.expect("the server reads");
            self.to.write_all(b"\n").await.expect("the server reads");
        };
        tokio::time::timeout(PATIENCE, said).await.expect("the server did not read in time");
    }

    /// The next line, which must be one JSON-RPC message.
    pub(super) async fn hear(&mut self) -> Value {
        self.hear_line().await.map(|line| message(&line)).expect("the server went away")
    }

    pub(super) async fn hear_line(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.from.next_line()).await.expect("no answer in time").expect("the answer is text")
    }

    pub(super) async fn ask(&mut self, request: &Value) -> Value {
        self.say(request.to_string()).await;
        let answer = self.hear().await;
        assert_eq!(answer["id"], request["id"], "an answer to something else: {answer}");
        answer
    }

    /// Splits the client for writing and reading at the same time.
    pub(super) fn split(self) -> (WriteHalf<DuplexStream>, Lines<BufReader<ReadHalf<DuplexStream>>>) {
        (self.to, self.from)
    }

    /// Ends the input; gives what the server still says until it is gone, which must be soon.
    pub(super) async fn end(mut self) -> Vec<Value> {
        self.to.shutdown().await.expect("the stream can be ended");
        let mut rest = Vec::new();
        while let Some(line) = self.hear_line().await {
            rest.push(message(&line));
        }
        tokio::time::timeout(PATIENCE, self.server).await.expect("the server goes").expect("no panic").expect("a clean end");
        rest
    }
}

fn message(line: &str) -> Value {
    let message: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    assert_eq!(message["jsonrpc"], "2.0", "not JSON-RPC: {line}");
    message
}

/// What every revision has.
fn lists() -> Value {
    let changes = json!({"listChanged": true});
    let resources = json!({"listChanged": true, "subscribe": true});
    json!({"tools": changes, "prompts": changes, "resources": resources, "completions": {}})
}

#[tokio::test]
async fn initialize_agrees_on_a_revision_both_sides_know() {
    for (asked, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
    ] {
        let mut client = Client::start();
        let answer = client.ask(&initialize(asked)).await;
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], agreed, "asked for {asked}");
        assert_eq!(result["serverInfo"]["name"], "casemate");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        let mut capabilities = lists();
        capabilities["logging"] = json!({});
        assert_eq!(result["capabilities"], capabilities);
        assert!(result["instructions"].is_string());
        assert!(result.get("resultType").is_none());
        assert_eq!(client.ask(&request(2, "ping", json!({}))).await["result"], json!({}));
    }
}

#[tokio::test]
async fn discover_names_what_is_served_and_is_private() {
    let mut client = Client::start();
    let answer = client.ask(&request(1, "server/discover", modern(json!({})))).await;
    let result = &answer["result"];
    assert_eq!(result["supportedVersions"], json!(["2025-06-18", "2025-11-25", "2026-07-28"]));
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "private");
    let mut capabilities = lists();
    capabilities["extensions"] = json!({"io.modelcontextprotocol/tasks": {}});
    assert_eq!(result["capabilities"], capabilities);
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "casemate");
}

#[tokio::test]
async fn a_stateless_request_needs_no_handshake() {
    let mut client = Client::start();
    let list = client.ask(&request(1, "tools/list", modern(json!({})))).await;
    assert_eq!(list["result"]["resultType"], "complete");
    assert_eq!(list["result"]["cacheScope"], "private");
    assert!(list["result"]["ttlMs"].is_u64());
    let params = modern(json!({"name": "echo", "arguments": {"x": 1}}));
    let answer = client.ask(&request(2, "tools/call", params)).await;
    assert_eq!(text(&answer), r#"{"x":1}"#);
    assert_eq!(answer["result"]["resultType"], "complete");
    // Pings went with the handshake.
    assert_eq!(code(&client.ask(&request(3, "ping", modern(json!({})))).await), -32601);
}

#[tokio::test]
async fn a_stateless_request_says_all_it_has_to() {
    let mut client = Client::start();
    let mut params = modern(json!({}));
    params["_meta"].as_object_mut().expect("an object").remove("io.modelcontextprotocol/clientCapabilities");
    assert_eq!(code(&client.ask(&request(1, "tools/list", params)).await), -32602);
    let mut params = modern(json!({}));
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let answer = client.ask(&request(2, "tools/list", params)).await;
    assert_eq!(code(&answer), -32022);
    assert_eq!(answer["error"]["data"]["supported"], json!(["2025-06-18", "2025-11-25", "2026-07-28"]));
    let answer = client.ask(&request(3, "server/discover", json!({}))).await;
    assert_eq!(code(&answer), -32602);
}

#[tokio::test]
async fn the_2025_revisions_keep_their_shapes() {
    let mut client = Client::initialized().await;
    let list = client.ask(&request(1, "tools/list", json!({}))).await;
    let answer = client.ask(&call(2, "echo", json!({}))).await;
    for result in [&list["result"], &answer["result"]] {
        for newer in ["resultType", "ttlMs", "cacheScope"] {
            assert!(result.get(newer).is_none(), "{newer} in {result}");
        }
    }
}

#[tokio::test]
async fn tools_are_listed_in_order_and_as_they_were_signed() {
    let mut client = Client::initialized().await;
    client.say(request(1, "tools/list", json!({})).to_string()).await;
    let line = client.hear_line().await.expect("an answer");
    assert!(line.contains(&format!(r#""inputSchema":{SCHEMA}"#)), "the schema was rewritten: {line}");
    let answer: Value = serde_json::from_str(&line).expect("JSON");
    let tools = answer["result"]["tools"].as_array().expect("a list");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["echo", "hang", "only_local", "panic", "progress", "slow", "structured"]);
    assert_eq!(tools[0]["title"], "ECHO");
    assert_eq!(tools[0]["description"], "does echo");
    let hints = json!({"readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": true});
    assert_eq!(tools[0]["annotations"], hints);
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let mut client = Client::with(FakeHouse::default(), Limits { tools_per_page: 3, ..Limits::default() });
    client.ask(&initialize("2025-11-25")).await;
    let (mut names, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let params = if cursor.is_null() { json!({}) } else { json!({"cursor": cursor}) };
        let answer = client.ask(&request(pages, "tools/list", params)).await;
        let tools = answer["result"]["tools"].as_array().expect("a list").clone();
        names.extend(tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()));
        pages += 1;
        match answer["result"].get("nextCursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    assert_eq!((pages, names.len()), (3, 7));
    assert!(names.is_sorted());
    assert_eq!(code(&client.ask(&request(9, "tools/list", json!({"cursor": "3"}))).await), -32602);
}

#[tokio::test]
async fn a_reply_reaches_the_client_whole() {
    let mut client = Client::initialized().await;
    client.say(call(1, "structured", json!({})).to_string()).await;
    let line = client.hear_line().await.expect("an answer");
    assert!(line.contains(r#""structuredContent":{"b":1,"a":2}"#), "{line}");
    let answer: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(answer["result"]["_meta"], json!({"labels": ["untrusted"]}));
    assert_eq!(answer["result"]["isError"], false);
    // Structured content that is no object exists since 2026-07-28 only.
    let answer = client.ask(&call(2, "structured", json!({"value": [1]}))).await;
    assert!(answer["result"].get("structuredContent").is_none());
    let params = modern(json!({"name": "structured", "arguments": {"value": [1]}}));
    let answer = client.ask(&request(3, "tools/call", params)).await;
    assert_eq!(answer["result"]["structuredContent"], json!([1]));
}

#[tokio::test]
async fn a_denied_call_and_an_unknown_tool_are_results_that_the_house_words() {
    let mut client = Client::initialized().await;
    let answer = client.ask(&call(1, "no_such_tool", json!({}))).await;
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(text(&answer), "no tool `no_such_tool` is available");
    assert_eq!(answer["result"]["structuredContent"]["decision"], "denied");
}

#[tokio::test]
async fn the_principal_is_who_started_the_process_whatever_the_client_says() {
    let mut client = Client::initialized().await;
    let params = json!({"name": "whoami", "_meta": {"principal": "token:admin"}, "arguments": {"principal": "token:admin"}});
    assert_eq!(text(&client.ask(&request(1, "tools/call", params)).await), "local");
}

#[tokio::test]
async fn progress_is_sent_only_if_asked_for_and_only_upwards() {
    let mut client = Client::initialized().await;
    assert_eq!(text(&client.ask(&call(1, "progress", json!({}))).await), "false");
    let params = json!({"name": "progress", "arguments": {}, "_meta": {"progressToken": "p1"}});
    client.say(request(2, "tools/call", params).to_string()).await;
    for step in [1.0, 2.0, 3.0] {
        let report = client.hear().await;
        assert_eq!(report["method"], "notifications/progress");
        assert_eq!(report["params"]["progressToken"], "p1");
        assert_eq!(report["params"]["progress"], step);
        assert_eq!(report["params"]["total"], 3.0);
    }
    assert_eq!(client.hear().await["id"], 2);
}
