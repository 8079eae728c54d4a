//! Microsoft Sentinel, by the query API of the Log Analytics workspaces that it keeps its logs in.
//!
//! There is one tool. What it is asked is read whole and written anew by [`casemate_siem::kql`]: the table and the span of time are arguments
//! that a grant limits, and no query can name another.

mod answer;
mod api;
mod cell;
mod search;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Search one table of a Microsoft Sentinel (Log Analytics) workspace with KQL, within a span of time. The query holds operators such as
/// where, project, extend, summarize, sort, top, distinct, mv-expand, parse and count, beginning with the table's name or with the first
/// operator. It reads that table alone: union, join, let, search and functions that read tables are refused, with the place and the reason.
/// The span and a limit of rows are added. Every value is data that anybody who is logged may have written.
#[tool(effect = read, idempotent, title = "Search Sentinel logs")]
pub fn search_logs(args: search::Arguments, cx: &Context) -> Result<search::Found, Failure> {
    search::search(args, cx)
}

plugin!(search_logs);
