//! What went through mitmproxy, in lines.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, field::Whole};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    field::{HostName, MethodName},
    flow::{self, Line},
};

/// Requests of one answer, where the call does not say.
const DEFAULT: i64 = 20;

/// Arguments of `get_requests`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Only requests to this host
    #[serde(default)]
    host: Option<HostName>,
    /// Only requests by this method
    #[serde(default)]
    method: Option<MethodName>,
    /// How many at most; 20 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 50>>,
    /// How many of the newest to pass over
    #[serde(default)]
    offset: Option<Whole<0, 50_000>>,
}

/// Recorded requests, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    requests: Vec<Line>,
    /// How many older ones there are besides
    more: usize,
}

pub(crate) fn list(Arguments { host, method, limit, offset }: Arguments, cx: &Context) -> Result<History, Failure> {
    let (limit, offset) = (limit.map_or(DEFAULT, Whole::number), offset.map_or(0, Whole::number));
    let flows = flow::all(cx)?;
    let wanted = |flow: &&flow::Flow| flow.is(host.as_ref().map(HostName::as_str), method.map(MethodName::as_str));
    let mut lines =
        flows.iter().rev().filter(wanted).filter_map(flow::Flow::line).skip(usize::try_from(offset).unwrap_or_default());
    let requests = lines.by_ref().take(usize::try_from(limit).unwrap_or_default()).collect();
    Ok(History { requests, more: lines.count() })
}

impl Readable for History {
    fn text(&self) -> String {
        let mut text = format!("{} requests", self.requests.len());
        for Line { flow_id, method, url, status, .. } in &self.requests {
            let status = status.map_or_else(|| "no response".to_owned(), |status| status.to_string());
            let _ = write!(text, "\n{flow_id} {method} {url}: {status}");
        }
        if self.more > 0 {
            let _ = write!(text, "\n{} older ones: ask with offset", self.more);
        }
        text
    }
}
