//! `casemate audit show`, `query` and `tail`: records for people.

use std::{
    io::{self, Write},
    path::Path,
    thread::sleep,
    time::Duration,
};

use casemate_audit::{Entry, EventId, Filter};
use casemate_policy::{Timestamp, text::visible};
use serde_json::Value;

use super::{
    super::{Context, Format, print},
    details,
};
use crate::{
    exit::{Exit, Failure, Outcome},
    trail::{self, Watch, chain},
};

/// How often a log is looked at that is being watched.
const LOOK: Duration = Duration::from_millis(250);

/// Which records. What is not given does not filter.
#[derive(Debug, Clone, clap::Args)]
pub struct Filters {
    /// Of this principal, such as local or token:ci.
    #[arg(long)]
    principal: Option<String>,
    /// Of this tool, by served name.
    #[arg(long)]
    tool: Option<String>,
    /// Of this type, such as intent, outcome or denied, or of this family, such as plugin.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// With this outcome: allowed, denied, deferred, error, unknown.
    #[arg(long, visible_alias = "decision", value_parser = ["allowed", "denied", "deferred", "error", "unknown"], hide_possible_values = true)]
    outcome: Option<String>,
    /// About this target, in whatever dimension.
    #[arg(long)]
    target: Option<String>,
    /// Under this trace id of the client's, 32 hex digits.
    #[arg(long)]
    trace: Option<String>,
    /// Of the call with this id.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// About this approval.
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
    /// From this time on: 2026-12-31T08:00:00Z or with any other offset, 2026-12-31 (UTC), or so long ago: 90m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = trail::moment)]
    since: Option<Timestamp>,
    /// Before this time, written in the same ways.
    #[arg(long, value_name = "TIME", value_parser = trail::moment)]
    until: Option<Timestamp>,
}

impl Filters {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            principal: self.principal.clone(),
            tool: self.tool.clone(),
            event_type: self.event_type.clone(),
            outcome: self.outcome.clone(),
            target: self.target.clone(),
            trace: self.trace.clone(),
            call_id: self.call.clone(),
            approval: self.approval.clone(),
            since: self.since,
            until: self.until,
            ..Filter::default()
        }
    }
}

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// A record, a call or an approval, by its id: all of it.
    #[arg(conflicts_with_all = ["principal", "tool", "event_type", "outcome", "target", "trace", "call", "approval", "since", "until"])]
    id: Option<String>,
    /// What a call sent and got in full, by its audit id, where it is kept: of calls that execute or destroy.
    #[arg(long, value_name = "ID", exclusive = true)]
    details: Option<EventId>,
    #[command(flatten)]
    filters: Filters,
}

/// What to look for.
#[derive(Debug, clap::Args)]
pub struct Query {
    #[command(flatten)]
    filters: Filters,
    /// Only what led to this record, call or approval.
    #[arg(long, value_name = "ID")]
    chain: Option<String>,
    /// At most so many, the newest.
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
}

/// What to watch.
#[derive(Debug, clap::Args)]
pub struct Tail {
    /// Go on with what is written from now on.
    #[arg(long, short)]
    follow: bool,
    /// So many of the past.
    #[arg(long, short = 'n', default_value_t = 20)]
    lines: usize,
    #[command(flatten)]
    filters: Filters,
}

/// One thing whole, or a list.
pub(super) fn show(state: &Path, show: &Show, context: &Context) -> Outcome {
    if let Some(call) = show.details {
        return details::run(state, call);
    }
    let Some(id) = &show.id else { return all(state, &show.filters.filter(), context) };
    let entries = chain::look_up(state, &[id.clone()].into())?;
    if entries.is_empty() {
        return Err(chain::unknown(id));
    }
    let whole = |entry: &Entry| visible(&format!("{:#}", entry.raw)).into_owned();
    print::result(context.format, || entries.iter().map(whole).collect::<Vec<_>>().join("\n"), || raw(&entries));
    let detailed = entries.iter().filter(|entry| entry.field("details").is_some());
    for intent in detailed.filter_map(|entry| entry.field("intent").and_then(Value::as_str)) {
        print::note(format!("what it sent and got is kept: casemate audit show --details {intent}"));
    }
    Ok(Exit::Done)
}

/// A list.
pub(super) fn query(state: &Path, query: &Query, context: &Context) -> Outcome {
    let mut entries = match &query.chain {
        None if query.limit.is_none() => return all(state, &query.filters.filter(), context),
        None => trail::records(state, &query.filters.filter(), query.limit)?,
        Some(id) => {
            let filter = query.filters.filter();
            let steps = chain::chain(state, id)?.steps;
            steps.into_iter().flat_map(|step| step.records).filter(|entry| entry.fits(&filter)).collect()
        }
    };
    trail::in_order(&mut entries);
    let surplus = query.limit.map_or(0, |limit| entries.len().saturating_sub(limit));
    list(entries.get(surplus..).unwrap_or_default(), context)
}

/// All that fits, line by line: it may be long.
fn all(state: &Path, filter: &Filter, context: &Context) -> Outcome {
    if context.format == Format::Json {
        return list(&trail::records(state, filter, None)?, context);
    }
    let (mut out, mut found) = (io::BufWriter::new(io::stdout().lock()), false);
    trail::each(state, filter, |entry| {
        found = true;
        // Whoever reads has gone away: that is the end of it.
        Ok(writeln!(out, "{}", trail::line(&entry)).is_ok())
    })?;
    if !found {
        print::note("no such record");
    }
    // The same.
    let _ = out.flush();
    Ok(Exit::Done)
}

fn list(entries: &[Entry], context: &Context) -> Outcome {
    if entries.is_empty() {
        print::note("no such record");
    }
    print::result(context.format, || entries.iter().map(trail::line).collect::<Vec<_>>().join("\n"), || raw(entries));
    Ok(Exit::Done)
}

fn raw(entries: &[Entry]) -> Value {
    entries.iter().map(|entry| entry.raw.clone()).collect()
}

/// The end of the log and, where it is followed, what comes after; JSON is one object to a line.
pub(super) fn tail(state: &Path, tail: &Tail, context: &Context) -> Outcome {
    let filter = tail.filters.filter();
    let mut watch = Watch::default();
    let mut entries = watch.more(state, &filter)?;
    if entries.len() < tail.lines {
        // The last file of each chain is not enough.
        entries = trail::records(state, &filter, Some(tail.lines))?;
    }
    let surplus = entries.len().saturating_sub(tail.lines);
    entries.drain(..surplus);
    if entries.is_empty() && !tail.follow {
        print::note("no such record");
    }
    loop {
        for entry in &entries {
            let line = match context.format {
                Format::Text => trail::line(entry),
                Format::Json => entry.raw.to_string(),
            };
            // Whoever reads has gone away: that is the end of it.
            if writeln!(io::stdout().lock(), "{line}").is_err() {
                return Ok(Exit::Done);
            }
        }
        if !tail.follow {
            return Ok(Exit::Done);
        }
        sleep(LOOK);
        entries = watch.more(state, &filter).map_err(|failure| Failure::failed(failure.message))?;
    }
}
