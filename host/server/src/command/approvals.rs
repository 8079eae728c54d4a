//! `casemate approvals`: the calls that wait for people.

use std::io::{self, BufRead, IsTerminal, Write};

use casemate_audit::EventKind;
use casemate_ledger::{Approval, Ledger, State};
use casemate_policy::{
    Timestamp,
    approval::{ApprovalId, ApproverName, MAX_REASON, PAYLOAD_TYPE, Said, Statement, Vote},
};
use clap::Subcommand;
use serde_json::json;

use super::{Context, print, signer::SigningKey};
use crate::{
    approval::sheet,
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
            let approval = find(&ledger, id, now)?;
            print::result(context.format, || sheet::text(&approval, &config, now), || sheet::json(&approval, &config));
        }
        Command::Approve(say) => return speak(say, Said::Approve, &ledger, &config, context),
        Command::Deny(say) => return speak(say, Said::Deny, &ledger, &config, context),
        Command::Withdraw { id, reason } => {
            let facts = json!({ "approval": id.as_str(), "reason": reason });
            let approval = find(&ledger, id, now)?;
            must_be_open(&approval)?;
            write_down(&state, EventKind::ApprovalWithdrawn, facts)?;
            ledger.withdraw(id, "local", now)?;
            print::note(format!("withdrew {id}: nothing will run under it"));
        }
    }
    Ok(Exit::Done)
}

fn find(ledger: &Ledger, id: &ApprovalId, now: Timestamp) -> Result<Approval, Failure> {
    ledger.approval(id, now)?.ok_or_else(|| {
        Failure::invalid(format!("there is no approval `{id}`\nhelp: `casemate approvals list --all` shows every one"))
    })
}

fn must_be_open(approval: &Approval) -> Result<(), Failure> {
    match approval.state {
        State::Open => Ok(()),
        ref closed => Err(Failure::denied(format!(
            "{} is {}: nobody can say anything of it any more\nhelp: the caller may ask again by calling again",
            approval.open.id,
            closed.as_str()
        ))),
    }
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

/// Show all of it, ask, sign, write down.
fn speak(say: &Say, said: Said, ledger: &Ledger, config: &Config, context: &Context) -> Outcome {
    let approval = find(ledger, &say.id, clock::now())?;
    if say.reason.chars().count() > MAX_REASON {
        return Err(Failure::invalid(format!(
            "the reason is longer than {MAX_REASON} characters\nhelp: say it shorter, and where the rest can be read"
        )));
    }
    must_be_open(&approval)?;
    // What is signed is what is shown: the text is made of the very subject.
    print::note(sheet::text(&approval, config, clock::now()));
    let mut signer = say.key.open()?;
    let own = config.guards.approvers.iter().find(|approver| approver.key == signer.public_key());
    let name = match (&say.name, own) {
        (Some(name), _) => name.clone(),
        (None, Some(own)) => own.name.clone(),
        (None, None) => {
            return Err(Failure::denied(
                "this key belongs to no approver\nhelp: the operator adds `[approvers.NAME]` with the key that `casemate approver enrol` prints",
            ));
        }
    };
    if !say.yes && !agrees(said)? {
        return Err(Failure::failed(format!(
            "nothing was said of {}: it waits as before\nhelp: answer `yes`, or give --yes after reading it",
            say.id
        )));
    }
    let subject = approval.open.subject.as_ref().clone();
    let statement = Statement { approver: name.clone(), said, reason: say.reason.clone(), at: clock::now(), subject };
    let payload = statement.payload().ok_or_else(|| Failure::failed("the call has no canonical form"))?;
    let signature = signer.sign(PAYLOAD_TYPE, &payload)?.bytes;
    let vote = Vote { payload, signature, delegation: None };
    // As strict as it will be when the call is made: an approver learns now that their word does not count.
    let rule = sheet::rule(&approval, config);
    vote.verify(&approval.open.subject, &rule, &config.guards.approvers).map_err(Failure::denied)?;
    let facts = json!({ "approval": say.id.as_str(), "approver": name.as_str(), "said": said.as_str(), "reason": say.reason });
    write_down(&context.folders.state(config.environment), EventKind::ApprovalVoted, facts)?;
    ledger.vote(&say.id, &statement, &vote, clock::now())?;
    let approval = find(ledger, &say.id, clock::now())?;
    let (have, need) = (sheet::people(&approval, config).len(), sheet::quorum(&approval, config));
    print::result(
        context.format,
        || match said {
            Said::Deny => format!("denied {}: nothing will run under it", say.id),
            Said::Approve if u32::try_from(have).is_ok_and(|have| have >= need) => {
                format!(
                    "approved {}: {have} of {need}. The caller makes the same call again, before {}.",
                    say.id, approval.open.subject.expires
                )
            }
            Said::Approve => format!("agreed to {}: {have} of {need}", say.id),
        },
        || sheet::json(&approval, config),
    );
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
