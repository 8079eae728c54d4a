//! LimaCharlie: sensors, detection rules and detections; and rules that report, and YARA scans.
//!
//! The tools are glue; each module holds one of LimaCharlie's objects, or one change. A rule is never passed on: it is read into the types
//! of [`rule`] and written anew, so that what is not understood here is not sent.

mod api;
mod deletion;
mod deployment;
mod detections;
mod field;
mod rule;
mod rules;
mod scan;
mod sensors;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the organization's sensors, up to 100 at a time, with host name, platform and when each was last seen; with a prefix of the host
/// name, or only those that are online.
#[tool(effect = read, idempotent, title = "LimaCharlie sensors")]
pub fn list_sensors(args: sensors::ListArguments, cx: &Context) -> Result<sensors::Listing, Failure> {
    sensors::list(args, cx)
}

/// Show one sensor: its host, platform, addresses and tags, and whether it is online and isolated.
#[tool(effect = read, idempotent, title = "LimaCharlie sensor")]
pub fn get_sensor(args: sensors::Arguments, cx: &Context) -> Result<sensors::Report, Failure> {
    sensors::report(args, cx)
}

/// List the organization's general detection and response rules, up to 50 at a time: what event each is about, what it does in response,
/// and whether it is switched on.
#[tool(effect = read, idempotent, title = "LimaCharlie rules")]
pub fn list_rules(args: rules::Arguments, cx: &Context) -> Result<rules::Listing, Failure> {
    rules::list(args, cx)
}

/// List detections of a window of at most seven days, given as start/end, such as 2026-11-21T00:00:00Z/2026-11-22T00:00:00Z; of one
/// category where one is given. Up to 100 at a time.
#[tool(effect = read, idempotent, title = "LimaCharlie detections")]
pub fn list_detections(args: detections::Arguments, cx: &Context) -> Result<detections::Listing, Failure> {
    detections::list(args, cx)
}

/// Deploy a rule, or replace one that was deployed here. It is about one kind of event, matches where all conditions of any alternative
/// hold, and reports a detection: it can do nothing else. LimaCharlie validates it first.
#[tool(effect = write, idempotent, title = "Deploy a LimaCharlie rule")]
pub fn deploy_rule(args: deployment::Arguments, cx: &Context) -> Result<deployment::Deployed, Failure> {
    deployment::deploy(args, cx)
}

/// Delete a rule that was deployed here. What it would have detected is no longer detected; it cannot be brought back.
#[tool(effect = destructive, title = "Delete a LimaCharlie rule")]
pub fn delete_rule(args: deletion::Arguments, cx: &Context) -> Result<deletion::Deleted, Failure> {
    deletion::delete(args, cx)
}

/// Scan one process or one file on a sensor with a YARA rule. The sensor has to be online and to have the tag. What the scan finds comes
/// later, as YARA_DETECTION events; nothing on the machine is changed.
#[tool(effect = execute, title = "Scan a sensor with YARA")]
pub fn yara_scan(args: scan::Arguments, cx: &Context) -> Result<scan::Started, Failure> {
    scan::scan(args, cx)
}

plugin!(list_sensors, get_sensor, list_rules, list_detections, deploy_rule, delete_rule, yara_scan);
