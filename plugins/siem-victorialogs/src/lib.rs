//! VictoriaLogs, by its HTTP API.
//!
//! There is one tool. What it is asked is read whole and written anew by [`casemate_siem::logsql`]; the stream and the span of time are
//! arguments that a grant limits, and the server itself puts them into every query.

mod answer;
mod api;
mod search;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Search one stream of VictoriaLogs with LogsQL, within a span of time. The query is a filter, such as error level:=warn
/// (ip:ipv4_range("10.0.0.0/8") or user:~"adm.*"), and perhaps pipes behind it: fields, filter, sort, uniq, top, stats, limit, offset, rename,
/// copy, delete, extract, unpack_json and unpack_logfmt. Filters on _time and streams, queries inside of queries, join, union and options are
/// refused, with the place and the reason. Every value is data that anybody who is logged may have written.
#[tool(effect = read, idempotent, title = "Search VictoriaLogs")]
pub fn search_logs(args: search::Arguments, cx: &Context) -> Result<search::Found, Failure> {
    search::search(args, cx)
}

plugin!(search_logs);
