//! What people say of a call that waits: agreed, refused, or taken back. One way, whoever asks: the command line and the console.
//!
//! What is said is as strict as when the call is made: it is verified first, then on record, and only then it counts.

use casemate_audit::EventKind;
use casemate_ledger::{Approval, Ledger, State};
use casemate_policy::{
    Timestamp,
    approval::{ApprovalId, ApproverName, MAX_REASON, Said, Statement, Vote},
};
use serde_json::{Value, json};

use super::sheet;
use crate::{clock, config::Config, exit::Failure};

/// Where a change is put on record, before it is made.
pub(crate) type Record<'a> = &'a dyn Fn(EventKind, Value) -> Result<(), Failure>;

/// An approval, open or closed.
pub(crate) fn find(ledger: &Ledger, id: &ApprovalId, now: Timestamp) -> Result<Approval, Failure> {
    ledger.approval(id, now)?.ok_or_else(|| {
        Failure::invalid(format!("there is no approval `{id}`\nhelp: `casemate approvals list --all` shows every one"))
    })
}

/// One of which something can still be said.
pub(crate) fn waiting(ledger: &Ledger, id: &ApprovalId, now: Timestamp) -> Result<Approval, Failure> {
    let approval = find(ledger, id, now)?;
    match approval.state {
        State::Open => Ok(approval),
        ref closed => Err(Failure::denied(format!(
            "{} is {}: nobody can say anything of it any more\nhelp: the caller may ask again by calling again",
            approval.open.id,
            closed.as_str()
        ))),
    }
}

/// A reason that can be recorded.
pub(crate) fn reason(text: &str) -> Result<(), Failure> {
    if text.chars().count() > MAX_REASON {
        return Err(Failure::invalid(format!(
            "the reason is longer than {MAX_REASON} characters\nhelp: say it shorter, and where the rest can be read"
        )));
    }
    Ok(())
}

/// One person's word.
pub(crate) struct Word<'a> {
    /// Whose.
    pub(crate) approver: &'a ApproverName,
    /// Which.
    pub(crate) said: Said,
    /// Why.
    pub(crate) reason: &'a str,
    /// How it came in, for the record.
    pub(crate) via: &'static str,
}

/// Say it of what was shown. `sign` makes a vote of the statement's payload. Gives the approval as it is then, and what it comes to.
pub(crate) fn say(
    word: &Word<'_>,
    shown: &Approval,
    sign: impl FnOnce(Vec<u8>) -> Result<Vote, Failure>,
    (ledger, config, record): (&Ledger, &Config, Record<'_>),
) -> Result<(Approval, String), Failure> {
    reason(word.reason)?;
    let id = &shown.open.id;
    let subject = shown.open.subject.as_ref().clone();
    let Word { approver, said, .. } = *word;
    let statement = Statement { approver: approver.clone(), said, reason: word.reason.to_owned(), at: clock::now(), subject };
    let payload = statement.payload().ok_or_else(|| Failure::failed("the call has no canonical form"))?;
    let vote = sign(payload)?;
    // As strict as it will be when the call is made: an approver learns now that their word does not count.
    vote.verify(&shown.open.subject, &sheet::rule(shown, config), &config.guards.approvers).map_err(Failure::denied)?;
    let facts = json!({ "approval": id.as_str(), "approver": approver.as_str(), "said": said.as_str(), "reason": word.reason, "via": word.via });
    record(EventKind::ApprovalVoted, facts)?;
    ledger.vote(id, &statement, &vote, clock::now())?;
    let approval = find(ledger, id, clock::now())?;
    let comes_to = comes_to(&approval, said, config);
    Ok((approval, comes_to))
}

/// What has become of an approval with somebody's word.
fn comes_to(approval: &Approval, said: Said, config: &Config) -> String {
    let (id, expires) = (&approval.open.id, approval.open.subject.expires);
    let (have, need) = (sheet::people(approval, config).len(), sheet::quorum(approval, config));
    match said {
        Said::Deny => format!("denied {id}: nothing will run under it"),
        Said::Approve if u32::try_from(have).is_ok_and(|have| have >= need) => {
            format!("approved {id}: {have} of {need}. The caller makes the same call again, before {expires}.")
        }
        Said::Approve => format!("agreed to {id}: {have} of {need}"),
    }
}

/// Take back a request or an approval that was not used yet. `by` is who does it.
pub(crate) fn withdraw(id: &ApprovalId, why: &str, by: &str, (ledger, record): (&Ledger, Record<'_>)) -> Result<(), Failure> {
    reason(why)?;
    waiting(ledger, id, clock::now())?;
    record(EventKind::ApprovalWithdrawn, json!({ "approval": id.as_str(), "reason": why }))?;
    Ok(ledger.withdraw(id, by, clock::now())?)
}
