//! Running a PowerQuery.

use casemate_plugin::{
    Context, Failure,
    field::{Passage, Whole},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    field::Id,
    forbidden,
    interval::Interval,
    lake::{self, Launch},
    power::Query,
    table::{ROWS, Table},
};

/// Rows of an answer, where the call does not say.
const DEFAULT: i64 = 100;

/// Arguments of `create_power_query`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id of the account that the site is in
    account_id: Id,
    /// The site's id
    site_id: Id,
    /// The query, without the site and the last limit: event.type = 'Process Creation' | group n = count() by endpoint.name | sort -n
    query: Passage<4_000>,
    /// Its time as start/end in UTC, at most seven days: 2026-11-20T00:00:00Z/2026-11-21T00:00:00Z
    interval: Interval,
    /// How many rows at most; 100 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 1000>>,
}

pub(crate) fn run(args: Arguments, cx: &Context) -> Result<Table, Failure> {
    let query = Query::read(args.query.as_str())
        .map_err(|fault| Failure::invalid_arguments(format!("the query was not sent: {fault}")))?;
    forbidden::check(&query.own(), cx)?;
    let (start, end) = args.interval.ends()?;
    let rows = args.limit.map_or(DEFAULT, Whole::number);
    let query = query.within(&args.site_id, rows);
    let found = lake::run(&Launch::new(&args.account_id, (start, end), &query), cx)?;
    Ok(found.shown(query, usize::try_from(rows).unwrap_or(ROWS)))
}
