//! `casemate approvals`: the calls that wait for people.

use std::io::{self, BufRead, IsTerminal, Write};

use casemate_ledger::{Approval, Ledger, State};
use casemate_policy::{
    Timestamp,
    approval::{ApprovalId, ApproverName, PAYLOAD_TYPE, Said, Vote},
};
use clap::Subcommand;

use super::{Context, print, signer::SigningKey};
use crate::{
    approval::{say, sheet},
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::write_down,
};

/// The calls that wait for people: look at them, agree to them, or refuse them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what waits, the newest first.
    List {
        /// Also what was used, denied, withdrawn or has expired.
        #[arg(long)]
        all: bool,
    },
    /// Show one call whole: who asked, why a person is asked, and every request it would send.
    Show {
        /// Which, as `list` shows it.
        id: ApprovalId,
    },
    /// Agree to a call: to this very call, once. You are shown all of it, and sign it.
    Approve(Say),
    /// Refuse a call. One refusal is final.
    Deny(Say),
    /// Take back a request or an approval that was not used yet, without being an approver.
    Withdraw {
        /// Which.
        id: ApprovalId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// What an approver says.
#[derive(Debug, clap::Args)]
pub struct Say {
    /// Of which call, as `list` shows it.
    id: ApprovalId,
    /// Who you are, as in `[approvers.NAME]`; default: whoever the key belongs to.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<ApproverName>,
    /// Why. It is signed and recorded.
    #[arg(long, default_value = "")]
    reason: String,
    /// Do not ask again after showing the call.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    key: SigningKey,
}

/// Show, or say something.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let state = context.folders.state(config.environment);
    let ledger = Ledger::open(&state.join("ledger.db"))?;
    let now = clock::now();
    match command {
        Command::List { all } => {
            let approvals = ledger.approvals(*all, now)?;
            print::result(
                context.format,
                || list(&approvals, &config, now),
                || approvals.iter().map(|approval| sheet::json(approval, &config)).collect(),
            );
        }
        Command::Show { id } => {
            let approval = say::find(&ledger, id, now)?;
            print::result(context.format, || sheet::text(&approval, &config, now), || sheet::json(&approval, &config));
        }
        Command::Approve(say) => return speak(say, Said::Approve, &ledger, &config, context),
        Command::Deny(say) => return speak(say, Said::Deny, &ledger, &config, context),
        Command::Withdraw { id, reason } => {
            say::withdraw(id, reason, "local", (&ledger, &|kind, facts| write_down(&state, kind, facts)))?;
            print::note(format!("withdrew {id}: nothing will run under it"));
        }
    }
    Ok(Exit::Done)
}

fn list(approvals: &[Approval], config: &Config, now: Timestamp) -> String {
    if approvals.is_empty() {
        return "Nothing waits.".to_owned();
    }
    let head = ["ID", "STATE", "TOOL", "BY", "AGREED", "LEFT"].map(str::to_owned).to_vec();
    let row = |approval: &Approval| {
        let subject = &approval.open.subject;
        let left = match approval.state {
            State::Open => sheet::left(subject.expires, now),
            _ => String::new(),
        };
        let agreed = format!("{} of {}", sheet::people(approval, config).len(), sheet::quorum(approval, config));
        let state = approval.state.as_str().to_owned();
        vec![approval.open.id.to_string(), state, subject.tool.to_string(), subject.principal.to_string(), agreed, left]
    };
    print::table(&std::iter::once(head).chain(approvals.iter().map(row)).collect::<Vec<_>>())
}

/// Show all of it, ask, and say it.
fn speak(asked: &Say, said: Said, ledger: &Ledger, config: &Config, context: &Context) -> Outcome {
    let approval = say::find(ledger, &asked.id, clock::now())?;
    say::reason(&asked.reason)?;
    let approval = say::waiting(ledger, &approval.open.id, clock::now())?;
    // What is signed is what is shown: the text is made of the very subject.
    print::note(sheet::text(&approval, config, clock::now()));
    let mut signer = asked.key.open()?;
    let own = config.guards.approvers.iter().find(|approver| approver.key == signer.public_key());
    let approver = match (&asked.name, own) {
        (Some(name), _) => name.clone(),
        (None, Some(own)) => own.name.clone(),
        (None, None) => {
            return Err(Failure::denied(
                "this key belongs to no approver\nhelp: the operator adds `[approvers.NAME]` with the key that `casemate approver enrol` prints",
            ));
        }
    };
    if !asked.yes && !agrees(said)? {
        return Err(Failure::failed(format!(
            "nothing was said of {}: it waits as before\nhelp: answer `yes`, or give --yes after reading it",
            asked.id
        )));
    }
    let state = context.folders.state(config.environment);
    let sign = |payload: Vec<u8>| {
        let signature = signer.sign(PAYLOAD_TYPE, &payload)?.bytes;
        Ok(Vote { payload, signature, delegation: None })
    };
    let word = say::Word { approver: &approver, said, reason: &asked.reason, via: "cli" };
    let record = |kind, facts| write_down(&state, kind, facts);
    let (approval, comes_to) = say::say(&word, &approval, sign, (ledger, config, &record))?;
    print::result(context.format, || comes_to, || sheet::json(&approval, config));
    Ok(Exit::Done)
}

fn agrees(said: Said) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::invalid(
            "there is no terminal to ask on\nhelp: look at it with `casemate approvals show`, then add --yes",
        ));
    }
    let _ = write!(io::stderr(), "\n{} this call? [y/N] ", if said == Said::Approve { "Approve" } else { "Deny" });
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
