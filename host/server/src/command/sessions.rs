//! `casemate sessions`: what callers have read, and what follows from it.

use casemate_audit::EventKind;
use casemate_ledger::{Ledger, Session};
use casemate_policy::{GrantName, PrincipalId};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::write_down,
};

/// What callers have read under their grants. Flow rules go by it, and reconnecting does not change it.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every session: its labels, and from which call they are.
    Show {
        /// Only of this principal.
        principal: Option<PrincipalId>,
    },
    /// Make a session forget what it has read. On record; a grant with `session` begins anew.
    Clear {
        /// Whose.
        principal: PrincipalId,
        /// Under which grant; default: all.
        grant: Option<GrantName>,
    },
}

/// Show or clear.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let state = context.folders.state(config.environment);
    let ledger = Ledger::open(&state.join("ledger.db"))?;
    match command {
        Command::Show { principal } => {
            let mut sessions = ledger.sessions(config.guards.session, clock::now())?;
            sessions.retain(|session| principal.as_ref().is_none_or(|principal| session.principal == principal.as_str()));
            print::result(context.format, || text(&sessions), || sessions.iter().map(value).collect());
        }
        Command::Clear { principal, grant } => {
            let known = ledger.sessions(config.guards.session, clock::now())?;
            let asked = |session: &Session| {
                session.principal == principal.as_str() && grant.as_ref().is_none_or(|grant| session.grant == grant.as_str())
            };
            if !known.iter().any(asked) {
                return Err(Failure::invalid(format!("nothing is known of `{principal}`\nhelp: casemate sessions show")));
            }
            let facts = json!({ "session_of": principal.as_str(), "grant": grant.as_ref().map(GrantName::as_str) });
            write_down(&state, EventKind::SessionCleared, facts)?;
            ledger.clear_session(principal, grant.as_ref())?;
            print::note(format!("cleared what `{principal}` has read"));
        }
    }
    Ok(Exit::Done)
}

fn text(sessions: &[Session]) -> String {
    if sessions.is_empty() {
        return "No session has read anything.".to_owned();
    }
    let mut text = String::new();
    for session in sessions {
        text.push_str(&format!("{} under {}\n", session.principal, session.grant));
        if let Some(since) = session.since {
            text.push_str(&format!("  began {since}\n"));
        }
        let rows: Vec<Vec<String>> = session
            .labels
            .iter()
            .map(|held| {
                vec![
                    format!("  {}", held.label),
                    format!("from {}", held.tool),
                    format!("first {}", held.first),
                    format!("last {}", held.last),
                    format!("audit {}", held.audit_id),
                ]
            })
            .collect();
        text.push_str(&print::table(&rows));
        if session.values > 0 {
            text.push_str(&format!(
                "  {} seen first in results\n",
                print::counted(usize::try_from(session.values).unwrap_or(usize::MAX), "value")
            ));
        }
    }
    text
}

fn value(session: &Session) -> Value {
    let labels: Vec<Value> = session
        .labels
        .iter()
        .map(|held| json!({ "label": held.label, "tool": held.tool, "first": held.first.to_string(), "last": held.last.to_string(), "audit_id": held.audit_id }))
        .collect();
    json!({ "principal": session.principal, "grant": session.grant, "since": session.since.map(|at| at.to_string()), "labels": labels, "values": session.values })
}
