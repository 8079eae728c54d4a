//! A search: what is asked, how it is sent, and what came of it.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Passage, Uuid, Whole},
    path,
};
use casemate_siem::{
    kql::{Search, Table as TableName},
    table::{Redaction, Table},
    window::Window,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{answer, api};

/// Rows where the caller does not say.
const DEFAULT_ROWS: usize = 100;
/// Days that one search looks at, at most.
const MAX_DAYS: u32 = 31;
/// Rows that a reader is shown as text; the structure has all.
const SHOWN: usize = 50;

/// Arguments of `search_logs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The workspace's id
    workspace: Uuid,
    /// The one table that is searched, such as SigninLogs
    table: TableName,
    /// The span of time that is looked at: start/end, both in UTC, such as 2026-11-21T06:00:00Z/2026-11-22T06:00:00Z
    window: Window,
    /// KQL: operators with | between them, perhaps after the table's name. All rows of the window where it is left out
    #[serde(default)]
    query: Option<Passage<8_000>>,
    /// The most rows that are returned; 100 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 1000>>,
}

/// The operator's settings. The others are the host's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    redact: Vec<String>,
}

/// What a search found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    /// The query as it was sent
    sent: String,
    /// What it found. A column that holds nothing in any row is left out
    results: Table,
    /// Whether the service broke the search off, so that something may be missing
    partial: bool,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Found, Failure> {
    let Arguments { workspace, table, window, query, limit } = args;
    let Settings { redact } = cx.settings()?;
    let redaction = Redaction::new(&redact);
    let rows = limit.map_or(DEFAULT_ROWS, |limit| usize::try_from(limit.number()).unwrap_or(DEFAULT_ROWS));
    let search = Search {
        table: &table,
        window: window.within(MAX_DAYS)?,
        // One more says whether there are more.
        rows: rows + 1,
        redaction: &redaction,
        redacted: &redact,
        now: now(),
    };
    let sent = search.rebuild(query.as_ref().map(Passage::as_str).unwrap_or_default())?;
    let body = Body { query: &sent, timespan: &window };
    let request = api::sentinel(cx).post(path!("/v1/workspaces/{}/query", workspace));
    let answer = api::read(request.header("prefer", api::PREFER).json(&body).send()?, &sent)?;
    let partial = answer.is_partial();
    let results = answer::table(answer, &redaction, rows)?;
    Ok(Found { sent, results, partial })
}

/// What is posted. The service looks at nothing outside of `timespan`, besides what the query says.
#[derive(Serialize)]
struct Body<'b> {
    query: &'b str,
    timespan: &'b Window,
}

/// Seconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(now).unwrap_or(i64::MAX >> 1)
}

impl Readable for Found {
    fn text(&self) -> String {
        let Self { results, partial, .. } = self;
        let count = results.rows.len();
        let mut text = format!("{count} rows");
        if results.cut {
            text.push_str("; there are more, or longer ones: ask for less, or summarize");
        }
        if *partial {
            text.push_str("; Sentinel broke the search off, so something may be missing");
        }
        if count > 0 {
            let _ = write!(text, "\n{}", results.lines(SHOWN));
        }
        if count > SHOWN {
            let _ = write!(text, "\n{} more rows are in the structure", count - SHOWN);
        }
        text
    }
}
