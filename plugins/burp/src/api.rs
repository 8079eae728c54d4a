//! Burp's MCP server. The host has the session with it, over HTTP with SSE; what is here is one call of a tool and its answer.
//! <https://modelcontextprotocol.io/specification/2024-11-05/server/tools#calling-tools>

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Request, Response, SendError,
    field::Whole,
    path,
    tolerant::{Few, Flag, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// The upstream's name in plugin.toml.
const UPSTREAM: &str = "burp";
/// How long Burp may take to be read: it may ask its user first.
const PATIENCE: Duration = Duration::from_secs(20);
/// Items of one answer, where the call does not say.
const DEFAULT: i64 = 10;
/// Bytes of what a tool says: what the answer's limit leaves, or nothing.
const SAID: usize = 6 << 20;
/// JSON-RPC's codes for what was not even begun: no request, no such method or tool, wrong arguments.
const NOT_BEGUN: [i64; 3] = [-32_600, -32_601, -32_602];

/// Which items: arguments of the tools that read.
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
    /// The one item that has this number.
    pub(crate) fn of(number: Whole<0, 1_000_000>) -> Self {
        Self { count: Whole::new(1), offset: Some(number) }
    }

    /// Where the next page begins, if this one had so many items: one that is not full is the last.
    pub(crate) fn next(&self, items: usize) -> Option<i64> {
        i64::try_from(items).is_ok_and(|items| items >= self.most()).then(|| self.first() + self.most())
    }

    /// The numbers of its items.
    pub(crate) fn numbers(&self) -> std::ops::Range<i64> {
        self.first()..self.first() + self.most()
    }

    fn first(&self) -> i64 {
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

/// What an answer means.
enum Meaning {
    Text(String),
    /// Burp's user said no, or its settings do: a text like any other.
    Denied,
    /// There is no such tool, or it does not take this.
    Declined,
    /// The tool was run, and failed somewhere.
    Failed,
    /// It is no answer to the one request there was.
    Nothing,
}

impl From<Object<Said>> for Meaning {
    fn from(Object(Said { id, result: Object(outcome), error: Object(fault) }): Object<Said>) -> Self {
        if id.0 != Some(1) {
            return Self::Nothing;
        }
        if fault.code.0.is_some() || fault.message.0.is_some() {
            return if fault.code.0.is_some_and(|code| NOT_BEGUN.contains(&code)) { Self::Declined } else { Self::Failed };
        }
        if outcome.is_error.0 == Some(true) {
            return Self::Failed;
        }
        let texts: Vec<String> = outcome.content.0.into_iter().filter_map(|Object(Block { text })| text.0).collect();
        let text = texts.join("\n\n");
        if text.is_empty() {
            Self::Nothing
        } else if text.len() < 100 && text.trim_end().ends_with("denied by Burp Suite") {
            Self::Denied
        } else {
            Self::Text(text)
        }
    }
}

fn call<'cx>(cx: &'cx Context, params: &Value) -> Request<'cx> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    cx.upstream(UPSTREAM).post(path!("/")).json(&body)
}

/// What a tool of Burp's that lists things says.
pub(crate) fn list(cx: &Context, tool: &'static str, page: &Page) -> Result<String, Failure> {
    let arguments = json!({ "count": page.most(), "offset": page.first() });
    let answer = match call(cx, &json!({ "name": tool, "arguments": arguments })).timeout(PATIENCE).send() {
        Err(SendError::TimedOut(_)) => {
            return Err(Failure::unavailable("Burp did not answer in 20 seconds; it may be asking its user"));
        }
        answer => answer?,
    };
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let said: Object<Said> = answer.json()?;
    match Meaning::from(said) {
        Meaning::Text(text) => Ok(text),
        Meaning::Denied => Err(denied()),
        Meaning::Declined => Err(declined()),
        Meaning::Failed => Err(Failure::upstream("the tool of Burp's extension failed")),
        Meaning::Nothing => Err(Failure::upstream("what is asked for Burp answers with something that is no MCP")),
    }
}

/// What a tool of Burp's that does something says. `shown` is for whoever looks at a plan of it: MCP has a place for what is beside the
/// arguments, and Burp does not read it.
pub(crate) fn change(
    cx: &Context,
    change: Change,
    tool: &'static str,
    arguments: &Value,
    shown: &str,
) -> Result<String, Failure> {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": { "casemate": shown } });
    let said: Object<Said> = change.send(call(cx, &params), refused)?;
    match Meaning::from(said) {
        Meaning::Text(text) => Ok(text),
        Meaning::Denied => Err(denied()),
        Meaning::Declined => Err(declined()),
        Meaning::Failed => Err(change.unknown("the tool of Burp's extension failed, and does not say when")),
        Meaning::Nothing => Err(change.unknown("Burp took it and answered with something that is no MCP")),
    }
}

fn denied() -> Failure {
    Failure::unauthorized("nothing was done: somebody at Burp said no, or its settings do; they are in its MCP tab")
}

fn declined() -> Failure {
    Failure::upstream("nothing was done: Burp's extension does not have this tool, or takes something else by it")
}

fn refused(answer: &Response) -> Failure {
    match answer.status() {
        401 | 403 => Failure::unauthorized(
            "Burp's extension refused the request: it is for the machine that Burp runs on, and its own host and port",
        ),
        404 | 405 => Failure::upstream("Burp's extension is not here, or was restarted meanwhile; the operator has to look"),
        429 => Failure::rate_limited("Burp's extension wants fewer requests"),
        500..=599 => Failure::unavailable(format!("Burp's extension is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("Burp's extension answered with status {status}; is it Burp?")),
    }
    .with_retry_after(answer.retry_after())
}
