//! Records in the words of other systems. What is left out by a format is in the record, which each of them names.

mod cef;
mod ocsf;
mod otlp;
mod syslog;

use casemate_audit::Entry;
use clap::ValueEnum;
use serde_json::Value;

pub(crate) use otlp::logs as otlp_logs;
pub(crate) use syslog::message as syslog;

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The records as they are, one JSON object to a line.
    Jsonl,
    /// Open Cybersecurity Schema Framework 1.4, one JSON object to a line.
    Ocsf,
    /// ArcSight Common Event Format 0.
    Cef,
}

impl Form {
    /// One record, without the line's end.
    pub(crate) fn line(self, entry: &Entry) -> String {
        match self {
            Self::Jsonl => entry.raw.to_string(),
            Self::Ocsf => ocsf::event(entry).to_string(),
            Self::Cef => cef::event(entry),
        }
    }
}

/// How much a record should worry somebody, from 0 to 10.
fn weight(entry: &Entry) -> u8 {
    let destructive = matches!(field(entry, "effect"), Some("execute" | "destructive"));
    match (entry.event_type(), entry.outcome()) {
        ("breaker.opened", _) | (_, "unknown") => 8,
        ("plugin.load-failed" | "config.refused", _) => 7,
        (_, "denied") => 6,
        (_, "error") => 5,
        (_, "deferred") => 4,
        ("intent" | "outcome", _) if destructive => 4,
        _ => 2,
    }
}

/// One of this host's own fields that is a text, of a call or of an event.
fn field<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    let value = entry.field(name).or_else(|| entry.field("fields")?.get(name))?;
    value.as_str().filter(|text| !text.is_empty())
}

/// Milliseconds since 1970.
fn millis(entry: &Entry) -> i64 {
    entry.occurred_at().parse::<casemate_policy::Timestamp>().map(|at| at.as_millis()).unwrap_or_default()
}

/// What is said to have happened, for people.
fn told(entry: &Entry) -> String {
    let what = if entry.tool_name().is_empty() { entry.event_type() } else { entry.tool_name() };
    let why = ["message", "ending", "reason"].into_iter().find_map(|name| field(entry, name));
    match why {
        Some(why) => format!("{what} {}: {why}", entry.outcome()),
        None => format!("{what} {}", entry.outcome()),
    }
}

/// The requests of a call.
fn requests(entry: &Entry) -> impl Iterator<Item = &Value> {
    entry.field("requests").and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]
mod tests;
