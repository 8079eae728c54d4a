//! What a request asks for.

use std::time::Duration;

use casemate_policy::egress::Checked;
use serde::Deserialize;

use super::said::Said;

/// Tables that one statement may name, and values that it may be given.
const MOST: usize = 64;
/// Rows of one answer.
const MOST_ROWS: u32 = 10_000;
/// How long a statement may take.
const MILLISECONDS: std::ops::RangeInclusive<u64> = 100..=60_000;

/// One statement, and what bounds it.
pub(super) struct Ask {
    pub(super) database: String,
    pub(super) statement: String,
    /// In the text format; `None` is NULL.
    pub(super) parameters: Vec<Option<String>>,
    /// Schema and name, as the catalog spells them.
    pub(super) tables: Vec<(String, String)>,
    pub(super) rows: u32,
    pub(super) deadline: Duration,
}

/// The body, whole: every member is there, and no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    statement: String,
    parameters: Vec<Option<String>>,
    tables: Vec<String>,
    rows: u32,
    milliseconds: u64,
}

impl Ask {
    pub(super) fn read(request: &Checked) -> Result<Self, Said> {
        let invalid = |why: &str| Said::invalid(why);
        let database =
            request.segments().next().filter(|name| !name.is_empty()).ok_or_else(|| invalid("the path names no database"))?;
        let body: Body = serde_json::from_slice(request.body()).map_err(|error| invalid(&error.to_string()))?;
        if !(1..=MOST_ROWS).contains(&body.rows) {
            return Err(invalid("`rows` is from 1 to 10000"));
        }
        if !MILLISECONDS.contains(&body.milliseconds) {
            return Err(invalid("`milliseconds` is from 100 to 60000"));
        }
        if body.tables.len() > MOST || body.parameters.len() > MOST {
            return Err(invalid("a statement has at most 64 tables and 64 parameters"));
        }
        let texts = || body.parameters.iter().flatten().chain(&body.tables).chain([&body.statement, &database]);
        // A text ends at the first of them in the protocol.
        if texts().any(|text| text.contains('\0')) {
            return Err(invalid("no text holds a NUL character"));
        }
        let tables = body.tables.iter().map(|name| match name.split_once('.') {
            Some((schema, table)) if !schema.is_empty() && !table.is_empty() => Ok((schema.to_owned(), table.to_owned())),
            _ => Err(invalid("a table is named with its schema: public.orders")),
        });
        Ok(Self {
            tables: tables.collect::<Result<_, _>>()?,
            database,
            statement: body.statement,
            parameters: body.parameters,
            rows: body.rows,
            deadline: Duration::from_millis(body.milliseconds),
        })
    }
}
