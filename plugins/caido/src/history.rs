//! What went through Caido, in lines.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line as Text, Whole},
    tolerant::{Few, Flag, Object, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api, document,
    field::Cursor,
    stored::{Line, Request},
};

/// Requests of one answer, where the call does not say.
const DEFAULT: i64 = 20;
/// Requests of one answer at most.
const MOST: usize = 100;

/// Arguments of `get_requests`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// An HTTPQL filter, such as req.host.eq:"app.test" AND resp.code.gte:400
    #[serde(default)]
    filter: Option<Text<1_000>>,
    /// How many at most; 20 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 100>>,
    /// Where the last answer ended, to go on from there
    #[serde(default)]
    after: Option<Cursor>,
}

#[derive(Debug, Serialize)]
struct Variables<'a> {
    first: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Cursor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Filter<'a>>,
}

#[derive(Debug, Serialize)]
struct Filter<'a> {
    code: &'a Text<1_000>,
}

/// Recorded requests, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    requests: Vec<Line>,
    /// Ask with after for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Cursor>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    requests: Object<Page>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    edges: Few<Object<Edge>, MOST>,
    page_info: Object<PageInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Edge {
    node: Object<Request>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageInfo {
    has_next_page: Flag,
    end_cursor: Verbatim<200>,
}

pub(crate) fn list(Arguments { filter, limit, after }: Arguments, cx: &Context) -> Result<History, Failure> {
    let first = limit.map_or(DEFAULT, Whole::number);
    let filter = filter.as_ref().map(|code| Filter { code });
    let variables = Variables { first, after: after.as_ref(), filter };
    let Answer { requests: Object(Page { edges, page_info: Object(info) }) } = api::ask(cx, document::REQUESTS, &variables)?;
    let requests = edges.0.into_iter().filter_map(|Object(Edge { node: Object(request) })| request.line()).collect();
    let next = info.end_cursor.as_str().parse().ok().filter(|_| info.has_next_page.0 == Some(true));
    Ok(History { requests, next })
}

impl Readable for History {
    fn text(&self) -> String {
        let mut text = format!("{} requests", self.requests.len());
        for Line { request_id, method, url, status, .. } in &self.requests {
            let status = status.map_or_else(|| "no response".to_owned(), |status| status.to_string());
            let _ = write!(text, "\n{request_id} {method} {url}: {status}");
        }
        if let Some(next) = &self.next {
            let _ = write!(text, "\nmore: ask with after {next}");
        }
        text
    }
}
