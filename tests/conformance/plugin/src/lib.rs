//! The fixtures that the official conformance suite calls, as far as a tool plugin can be them.
//!
//! It stands on the generated bindings and not on `#[tool]`, since it returns every kind of content there is. What the suite wants of a
//! server and no plugin can do, such as asking the client's model, is no tool here: see `expected-failures` beside this folder.
#![cfg(target_family = "wasm")]

use std::{thread, time::Duration};

use casemate_plugin::component::{
    Failure, Guest, Invocation, Outcome,
    bindings::{
        casemate::plugin::{
            log, progress,
            types::{Blob, Content, Document, FailureKind, Link},
        },
        wasi::http::{
            outgoing_handler,
            types::{Fields, Method, OutgoingRequest, Scheme},
        },
    },
};
use serde_json::{Value, json};

const TOOLS: &str = include_str!("tools.json");
const PIXEL: &[u8] = include_bytes!("pixel.png");
const SILENCE: &[u8] = include_bytes!("silence.wav");

/// What the suite waits for between two messages.
const PAUSE: Duration = Duration::from_millis(50);

struct Component;

impl Guest for Component {
    fn describe() -> String {
        TOOLS.to_owned()
    }

    fn call(invocation: Invocation) -> Result<Outcome, Failure> {
        match invocation.tool.as_str() {
            "simple_text" => Ok(plain("This is a simple text response for testing.")),
            "image_content" => Ok(of(vec![image()])),
            "audio_content" => Ok(of(vec![Content::Audio(blob("audio/wav", SILENCE))])),
            "embedded_resource" => Ok(of(vec![embedded("text/plain", "This is an embedded resource content.")])),
            "multiple_content_types" => {
                let text = Content::Text("Multiple content types test:".to_owned());
                Ok(of(vec![text, image(), embedded("application/json", r#"{"test":"data","value":123}"#)]))
            }
            "resource_link" => Ok(of(vec![link()])),
            "tool_with_logging" => {
                said(&["Tool execution started", "Tool processing data", "Tool execution completed"]);
                Ok(plain("Three lines were written."))
            }
            "logging_tool" => {
                said(&["One line"]);
                Ok(plain("One line was written."))
            }
            "error_handling" => Err(failed("This tool intentionally returns an error for testing")),
            "tool_with_progress" => {
                for done in [0, 50, 100] {
                    progress::report(done, Some(100), "");
                    thread::sleep(PAUSE);
                }
                Ok(plain("Progress was reported three times."))
            }
            "structured_content" => Ok(structured(&invocation)),
            "slow" => {
                progress::report(1, None, "begun");
                loop {
                    thread::sleep(PAUSE);
                }
            }
            "trigger_tool_change" => asked("/tools"),
            "trigger_prompt_change" => asked("/prompts"),
            "in_header" => Ok(plain("The header and the argument are the same.")),
            "streaming_elicitation" => Ok(plain("Nobody was asked.")),
            "input_required_result_elicitation"
            | "input_required_result_capabilities"
            | "input_required_result_request_state"
            | "input_required_result_tampered_state" => Ok(plain("A person agreed to this call: state-ok.")),
            _ => Err(failed("there is no such tool")),
        }
    }
}

#[allow(unsafe_code, clippy::allow_attributes, reason = "generated from the WIT package")]
mod export {
    use super::Component;
    casemate_plugin::component::export!(Component with_types_in casemate_plugin::component::bindings);
}

fn of(content: Vec<Content>) -> Outcome {
    Outcome { content, structured: None }
}

fn plain(text: &str) -> Outcome {
    of(vec![Content::Text(text.to_owned())])
}

fn failed(message: &str) -> Failure {
    Failure { kind: FailureKind::Internal, code: None, message: message.to_owned(), retry_after_ms: None }
}

fn blob(media_type: &str, data: &[u8]) -> Blob {
    Blob { media_type: media_type.to_owned(), data: data.to_vec() }
}

fn image() -> Content {
    Content::Image(blob("image/png", PIXEL))
}

/// The suite's own address is `test://…`; what a plugin says where something is from is held to https.
fn embedded(media_type: &str, text: &str) -> Content {
    let uri = "https://conformance.example/embedded".to_owned();
    Content::EmbeddedText(Document { uri, media_type: Some(media_type.to_owned()), text: text.to_owned() })
}

fn link() -> Content {
    let uri = "https://conformance.example/report".to_owned();
    Content::ResourceLink(Link { uri, name: "report".to_owned(), media_type: Some("text/html".to_owned()) })
}

/// Ask the operator for another list. A plugin changes none by itself.
fn asked(path: &str) -> Result<Outcome, Failure> {
    match sent(path) {
        Some(204) => Ok(plain("The operator was asked.")),
        _ => Err(failed("the operator did not answer")),
    }
}

fn sent(path: &str) -> Option<u16> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Post).ok()?;
    request.set_scheme(Some(&Scheme::Https)).ok()?;
    request.set_authority(Some("operator")).ok()?;
    request.set_path_with_query(Some(path)).ok()?;
    let answer = outgoing_handler::handle(request, None).ok()?;
    answer.subscribe().block();
    Some(answer.get()?.ok()?.ok()?.status())
}

fn said(lines: &[&str]) {
    for line in lines {
        log::write(log::Level::Info, line);
        thread::sleep(PAUSE);
    }
}

/// The arguments again, as a text and as JSON.
fn structured(invocation: &Invocation) -> Outcome {
    let arguments: Value = serde_json::from_str(&invocation.arguments).unwrap_or_default();
    let place = arguments.get("place").and_then(Value::as_str).unwrap_or_default();
    let days = arguments.get("days").and_then(Value::as_u64).unwrap_or(1);
    let content = vec![Content::Text(format!("{place}, {days} days"))];
    Outcome { content, structured: Some(json!({ "place": place, "days": days }).to_string()) }
}
