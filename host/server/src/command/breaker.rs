//! `casemate breaker`: callers that were paused.

use casemate_ledger::Ledger;
use casemate_policy::PrincipalId;
use clap::Subcommand;
use serde_json::json;

use super::{Context, print};
use crate::{
    breaker,
    config::Config,
    exit::{Exit, Outcome},
    house::write_down,
};

/// Callers that were paused for what they did. Only a person resumes one.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show who is paused, since when and why.
    List,
    /// Let a caller go on, and begin counting anew. On record.
    Resume {
        /// Whom.
        principal: PrincipalId,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Show or resume.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let state = context.folders.state(config.environment);
    let ledger = Ledger::open(&state.join("ledger.db"))?;
    match command {
        Command::List => {
            let paused = ledger.paused()?;
            let rows = || {
                let head = ["PRINCIPAL", "SINCE", "WHY"].map(str::to_owned).to_vec();
                let row = |paused: &casemate_ledger::Paused| {
                    vec![paused.principal.clone(), paused.pause.since.to_string(), paused.pause.trip.clone()]
                };
                std::iter::once(head).chain(paused.iter().map(row)).collect::<Vec<_>>()
            };
            print::result(
                context.format,
                || if paused.is_empty() { "Nobody is paused.".to_owned() } else { print::table(&rows()) },
                || {
                    paused.iter().map(|paused| json!({ "principal": paused.principal, "since": paused.pause.since.to_string(), "why": paused.pause.trip })).collect()
                },
            );
        }
        Command::Resume { principal, reason } => {
            breaker::resume(principal, reason, (&ledger, &|kind, facts| write_down(&state, kind, facts)))?;
            print::note(format!("`{principal}` may go on"));
        }
    }
    Ok(Exit::Done)
}
