//! SentinelOne: the threats of granted sites, PowerQueries that stay in them, and acting on granted agents.
//!
//! The tools are glue; each module holds one of them. A PowerQuery is never passed on: it is read by [`power`] and written anew from what
//! was read, with the site's filter before it and a limit behind it.

mod api;
mod field;
mod forbidden;
mod interval;
mod isolation;
mod lake;
mod mitigation;
mod power;
mod query;
mod table;
mod threat;
mod threats;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the threats of a site, newest first: what was found, on which computer, and what was done about it.
#[tool(effect = read, idempotent, title = "SentinelOne threats")]
pub fn list_threats(args: threats::Arguments, cx: &Context) -> Result<threats::Listing, Failure> {
    threats::list(args, cx)
}

/// Look at one threat of a site: the file, the process, the account it ran under, its agent, and what was done about it.
#[tool(effect = read, idempotent, title = "SentinelOne threat")]
pub fn get_threat(args: threat::Arguments, cx: &Context) -> Result<threat::Threat, Failure> {
    threat::get(args, cx)
}

/// Run a PowerQuery over the events of one site, over at most seven days. It is filter | command | command; the commands are filter, columns,
/// let, group, sort, limit and parse. There are no subqueries, joins, unions and lookup tables. The site's filter is put before the query
/// and a limit behind it, so leave both out; what was sent is in the answer.
#[tool(effect = read, idempotent, title = "SentinelOne PowerQuery")]
pub fn create_power_query(args: query::Arguments, cx: &Context) -> Result<table::Table, Failure> {
    query::run(args, cx)
}

/// Take a computer off the network, so that only the SentinelOne console still reaches it. Somebody has to connect it again in the console.
/// The computer's name must be the one that the agent has.
#[tool(effect = destructive, idempotent, title = "Isolate a computer")]
pub fn isolate_agent(args: isolation::Arguments, cx: &Context) -> Result<isolation::Isolated, Failure> {
    isolation::isolate(args, cx)
}

/// Act on a threat: kill its processes, quarantine its files, remediate what it changed, or roll the computer's files back. The agent must
/// be the one that the threat is on.
#[tool(effect = destructive, title = "Mitigate a threat")]
pub fn mitigate_threat(args: mitigation::Arguments, cx: &Context) -> Result<mitigation::Mitigated, Failure> {
    mitigation::mitigate(args, cx)
}

plugin!(list_threats, get_threat, create_power_query, isolate_agent, mitigate_threat);
