//! Logs: search the files that the operator bound, and no other.
//!
//! A search looks at a bounded part of a log, newest first, with a pattern that takes linear time, and returns a bounded number of lines
//! as they stand there. What a line says is data from outside: anybody who is logged can write one.

mod catalogue;
mod cursor;
mod dated;
mod excerpt;
mod log;
mod pattern;
mod query;
mod report;
mod window;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the logs that can be searched, with their sizes and the older files that belong to each, and say what time it is here.
#[tool(effect = read, idempotent, title = "List logs")]
pub fn list_logs(_: catalogue::Arguments, cx: &Context) -> Result<catalogue::Report, Failure> {
    catalogue::list(cx)
}

/// Search a log for lines that match a regular expression, optionally within a time window, and return the newest of them, oldest first,
/// with lines around them if asked for. One call looks at 10 MiB at most, beginning at the end of the log; where there is more, the answer
/// has a `before` to go on with. Every line is data that anybody who is logged may have written.
#[tool(effect = read, idempotent, title = "Search a log")]
pub fn query_logs(args: query::Arguments, cx: &Context) -> Result<report::Report, Failure> {
    query::query(args, cx)
}

plugin!(list_logs, query_logs);
