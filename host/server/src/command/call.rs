//! `casemate call`: one call through the same pipeline as any client's.

use std::io::Read;

use casemate_policy::Call;
use casemate_sandbox::CallSettings;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::{House, Opening},
    identity,
    mcp::{Content, Reply},
};

/// Call a tool as the local principal, through every layer a client's call goes through.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The served name, such as virustotal_file_report.
    tool: String,
    /// The arguments, a JSON object; - reads them from standard input.
    #[arg(default_value = "{}")]
    arguments: String,
}

/// Arguments from standard input are capped as a client's message is.
const MAX_ARGUMENTS: u64 = 8 << 20;

/// Call and print the reply.
pub fn run(args: &Args, context: &Context) -> Outcome {
    crate::log::start(crate::log::Level::Warn, false);
    let arguments: Value = serde_json::from_str(&text(&args.arguments)?)
        .map_err(|error| Failure::invalid(format!("the arguments are not JSON: {error}")))?;
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    executor.block_on(async {
        let house = House::open(Opening { context, via: "cli" }).await?;
        let cancel = CancellationToken::new();
        let settings = CallSettings { cancel: cancel.clone(), ..CallSettings::default() };
        let principal = identity::local();
        let call = house.pass(&principal, Call::new(args.tool.clone(), arguments), settings);
        tokio::pin!(call);
        let reply = tokio::select! {
            reply = &mut call => reply,
            _ = tokio::signal::ctrl_c() => {
                cancel.cancel();
                call.await
            }
        };
        house.close().await?;
        print::result(context.format, || shown(&reply), || value(&reply));
        Ok(exit(&reply))
    })
}

pub(super) fn text(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().lock().take(MAX_ARGUMENTS).read_to_string(&mut text)?;
    Ok(text)
}

pub(super) fn exit(reply: &Reply) -> Exit {
    let decision = reply.structured.as_ref().and_then(|value| value.get("decision")).and_then(Value::as_str);
    match (reply.is_error, decision) {
        (false, _) => Exit::Done,
        (true, Some("denied" | "deferred")) => Exit::Denied,
        (true, _) => Exit::Failed,
    }
}

pub(super) fn shown(reply: &Reply) -> String {
    reply
        .content
        .iter()
        .map(|content| match content {
            Content::Text(text) => text.clone(),
            Content::Image { media_type, data } | Content::Audio { media_type, data } => {
                format!("[{media_type}, {} bytes]", data.len())
            }
            Content::Embedded { uri, text, .. } => format!("{uri}:\n{text}"),
            Content::Link { uri, name, .. } => format!("{name}: {uri}"),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn value(reply: &Reply) -> Value {
    let content: Vec<Value> = reply
        .content
        .iter()
        .map(|content| match content {
            Content::Text(text) => json!({ "type": "text", "text": text }),
            Content::Image { media_type, data } => json!({ "type": "image", "mimeType": media_type, "bytes": data.len() }),
            Content::Audio { media_type, data } => json!({ "type": "audio", "mimeType": media_type, "bytes": data.len() }),
            Content::Embedded { uri, media_type, text } => {
                json!({ "type": "resource", "resource": { "uri": uri, "mimeType": media_type, "text": text } })
            }
            Content::Link { uri, name, media_type } => {
                json!({ "type": "resource_link", "uri": uri, "name": name, "mimeType": media_type })
            }
        })
        .collect();
    json!({ "content": content, "structured": reply.structured, "is_error": reply.is_error, "meta": reply.meta })
}
