//! A search: what is asked for, as it is sent.

use casemate_plugin::{
    Context, Failure, Timestamp,
    field::{List, Passage, Whole},
};
use casemate_siem::{
    Scope,
    spl::Query,
    table::{self, Redaction},
    window::Window,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{field::IndexName, found::Found, job};

/// Rows where the call does not say.
const DEFAULT: i64 = 100;
/// Days that one search may look at, whatever is granted.
const DAYS: u32 = 31;

/// Arguments of `search_logs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The indexes to search, by their exact names; those that are granted, and no pattern
    index: List<IndexName, 10>,
    /// The span of time, as start/end in UTC, such as 2026-11-21T06:00:00Z/2026-11-22T06:00:00Z; 31 days at most
    window: Window,
    /// What is searched for, and commands behind it, in SPL; without indexes and times
    query: Passage<8000>,
    /// How many rows at most; 100 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 500>>,
}

/// The operator's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    redact: Vec<String>,
}

/// A search that may be sent.
pub(crate) struct Search {
    /// In SPL, with its indexes and its rows.
    pub(crate) text: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Of the answer; one more is asked for, to know whether there is more.
    pub(crate) rows: u32,
    pub(crate) redaction: Redaction,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Found, Failure> {
    let Settings { redact } = cx.settings()?;
    job::run(Search::new(&args, &redact)?, cx)
}

impl Search {
    fn new(Arguments { index, window, query, limit }: &Arguments, redact: &[String]) -> Result<Self, Failure> {
        let scope = Scope::new(index.as_slice().iter().map(IndexName::as_str));
        if scope.names().is_empty() {
            return Err(Failure::invalid_arguments("a search is of one index at least; name it in `index`"));
        }
        let (from, to) = window.within(DAYS)?;
        let query = Query::parse(query.as_str())?;
        let rows = u32::try_from(limit.map_or(DEFAULT, Whole::number)).unwrap_or(1);
        Ok(Self { text: query.scoped(&scope, rows + 1), from, to, rows, redaction: redaction(&query, redact)? })
    }
}

/// What is kept back of the answer to a query. Whole events hold every field, so they are kept back with any; and a query that computes
/// with a field that is kept back could show it under another name, so it is refused.
fn redaction(query: &Query, redact: &[String]) -> Result<Redaction, Failure> {
    if redact.is_empty() {
        return Ok(Redaction::default());
    }
    let redaction = Redaction::new(redact.iter().map(String::as_str).chain(["_raw"]));
    table::unnamed(&redaction, query.computed())?;
    match query.computed().find(|field| field.contains('*')) {
        Some(_) => Err(Failure::invalid_arguments(
            "the operator keeps fields back, so a query may compute with fields by their names only, and not with `*` or all of them",
        )),
        None => Ok(redaction),
    }
}
