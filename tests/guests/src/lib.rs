//! What every guest shares: the generated bindings, the tools they all describe, and a request that says exactly what it is told to.
//!
//! A guest is one file in `examples/`: a function from an invocation to an answer, handed to [`guest!`]. The manifest is `plugin.toml`, the
//! same for all, so that what differs between two guests is their behaviour alone.
#![cfg(target_family = "wasm")]

#[allow(
    unsafe_code,
    missing_docs,
    clippy::all,
    clippy::restriction,
    clippy::allow_attributes,
    reason = "generated from the WIT package"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        // The plugin's world, and random bytes by hand: of what a component is built with, only what it uses becomes an import.
        inline: "package casemate:guests; world guest { include casemate:plugin/plugin@0.1.0; import wasi:random/random@0.2.12; }",
        world: "casemate:guests/guest",
        pub_export_macro: true,
        generate_all,
    });
}
mod http;

use serde_json::Value;

pub use bindings::{
    casemate::plugin::{
        log, progress, sources,
        types::{Blob, Content, Document, FailureKind, Link},
    },
    exports::casemate::plugin::tools::{Failure, Guest, Invocation, Outcome},
};
pub use http::{Request, Response, receive};

/// What a call returns.
pub type Answer = Result<Outcome, Failure>;

/// The tools of every guest: the signed manifest has the same text.
pub const TOOLS: &str = include_str!("../tools.json");

/// A text as the whole answer.
pub fn text(text: impl Into<String>) -> Answer {
    Ok(Outcome { content: vec![Content::Text(text.into())], structured: None })
}

/// A failure that says why.
pub fn failed(message: impl Into<String>) -> Answer {
    Err(Failure { kind: FailureKind::Internal, code: None, message: message.into(), retry_after_ms: None })
}

/// The argument `name`, or an empty text.
pub fn argument(invocation: &Invocation, name: &str) -> String {
    let arguments: Value = serde_json::from_str(&invocation.arguments).unwrap_or_default();
    arguments.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The argument `case`: which variant of its one behaviour a guest shall show.
pub fn case(invocation: &Invocation) -> String {
    argument(invocation, "case")
}

/// The case as header fields: a JSON array of `[name, value]`.
pub fn header_fields(case: &str) -> Vec<(String, String)> {
    serde_json::from_str(case).unwrap_or_default()
}

/// What came back from an upstream, or why nothing did, as the answer.
pub fn relay(response: Result<Response, String>) -> Answer {
    match response {
        Ok(response) => text(format!("{} {}", response.status, response.text())),
        Err(why) => failed(why),
    }
}

/// Make `$call` the component's `call`. Every guest answers the tool `ping`, so that a test can ask whether the next call is served.
#[macro_export]
macro_rules! guest {
    ($call:path) => {
        $crate::guest!($call, $crate::TOOLS);
    };
    ($call:path, $tools:expr) => {
        struct Component;

        impl $crate::Guest for Component {
            fn describe() -> String {
                $tools.to_owned()
            }

            fn call(invocation: $crate::Invocation) -> $crate::Answer {
                match invocation.tool.as_str() {
                    "ping" => $crate::text("pong"),
                    _ => $call(invocation),
                }
            }
        }

        #[allow(unsafe_code, clippy::allow_attributes, reason = "generated from the WIT package")]
        mod export {
            use super::Component;
            $crate::bindings::export!(Component with_types_in $crate::bindings);
        }
    };
}
