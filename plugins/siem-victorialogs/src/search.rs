//! A search: what is asked, how it is sent, and what came of it.

use std::{collections::BTreeMap, fmt::Write as _};

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Passage, Whole},
    word,
};
use casemate_siem::{
    logsql,
    table::{Redaction, Table},
    window::Window,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{answer, api};

/// Entries where the caller does not say.
const DEFAULT_ROWS: usize = 100;
/// Days that one search looks at, at most.
const MAX_DAYS: u32 = 31;
/// Entries that a reader is shown as text; the structure has all.
const SHOWN: usize = 50;

word! {
    /// A stream, by its value of the stream field.
    pub(crate) StreamName, "a stream's value, such as nginx: a letter or digit, then up to 127 letters, digits, `_`, `.` and `-`", 1..=128,
    "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || at > 0 && b"_.-".contains(&byte)),
    str::to_owned
}

/// Arguments of `search_logs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The one stream that is searched, by its value of the field that streams are granted by
    stream: StreamName,
    /// The span of time that is looked at, its end left out: start/end, both in UTC, such as 2026-11-21T06:00:00Z/2026-11-22T06:00:00Z
    window: Window,
    /// LogsQL: a filter, perhaps with pipes behind it. Everything in the stream where it is left out
    #[serde(default)]
    query: Option<Passage<8_000>>,
    /// The most entries that are returned; 100 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 1000>>,
}

/// The operator's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    stream_field: String,
    account: Option<String>,
    project: Option<String>,
    redact: Vec<String>,
}

/// What a search found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Found {
    /// The query as it was sent; the stream and the span are beside it
    sent: String,
    /// What it found
    results: Table,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Found, Failure> {
    let Arguments { stream, window, query, limit } = args;
    let Settings { stream_field, account, project, redact } = cx.settings()?;
    let redaction = Redaction::new(&redact);
    let rows = limit.map_or(DEFAULT_ROWS, |limit| usize::try_from(limit.number()).unwrap_or(DEFAULT_ROWS));
    let (start, end) = window.within(MAX_DAYS)?;
    if redaction.covers(&stream_field) {
        return Err(Failure::internal("the setting `redact` names the field that streams are granted by"));
    }
    let sent = logsql::rebuild(query.as_ref().map(Passage::as_str).unwrap_or_default(), &redaction)?;
    let json = |value: serde_json::Result<String>| value.map_err(|_| Failure::internal("the settings cannot be written as JSON"));
    let streams = json(serde_json::to_string(&BTreeMap::from([(&stream_field, stream.as_str())])))?;
    let hidden = json(serde_json::to_string(&redact))?;
    // One more says whether there are more.
    let (start, end, most) = (start.to_string(), end.to_string(), (rows + 1).to_string());
    let form = [
        ("query", sent.as_str()),
        ("start", &start),
        ("end", &end),
        ("limit", &most),
        ("timeout", api::TIMEOUT),
        ("extra_stream_filters", &streams),
        ("hidden_fields_filters", &hidden),
    ];
    let tenant = (account.as_deref().unwrap_or("0"), project.as_deref().unwrap_or("0"));
    let answer = api::query(cx, tenant, form)?;
    let results = answer::table(&answer, &redaction, rows)?;
    Ok(Found { sent, results })
}

impl Readable for Found {
    fn text(&self) -> String {
        let Self { results, .. } = self;
        let count = results.rows.len();
        let mut text = format!("{count} entries");
        if results.cut {
            text.push_str("; there are more, or longer ones: ask for less, or use stats");
        }
        if count > 0 {
            let _ = write!(text, "\n{}", results.lines(SHOWN));
        }
        if count > SHOWN {
            let _ = write!(text, "\n{} more entries are in the structure", count - SHOWN);
        }
        text
    }
}
