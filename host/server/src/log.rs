//! The program's own log, on standard error: one line per call at `info`, `warn` only for what an operator can act on.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _};

use crate::telemetry::lines::Lines;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "the levels are their own names")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

/// Start logging. Whatever the level, the protocol library stays at `warn`: below it, it prints requests with their arguments.
pub fn start(level: Level, json: bool) {
    let level = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
    };
    let filter =
        EnvFilter::new(format!("warn,casemate={level},casemate_sandbox={level},casemate_audit={level},casemate_ledger={level}"));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(wants_colours(&std::io::stderr()));
    let lines = if json { lines.json().boxed() } else { lines.boxed() };
    // Only fails when a subscriber is there already, as in a test.
    let _ = registry().with(filter).with(lines).with(Lines).try_init();
}

/// Whether a person looks, and does not mind colours (<https://no-color.org>).
pub(crate) fn wants_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
