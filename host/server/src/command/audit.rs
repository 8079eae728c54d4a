//! `casemate audit`: read the log, and prove that it is whole.

use std::path::PathBuf;

use casemate_audit::{Entry, Filter, read, verify};
use casemate_policy::{Timestamp, text::visible};
use clap::Subcommand;
use ed25519_dalek::VerifyingKey;
use serde_json::{Value, json};

use super::{Context, key::public_key, print};
use crate::{
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::chains,
};

/// The audit log: every decision, before its effect, in chains that cannot be changed unnoticed.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check every record of every chain, offline, with only the public key.
    Verify {
        /// The log's public key; default: this host's own.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Show records, oldest first.
    Show(Show),
}

/// Which records.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Of this principal, such as local or token:ci.
    #[arg(long)]
    principal: Option<String>,
    /// Of this tool, by served name.
    #[arg(long)]
    tool: Option<String>,
    /// Of this type: intent, outcome, denied, or a family such as plugin.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// With this outcome: allowed, denied, deferred, error, unknown.
    #[arg(long, value_parser = ["allowed", "denied", "deferred", "error", "unknown"], hide_possible_values = true)]
    outcome: Option<String>,
    /// From this time on.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Up to this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

/// Verify or show.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let environment = Config::read(&context.folders.config)?.environment;
    let state = context.folders.state(environment);
    match command {
        Command::Verify { key } => {
            let key = key.clone().unwrap_or_else(|| state.join("audit.pub"));
            check(&state, &public_key(&key)?, context)
        }
        Command::Show(show) => list(&state, show, context),
    }
}

fn check(state: &std::path::Path, key: &casemate_signing::key::PublicKey, context: &Context) -> Outcome {
    let key = VerifyingKey::from_bytes(key.as_bytes())?;
    let chains = chains(state)?.0;
    if chains.is_empty() {
        return Err(Failure::invalid(format!("there is no audit log in `{}`", state.display())));
    }
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for (path, dir) in &chains {
        let report = verify(dir, &key).map_err(|failure| Failure::denied(format!("{}: {failure}", path.display())))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut line = format!(
            "{name}: {} records, all in place; {} under {} signed checkpoints",
            report.records, report.covered, report.checkpoints
        );
        if report.not_yet_covered() > 0 {
            line.push_str(&format!("; {} not yet covered", report.not_yet_covered()));
        }
        if !report.unfinished.is_empty() {
            line.push_str(&format!("; {} calls without an outcome", report.unfinished.len()));
        }
        lines.push(line);
        values.push(json!({ "chain": name, "records": report.records, "covered": report.covered, "checkpoints": report.checkpoints, "not_yet_covered": report.not_yet_covered(), "unfinished": report.unfinished.len() }));
    }
    print::result(context.format, || lines.join("\n"), || values.into());
    Ok(Exit::Done)
}

fn list(state: &std::path::Path, show: &Show, context: &Context) -> Outcome {
    let filter = || Filter {
        principal: show.principal.clone(),
        tool: show.tool.clone(),
        event_type: show.event_type.clone(),
        outcome: show.outcome.clone(),
        since: show.since,
        until: show.until,
        ..Filter::default()
    };
    let mut entries: Vec<Entry> = Vec::new();
    for (_, dir) in chains(state)?.0 {
        for entry in read(&dir, filter())? {
            entries.push(entry?);
        }
    }
    // Ids are ordered in time, over all chains.
    entries.sort_by(|a, b| (a.occurred_at(), a.event_id()).cmp(&(b.occurred_at(), b.event_id())));
    if entries.is_empty() {
        print::note("no such record");
    }
    print::result(
        context.format,
        || entries.iter().map(line).collect::<Vec<_>>().join("\n"),
        || entries.iter().map(|entry| entry.raw.clone()).collect(),
    );
    Ok(Exit::Done)
}

/// One record as one line: when, what came of it, who, what, and why.
fn line(entry: &Entry) -> String {
    // What is not about a call keeps its facts one level down.
    let fact = |name: &str| entry.field(name).or_else(|| entry.field("fields")?.get(name));
    let text = |name: &str| fact(name).and_then(Value::as_str).map(|text| visible(text).into_owned()).unwrap_or_default();
    let tool = if entry.tool_name().is_empty() { text("plugin") } else { visible(entry.tool_name()).into_owned() };
    let why = [text("ending"), text("reason")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let requests = entry
        .field("requests")
        .and_then(Value::as_array)
        .map(|requests| requests.iter().map(request).collect::<String>())
        .unwrap_or_default();
    format!(
        "{}  {:<8} {:<14} {:<10} {:<30} {why}{requests}",
        entry.occurred_at(),
        entry.outcome(),
        entry.event_type(),
        visible(entry.principal_id()),
        tool
    )
    .trim_end()
    .to_owned()
}

fn request(request: &Value) -> String {
    let text = |name: &str| request.get(name).and_then(Value::as_str).map(|text| visible(text).into_owned()).unwrap_or_default();
    format!(
        "\n    {} {} → {}",
        text("method"),
        text("url"),
        if text("status").is_empty() { text("result") } else { text("status") }
    )
}
