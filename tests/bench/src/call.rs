//! A call as text, and what must come back: the same for every server and transport.

use std::{error::Error, time::Duration};

use serde::Deserialize;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The revisions that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revision {
    /// 2025-11-25: a handshake, then a session.
    Session,
    /// 2026-07-28: every request says everything.
    Stateless,
}

impl Revision {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Session => "2025-11-25",
            Self::Stateless => "2026-07-28",
        }
    }
}

/// What is called, over and over.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// The tool, as it is served.
    pub(crate) tool: String,
    /// The text to be returned: letters only, so that it stands in JSON as it is.
    pub(crate) text: String,
}

impl Work {
    pub(crate) fn new(tool: &str, bytes: usize) -> Self {
        Self { tool: tool.to_owned(), text: "abcdefgh".repeat(bytes.div_ceil(8)).chars().take(bytes).collect() }
    }

    /// The request, in one line.
    pub(crate) fn request(&self, id: u64, revision: Revision) -> String {
        let Self { tool, text } = self;
        let meta = match revision {
            Revision::Session => String::new(),
            Revision::Stateless => concat!(
                r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"#,
                r#""io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}"#
            )
            .to_owned(),
        };
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}"}}{meta}}}}}"#
        )
    }

    /// The id of an answer; an error where it is not the text and nothing but the text.
    pub(crate) fn check(&self, answer: &str) -> Result<u64> {
        let parsed: Answer = serde_json::from_str(answer).map_err(|error| format!("{error}: {answer}"))?;
        match parsed.result {
            Some(Outcome { is_error: Some(false), content })
                if content.iter().map(|block| block.text).eq([self.text.as_str()]) =>
            {
                Ok(parsed.id)
            }
            _ => Err(format!("`{}` did not answer with its argument: {answer}", self.tool).into()),
        }
    }
}

/// The handshake of a session.
pub(crate) fn initialize() -> String {
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}"#;
    format!(r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{params}}}"#)
}

/// What follows the handshake.
pub(crate) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

#[derive(Deserialize)]
struct Answer<'a> {
    id: u64,
    #[serde(borrow)]
    result: Option<Outcome<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    is_error: Option<bool>,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    text: &'a str,
}

/// Something that answers one call at a time.
pub(crate) trait Client {
    /// How long one call took, from before its first byte was written until its last was read.
    fn call(&mut self, work: &Work) -> Result<Duration>;
}
