//! Burp's MCP server, behind a bridge that answers each call by itself: Streamable HTTP, without a session.
//! <https://modelcontextprotocol.io/specification/2025-06-18/basic/transports>

use std::time::Duration;

use casemate_plugin::{
    Context, Failure, Response,
    field::Whole,
    path,
    tolerant::{Few, Flag, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "burp";
/// How long Burp may take: it may ask its user first.
const PATIENCE: Duration = Duration::from_secs(25);
/// Items of one answer, where the call does not say.
const DEFAULT: i64 = 10;
/// Bytes of what a tool says: what the answer's limit leaves, or nothing.
const SAID: usize = 2 << 20;

/// Which items: arguments of both tools.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// How many at most; 10 where it is left out
    #[serde(default)]
    count: Option<Whole<1, 50>>,
    /// How many to pass over
    #[serde(default)]
    offset: Option<Whole<0, 1_000_000>>,
}

impl Page {
    /// Where the next one begins.
    pub(crate) fn next(&self) -> i64 {
        self.first() + self.most()
    }

    /// The number of its first item.
    pub(crate) fn first(&self) -> i64 {
        self.offset.map_or(0, Whole::number)
    }

    fn most(&self) -> i64 {
        self.count.map_or(DEFAULT, Whole::number)
    }
}

/// `{"jsonrpc": "2.0", "id": 1, "result": …}` or with an `error`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    id: Number,
    result: Object<Outcome>,
    error: Object<Fault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Outcome {
    content: Few<Object<Block>, 100>,
    is_error: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block {
    text: Verbatim<SAID>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    code: Number,
    message: Text<10>,
}

/// What a tool of Burp's says.
pub(crate) fn call(cx: &Context, tool: &'static str, page: &Page) -> Result<String, Failure> {
    let arguments = json!({ "count": page.most(), "offset": page.first() });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    let request = cx.upstream(UPSTREAM).post(path!("/mcp")).header("accept", "application/json, text/event-stream");
    let answer = request.json(&body).timeout(PATIENCE).send()?;
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let Some(Said { result: Object(outcome), error: Object(error), .. }) = said(&answer) else {
        return Err(Failure::upstream("what is asked for Burp answers with something that is no MCP"));
    };
    if error.code.0.is_some() || error.message.0.is_some() {
        return Err(Failure::upstream("Burp's extension does not know this tool, or declines to run it"));
    }
    let texts: Vec<String> = outcome.content.0.into_iter().filter_map(|Object(Block { text })| text.0).collect();
    let text = texts.join("\n\n");
    if outcome.is_error.0 == Some(true) {
        return Err(Failure::upstream("the tool of Burp's extension failed"));
    }
    // A denial is a text like any other.
    if text.len() < 200 && text.contains("denied by Burp Suite") {
        return Err(Failure::unauthorized("somebody at Burp said no, or its settings do; they are in its MCP tab"));
    }
    Ok(text)
}

/// The answer to the one request there was: the body, or the one event of a stream that has it.
fn said(answer: &Response) -> Option<Said> {
    let is_stream = answer.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"));
    if !is_stream {
        return serde_json::from_slice(answer.bytes()).ok().filter(|said: &Said| said.id.0 == Some(1));
    }
    let stream = std::str::from_utf8(answer.bytes()).ok()?.replace("\r\n", "\n");
    let events = stream.split("\n\n").map(|event| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    });
    events.filter_map(|data| serde_json::from_str(&data).ok()).find(|said: &Said| said.id.0 == Some(1))
}

fn refused(answer: &Response) -> Failure {
    match answer.status() {
        401 | 403 => Failure::unauthorized("the bridge to Burp refused the request: it may take another host name than this one"),
        404..=406 => Failure::upstream("there is no MCP over Streamable HTTP at /mcp; is it the bridge to Burp?"),
        429 => Failure::rate_limited("the bridge to Burp wants fewer requests"),
        500..=599 => {
            Failure::unavailable(format!("the bridge to Burp is out of order (status {}); is Burp running?", answer.status()))
        }
        status => Failure::upstream(format!("the bridge to Burp answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}
