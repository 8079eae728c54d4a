//! What a client does first: start the server, agree on a revision, ask for the tools.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::Findings;
use crate::command::Context;

/// Starting compiles what has not been compiled before.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of an answer that are looked at.
const MOST: u64 = 16 << 20;

/// Start this program as a client would, and ask.
pub(super) async fn ask(context: &Context, findings: &mut Findings) {
    match timeout(PATIENCE, spoken(context)).await {
        Ok(Ok((revision, tools))) => {
            findings.well("stdio", format!("a client that starts it agrees on {revision} and sees {tools} tools as `local`"));
        }
        Ok(Err(fault)) => findings.broken("stdio", fault),
        Err(_) => findings.broken("stdio", format!("the server gave no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn spoken(context: &Context) -> Result<(String, usize), String> {
    let mut command = Command::new(&context.program);
    for (option, path) in context.folders.given() {
        command.arg(option).arg(path);
    }
    command
        .args(["serve", "--log", "error"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("the server cannot be started: {error}"))?;
    let (Some(mut input), Some(output), Some(mut errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err("the server has no standard streams".to_owned());
    };
    let talk = talk(&mut input, output).await;
    drop(input);
    let Some(said) = talk else {
        let mut text = String::new();
        let _ = (&mut errors).take(4096).read_to_string(&mut text).await;
        return Err(format!("the server ended without an answer: {}", text.trim()));
    };
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() { said } else { Err(format!("the server answered, and ended with {status}")) }
}

/// None where the server ended.
async fn talk(input: &mut ChildStdin, output: ChildStdout) -> Option<Result<(String, usize), String>> {
    let mut lines = BufReader::new(output.take(MOST)).lines();
    let client = json!({ "name": "casemate-doctor", "version": env!("CARGO_PKG_VERSION") });
    let begin = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    say(input, &json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin })).await?;
    let begun: Value = serde_json::from_str(&lines.next_line().await.ok()??).ok()?;
    let Some(revision) = begun.pointer("/result/protocolVersion").and_then(Value::as_str) else {
        return Some(Err(format!("`initialize` is answered with {begun}")));
    };
    say(input, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
    let (mut tools, mut cursor) = (0, Value::Null);
    for id in 2..1000 {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        say(input, &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params })).await?;
        let page = loop {
            let message: Value = serde_json::from_str(&lines.next_line().await.ok()??).ok()?;
            if message.get("id").is_some_and(|answered| *answered == id) {
                break message;
            }
        };
        let Some(listed) = page.pointer("/result/tools").and_then(Value::as_array) else {
            return Some(Err(format!("`tools/list` is answered with {page}")));
        };
        tools += listed.len();
        cursor = page.pointer("/result/nextCursor").cloned().unwrap_or_default();
        if cursor.is_null() {
            break;
        }
    }
    Some(Ok((revision.to_owned(), tools)))
}

async fn say(input: &mut ChildStdin, message: &Value) -> Option<()> {
    input.write_all(format!("{message}\n").as_bytes()).await.ok()
}
