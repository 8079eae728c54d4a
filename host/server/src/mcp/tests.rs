//! The protocol against a house that does what the tests need, in the words a client would put on the wire.

mod asking;
mod changes;
mod child;
mod http;
mod rmcp_client;
mod stdio;
mod stdio_gaps;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use casemate_ledger::Ledger;
use casemate_policy::Principal;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Annotations, CallRequest, House, ProgressSink, Question, Reply, ToolListing};

/// Long enough for anything that happens at all on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A schema whose keys are in no order that a map would choose, with members that only some clients know.
const SCHEMA: &str = r##"{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"$ref":"#/$defs/n"},"beta":{"x-mcp-header":"Beta","type":"string"}},"required":["zeta"],"additionalProperties":false,"$defs":{"n":{"$anchor":"n","type":"integer","maximum":9007199254740993}},"x-vendor":[1,{"b":1.0,"a":0.25}]}"##;

/// Tools named after what they do. Any other name is answered as a denied tool would be.
#[derive(Default)]
pub(super) struct FakeHouse {
    ledger: FakeLedger,
    started: AtomicUsize,
    cancelled: AtomicUsize,
    /// The list cannot be had.
    broken_list: bool,
    /// A tool that comes and goes.
    guest: AtomicBool,
    changes: watch::Sender<u64>,
}

/// In memory.
struct FakeLedger(Ledger);

impl Default for FakeLedger {
    fn default() -> Self {
        Self(Ledger::in_memory().expect("a ledger in memory"))
    }
}

impl FakeHouse {
    /// One tool more.
    fn take_guest_in(&self) {
        self.guest.store(true, Ordering::SeqCst);
        self.changes.send_modify(|count| *count += 1);
    }
}

pub(super) fn listing(name: &str) -> ToolListing {
    ToolListing {
        icon: None,
        name: name.into(),
        title: name.to_uppercase(),
        description: format!("does {name}"),
        input_schema: Arc::new(serde_json::from_str(SCHEMA).expect("the schema is JSON")),
        output_schema: None,
        annotations: Annotations { read_only: true, destructive: false, idempotent: true, open_world: true },
    }
}

impl House for FakeHouse {
    fn tools(&self, principal: &Principal) -> Arc<[ToolListing]> {
        assert!(!self.broken_list, "a list that breaks");
        ["slow", "echo", "hang", "panic", "structured", "progress"]
            .map(listing)
            .into_iter()
            .chain([listing(&format!("only_{}", principal.id().as_str().replace(':', "-")))])
            .chain(self.guest.load(Ordering::SeqCst).then(|| listing("guest")))
            .collect()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.0)
    }

    async fn call(
        &self,
        principal: Principal,
        request: CallRequest,
        cancel: CancellationToken,
        progress: Option<ProgressSink>,
    ) -> Reply {
        self.started.fetch_add(1, Ordering::SeqCst);
        match request.tool.as_str() {
            "echo" => Reply::text(serde_json::to_string(&request.arguments).expect("a map is JSON")),
            "ask" => match request.answer {
                Some(answer) => Reply::text(format!("{} with {:?}", answer.state, answer.said)),
                None => {
                    let question = Question { text: "sure?".to_owned(), state: "the note came back".to_owned() };
                    Reply { question: Some(question), ..Reply::error("it waits") }
                }
            },
            "whoami" => Reply::text(principal.id().as_str()),
            "panic" => panic!("a call that panics"),
            "hang" => {
                cancel.cancelled().await;
                self.cancelled.fetch_add(1, Ordering::SeqCst);
                Reply::error("cancelled")
            }
            "long" => {
                tokio::time::sleep(Duration::from_millis(800)).await;
                Reply::text("done")
            }
            "stubborn" => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Reply::text("done")
            }
            "slow" => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Reply::text(serde_json::to_string(&request.arguments).expect("a map is JSON"))
            }
            "structured" => {
                let meta = Map::from_iter([("labels".to_owned(), json!(["untrusted"]))]);
                Reply::text("[1]")
                    .with_structured(request.arguments.get("value").cloned().unwrap_or(json!({"b": 1, "a": 2})))
                    .with_meta(meta)
            }
            "progress" => {
                let reported = progress.is_some();
                if let Some(progress) = progress {
                    for step in [1.0, 2.0, 2.0, f64::NAN, 1.0, 3.0] {
                        progress.report(step, Some(3.0), Some(format!("step {step}")));
                    }
                }
                Reply::text(reported.to_string())
            }
            other => Reply::error(format!("no tool `{other}` is available"))
                .with_structured(json!({"decision": "denied", "reason": "tool-not-available"})),
        }
    }
}

/// Waits until `counter` reaches `value`.
async fn reaches(counter: &AtomicUsize, value: usize) {
    let reached = async {
        while counter.load(Ordering::SeqCst) < value {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("what was waited for did not happen");
}

/// `params` with the members that 2026-07-28 wants on every request.
fn modern(mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
    params
}

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> Value {
    request(id, "tools/call", json!({"name": tool, "arguments": arguments}))
}

fn initialize(version: &str) -> Value {
    let client = json!({"name": "test", "version": "1"});
    request("init", "initialize", json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}))
}

fn code(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("not an error: {answer}"))
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}
