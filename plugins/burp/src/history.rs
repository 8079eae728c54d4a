//! What Burp's proxy has recorded.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, clip_lines, traffic};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::{self, Page},
    item,
};

/// Characters of a message that are shown.
const SHOWN: usize = 3_000;

/// Recorded requests and responses, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    items: Vec<Exchange>,
    /// Ask with this offset for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<i64>,
}

/// A request and its response.
#[derive(Debug, Serialize, JsonSchema)]
struct Exchange {
    /// Its number in the history, which a replay asks for
    number: i64,
    /// Without credentials that are known by place, name or form
    request: String,
    /// Without credentials that are known by place, name or form
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<String>,
    /// What somebody noted on it
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
    /// Whether Burp left something out
    cut: bool,
}

pub(crate) fn list(page: Page, cx: &Context) -> Result<History, Failure> {
    let text = api::list(cx, "get_proxy_http_history", &page)?;
    let found = item::items(&text);
    let next_offset = page.next(found.len());
    let items = found.into_iter().zip(page.numbers()).filter_map(|(item, number)| exchange(item, number)).collect();
    Ok(History { items, next_offset })
}

fn exchange(item: &str, number: i64) -> Option<Exchange> {
    let (request, request_cut) = item::member(item, "request")?;
    let response = item::member(item, "response");
    let cut = request_cut || response.as_ref().is_some_and(|(_, cut)| *cut);
    let shown = |message: &str| clip_lines(&traffic::message(message.as_bytes()), SHOWN);
    Some(Exchange {
        number,
        request: shown(&request),
        response: response.filter(|(text, _)| !text.is_empty()).map(|(text, _)| shown(&text)),
        notes: item::member(item, "notes")
            .map(|(notes, _)| clip_lines(&traffic::text(&notes), 500))
            .filter(|notes| !notes.is_empty()),
        cut,
    })
}

impl Readable for History {
    fn text(&self) -> String {
        let mut text = format!("{} requests", self.items.len());
        for Exchange { number, request, response, .. } in &self.items {
            let status = response.as_deref().and_then(|response| response.lines().next()).unwrap_or("no response");
            let _ = write!(text, "\n{number} {}: {status}", request.lines().next().unwrap_or_default());
        }
        if let Some(offset) = self.next_offset {
            let _ = write!(text, "\nmore: ask with offset {offset}");
        }
        text
    }
}
