//! Splunk: searches of granted indexes.
//!
//! A query is read by [`casemate_siem::spl`] and sent as it was understood, behind the indexes that the call names; [`search`] puts that
//! together, [`job`] runs it, and [`found`] is what is told of it.

mod api;
mod field;
mod found;
mod index;
mod job;
mod search;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Search logs with SPL. The indexes are the argument index, the span of time is window: a query names neither. It begins with what is
/// searched for, such as status=500 user=alice or *, and may go on with commands that filter, compute and count: where, eval, stats,
/// timechart, top, table, rex, sort and the like. Subsearches, macros, lookups, joins and commands that read or write elsewhere are refused.
#[tool(effect = read, idempotent, title = "Search Splunk")]
pub fn search_logs(args: search::Arguments, cx: &Context) -> Result<found::Found, Failure> {
    search::search(args, cx)
}

/// Tell what is in an index that is granted: how many events, from when to when, and how large it is.
#[tool(effect = read, idempotent, title = "A Splunk index")]
pub fn index_info(args: index::Arguments, cx: &Context) -> Result<index::Index, Failure> {
    index::info(args, cx)
}

/// Tell which of several granted indexes there are, and what is in each: how many events, from when to when, and how large it is. Name
/// the indexes in index; one that is not granted is refused, and none that is not named is told.
#[tool(effect = read, idempotent, title = "Splunk's indexes")]
pub fn list_indexes(args: index::ListArguments, cx: &Context) -> Result<index::Indexes, Failure> {
    index::list(args, cx)
}

plugin!(index_info, list_indexes, search_logs);
