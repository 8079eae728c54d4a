//! Approvals: requested, agreed to, and used once.
//!
//! An approval is `open` from the moment it is asked for. It leaves that state once, in one transaction: `taken` by the call that uses it, together
//! with the call's budgets; `denied` by an approver; `withdrawn` by the operator. Whether enough people agreed is not kept: `casemate_policy`
//! counts the signed votes anew each time. So wherever a crash falls, no approval is used twice, and none is used that was not given.
//!
//! Whoever can write the file can do less than an approver, and more than nobody. Subjects and votes are held together by signatures: a row
//! that was edited is no approval, and a vote that was moved, copied or made up does not count. What has no signature rests on the file's
//! permissions alone: the answer of the person at the client (`in_band`), and the state. A row that was `taken` and says `open` again is, byte
//! for byte, the row it was before it was taken, so no signature, counter or second table in the same file could tell the two apart: whoever
//! edits the one puts back the other. What is out of that hand's reach is the audit log, signed and chained in files of its own, where a call
//! that ran twice under one approval stands twice.

use std::{fmt, sync::Arc};

use casemate_policy::{
    BudgetKey, PrincipalId, ServedName, Timestamp,
    approval::{Agreed, ApprovalId, OpenApproval, Said, SignedDelegation, Statement, Subject, Vote},
};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{
    Ledger, Receipt,
    ledger::{cut, give_back},
    schema::LedgerError,
};

/// Open approvals of one principal: an agent cannot bury the one that matters under a thousand.
pub const MAX_OPEN: u32 = 50;
/// What is closed is kept for so long, to be looked at; the audit log has it for ever.
const KEPT_MS: u64 = 30 * 86_400_000;
/// What closes an approval whose time is over. No person withdraws anything under this name.
const EXPIRED: &str = "expired";

/// Where an approval is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// People may still say something of it.
    Open,
    /// It was not used in time.
    Expired,
    /// It was used.
    Closed(Closed),
}

/// How an approval ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// A call used it.
    Taken,
    /// An approver said no.
    Denied,
    /// The operator took it back.
    Withdrawn,
    /// It was not used in time.
    Expired,
    /// There is none.
    Unknown,
    /// It is not what was agreed to.
    Changed,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "was used already",
            Self::Denied => "was denied",
            Self::Withdrawn => "was withdrawn",
            Self::Expired => "has expired",
            Self::Unknown => "does not exist",
            Self::Changed => "is about something else",
        })
    }
}

impl State {
    /// The word in lists.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired | Self::Closed(Closed::Expired) => "expired",
            Self::Closed(Closed::Taken) => "used",
            Self::Closed(Closed::Denied) => "denied",
            Self::Closed(Closed::Withdrawn) => "withdrawn",
            Self::Closed(Closed::Unknown | Closed::Changed) => "unknown",
        }
    }
}

/// One approval, as it is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// What is agreed to, and what was said.
    pub open: OpenApproval,
    /// Where it is in its life.
    pub state: State,
    /// Who or what closed it, and when.
    pub closed: Option<(String, Timestamp)>,
}

/// An approval that cannot be asked for or spoken of.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// Nobody can say anything of it any more, or it is none.
    #[error("approval {id} {fault}\nhelp: `casemate approvals list --all` shows what became of it")]
    Closed {
        /// Which.
        id: ApprovalId,
        /// How.
        fault: Closed,
    },
    /// That person has spoken.
    #[error("{approver} has agreed to {id} already\nhelp: who changes their mind denies it")]
    Twice {
        /// Which.
        id: ApprovalId,
        /// Who.
        approver: String,
    },
    /// Too many wait.
    #[error("{MAX_OPEN} calls of `{principal}` wait for approval already\nhelp: approve or deny some: `casemate approvals list`")]
    TooMany {
        /// Whose.
        principal: PrincipalId,
    },
    /// It cannot be written down.
    #[error(
        "the call has no canonical form (RFC 8785), so nobody could sign it\nhelp: this is a fault of the host; nothing was sent"
    )]
    NoForm,
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<rusqlite::Error> for ApprovalError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl Ledger {
    /// Ask for an approval. What was spent to plan the call moves with it: the call that uses the approval pays once.
    ///
    /// # Errors
    /// When too many of the principal's wait, or the ledger cannot be written. The receipt is spent then.
    pub fn request(&self, subject: &Subject, receipt: Receipt) -> Result<ApprovalId, ApprovalError> {
        let (Some(id), Some(digest)) = (subject.id(), subject.digest()) else { return Err(ApprovalError::NoForm) };
        let json = subject.to_json().to_string();
        let spends = receipt.spends.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        self.write(true, |transaction| {
            let now = subject.requested;
            expire(transaction, now)?;
            forget(transaction, now)?;
            let open: u32 = transaction
                .prepare_cached("SELECT count(*) FROM approvals WHERE principal = ?1 AND state = 'open' AND expires_ms > ?2")?
                .query_row(params![subject.principal.as_str(), now.as_millis()], |row| row.get(0))?;
            if open >= MAX_OPEN {
                return Err(ApprovalError::TooMany { principal: subject.principal.clone() });
            }
            let new = transaction.execute(
                "INSERT OR IGNORE INTO approvals (id, subject, digest, principal, arguments, tool, state, in_band, requested_ms, expires_ms, spends)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', 0, ?7, ?8, ?9)",
                params![
                    id.as_str(),
                    json.as_bytes(),
                    digest,
                    subject.principal.as_str(),
                    subject.arguments_digest,
                    subject.tool.as_str(),
                    now.as_millis(),
                    subject.expires.as_millis(),
                    spends
                ],
            )?;
            if new == 0 {
                // The same was asked for in the same millisecond.
                must_be_open(transaction, &id, now)?;
                must_be_about(transaction, &id, &digest)?;
            }
            Ok(id)
        })
    }

    /// Write down what an approver said. A `deny` closes the approval. The signature is not checked here: it is each time it counts.
    ///
    /// # Errors
    /// When the approval is closed or about something else, or that person agreed before.
    pub fn vote(&self, id: &ApprovalId, statement: &Statement, vote: &Vote, now: Timestamp) -> Result<(), ApprovalError> {
        self.write(true, |transaction| {
            must_be_open(transaction, id, now)?;
            must_be_about(transaction, id, &statement.subject.digest().ok_or(ApprovalError::NoForm)?)?;
            let approver = statement.approver.as_str();
            let delegation = vote.delegation.as_ref();
            let row = params![
                id.as_str(),
                approver,
                vote.payload,
                vote.signature.as_slice(),
                statement.at.as_millis(),
                delegation.map(|delegation| &delegation.payload),
                delegation.map(|delegation| delegation.signature.as_slice())
            ];
            let new = transaction.execute(
                "INSERT OR IGNORE INTO votes (approval, approver, payload, signature, at_ms, delegation, delegation_signature)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                row,
            )?;
            match statement.said {
                Said::Deny => {
                    // The last word: it takes the place of what this person said before.
                    transaction.execute(
                        "UPDATE votes SET payload = ?3, signature = ?4, at_ms = ?5, delegation = ?6, delegation_signature = ?7
                         WHERE approval = ?1 AND approver = ?2",
                        row,
                    )?;
                    close(transaction, id, "denied", approver, now)?;
                }
                Said::Approve if new == 0 => {
                    return Err(ApprovalError::Twice { id: id.clone(), approver: approver.to_owned() });
                }
                Said::Approve => {}
            }
            Ok(())
        })
    }

    /// Write down that the person at the client agreed to what has this digest ([`Subject::digest`]).
    ///
    /// # Errors
    /// When the approval is closed or about something else.
    pub fn agree_in_band(&self, id: &ApprovalId, digest: &str, now: Timestamp) -> Result<(), ApprovalError> {
        self.write(true, |transaction| {
            must_be_open(transaction, id, now)?;
            must_be_about(transaction, id, digest)?;
            transaction.execute("UPDATE approvals SET in_band = 1 WHERE id = ?1 AND state = 'open'", [id.as_str()])?;
            Ok(())
        })
    }

    /// Close an approval without a vote: `by` is the operator, or the person at the client who said no.
    ///
    /// # Errors
    /// When the approval is closed.
    pub fn withdraw(&self, id: &ApprovalId, by: &str, now: Timestamp) -> Result<(), ApprovalError> {
        self.write(true, |transaction| {
            must_be_open(transaction, id, now)?;
            close(transaction, id, "withdrawn", by, now)?;
            Ok(())
        })
    }

    /// One approval, open or closed.
    pub fn approval(&self, id: &ApprovalId, now: Timestamp) -> Result<Option<Approval>, LedgerError> {
        self.read(|transaction| {
            let found = transaction
                .prepare_cached(&format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1"))?
                .query_row([id.as_str()], Found::of)
                .optional()?;
            found.map(|found| found.approval(transaction, now)).transpose().map(Option::flatten)
        })
    }

    /// Every approval, the newest first; only those that wait, unless `all`.
    pub fn approvals(&self, all: bool, now: Timestamp) -> Result<Vec<Approval>, LedgerError> {
        self.read(|transaction| {
            let found: Vec<Found> = transaction
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM approvals WHERE ?1 OR (state = 'open' AND expires_ms > ?2) ORDER BY requested_ms DESC, id"
                ))?
                .query_map(params![all, now.as_millis()], Found::of)?
                .collect::<Result<_, _>>()?;
            found.into_iter().filter_map(|found| found.approval(transaction, now).transpose()).collect()
        })
    }
}

/// The open approvals for a call of this principal with these arguments.
pub(crate) fn open_for(
    transaction: &Transaction<'_>,
    principal: &PrincipalId,
    tool: &ServedName,
    arguments_digest: &str,
    now: Timestamp,
) -> Result<Vec<OpenApproval>, LedgerError> {
    let found: Vec<Found> = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM approvals WHERE principal = ?1 AND arguments = ?2 AND state = 'open' AND tool = ?3 AND expires_ms > ?4 ORDER BY requested_ms, id"
        ))?
        .query_map(params![principal.as_str(), arguments_digest, tool.as_str(), now.as_millis()], Found::of)?
        .collect::<Result<_, _>>()?;
    let mut open = Vec::new();
    for found in found {
        open.extend(found.approval(transaction, now)?.map(|approval| approval.open));
    }
    Ok(open)
}

/// How many calls of a budget, of those that still count, were spent to plan the call of an approval.
pub(crate) fn planned(
    transaction: &Transaction<'_>,
    id: &ApprovalId,
    key: &BudgetKey,
    now: Timestamp,
) -> Result<u64, rusqlite::Error> {
    let spends: String =
        transaction.prepare_cached("SELECT spends FROM approvals WHERE id = ?1")?.query_row([id.as_str()], |row| row.get(0))?;
    let mut calls = 0;
    for spend in spends.split_whitespace().filter_map(|id| id.parse::<i64>().ok()) {
        let counts: bool = transaction
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM spends WHERE id = ?1 AND budget = ?2 AND at_ms > ?3)")?
            .query_row(params![spend, key.as_str(), cut(key, now)], |row| row.get(0))?;
        calls += u64::from(counts);
    }
    Ok(calls)
}

/// Use an approval up, in the transaction that charges for the call. What was spent to plan the call is given back: the call pays now.
pub(crate) fn take(transaction: &Transaction<'_>, agreed: &Agreed, now: Timestamp) -> Result<(), crate::ChargeError> {
    let fault = |fault| crate::ChargeError::Approval { id: agreed.id.clone(), fault };
    let row: Option<(String, String)> = transaction
        .prepare_cached("SELECT digest, spends FROM approvals WHERE id = ?1")?
        .query_row([agreed.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((digest, spends)) = row else { return Err(fault(Closed::Unknown)) };
    if let Err(closed) = state(transaction, &agreed.id, now)? {
        return Err(fault(closed));
    }
    if digest != agreed.digest {
        return Err(fault(Closed::Changed));
    }
    if close(transaction, &agreed.id, "taken", &agreed.by.join(", "), now)? != 1 {
        return Err(fault(Closed::Taken));
    }
    give_back(transaction, spends.split_whitespace().filter_map(|id| id.parse().ok()))?;
    Ok(())
}

const COLUMNS: &str = "id, subject, digest, state, in_band, expires_ms, closed_ms, closed_by";

/// A row, before anything in it is believed.
struct Found {
    id: String,
    subject: Vec<u8>,
    digest: String,
    state: String,
    in_band: bool,
    expires: i64,
    closed: Option<i64>,
    closed_by: Option<String>,
}

impl Found {
    fn of(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            subject: row.get(1)?,
            digest: row.get(2)?,
            state: row.get(3)?,
            in_band: row.get(4)?,
            expires: row.get(5)?,
            closed: row.get(6)?,
            closed_by: row.get(7)?,
        })
    }

    /// None where the row is not what this host writes: then there is no approval.
    fn approval(self, transaction: &Transaction<'_>, now: Timestamp) -> Result<Option<Approval>, LedgerError> {
        let subject = serde_json::from_slice(&self.subject).ok().and_then(|json| Subject::from_json(&json));
        let (Some(subject), Ok(id)) = (subject, self.id.parse::<ApprovalId>()) else { return Ok(None) };
        if subject.digest().as_deref() != Some(self.digest.as_str()) || subject.expires.as_millis() != self.expires {
            return Ok(None);
        }
        let votes = transaction
            .prepare_cached(
                "SELECT payload, signature, delegation, delegation_signature FROM votes WHERE approval = ?1 ORDER BY at_ms, approver",
            )?
            .query_map([id.as_str()], vote)?
            .collect::<Result<Vec<_>, _>>()?;
        let votes = votes.into_iter().flatten().collect();
        let state = match self.state.as_str() {
            "open" if now.as_millis() < self.expires => State::Open,
            "open" => State::Expired,
            "taken" => State::Closed(Closed::Taken),
            "denied" => State::Closed(Closed::Denied),
            _ if self.closed_by.as_deref() == Some(EXPIRED) => State::Expired,
            _ => State::Closed(Closed::Withdrawn),
        };
        let closed = self.closed_by.zip(self.closed.map(Timestamp::from_millis));
        let open = OpenApproval { id, subject: Arc::new(subject), votes, in_band: self.in_band };
        Ok(Some(Approval { open, state, closed }))
    }
}

/// A vote as its row has it; none where the row is not what this host writes.
fn vote(row: &Row<'_>) -> Result<Option<Vote>, rusqlite::Error> {
    let delegation: Option<(Vec<u8>, Vec<u8>)> = Option::zip(row.get(2)?, row.get(3)?);
    let delegation =
        delegation.map(|(payload, signature)| Some(SignedDelegation { payload, signature: signature.try_into().ok()? }));
    let signature: Vec<u8> = row.get(1)?;
    let payload = row.get(0)?;
    Ok(match (signature.try_into(), delegation) {
        (Ok(signature), None) => Some(Vote { payload, signature, delegation: None }),
        (Ok(signature), Some(Some(delegation))) => Some(Vote { payload, signature, delegation: Some(delegation) }),
        _ => None,
    })
}

/// Whether it is open.
fn state(transaction: &Transaction<'_>, id: &ApprovalId, now: Timestamp) -> Result<Result<(), Closed>, rusqlite::Error> {
    let row: Option<(String, i64, Option<String>)> = transaction
        .prepare_cached("SELECT state, expires_ms, closed_by FROM approvals WHERE id = ?1")?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(match row.as_ref().map(|(state, expires, by)| (state.as_str(), *expires, by.as_deref())) {
        Some(("open", expires, _)) if now.as_millis() < expires => Ok(()),
        Some(("open", ..) | ("withdrawn", _, Some(EXPIRED))) => Err(Closed::Expired),
        Some(("taken", ..)) => Err(Closed::Taken),
        Some(("denied", ..)) => Err(Closed::Denied),
        Some(_) => Err(Closed::Withdrawn),
        None => Err(Closed::Unknown),
    })
}

fn must_be_open(transaction: &Transaction<'_>, id: &ApprovalId, now: Timestamp) -> Result<(), ApprovalError> {
    state(transaction, id, now)?.map_err(|fault| ApprovalError::Closed { id: id.clone(), fault })
}

fn must_be_about(transaction: &Transaction<'_>, id: &ApprovalId, digest: &str) -> Result<(), ApprovalError> {
    let same: bool = transaction
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM approvals WHERE id = ?1 AND digest = ?2)")?
        .query_row(params![id.as_str(), digest], |row| row.get(0))?;
    if same { Ok(()) } else { Err(ApprovalError::Closed { id: id.clone(), fault: Closed::Changed }) }
}

/// The one way out of `open`.
fn close(
    transaction: &Transaction<'_>,
    id: &ApprovalId,
    state: &str,
    by: &str,
    now: Timestamp,
) -> Result<usize, rusqlite::Error> {
    transaction
        .prepare_cached("UPDATE approvals SET state = ?2, closed_by = ?3, closed_ms = ?4 WHERE id = ?1 AND state = 'open'")?
        .execute(params![id.as_str(), state, by, now.as_millis()])
}

/// What has expired stays so, also for a clock that is set back: seen once, it leaves `open`.
pub(crate) fn expire(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "UPDATE approvals SET state = 'withdrawn', closed_by = ?2, closed_ms = expires_ms WHERE state = 'open' AND expires_ms <= ?1",
        )?
        .execute(params![now.as_millis(), EXPIRED])?;
    Ok(())
}

fn forget(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), rusqlite::Error> {
    let old = now.as_millis().saturating_sub_unsigned(KEPT_MS);
    transaction.execute("DELETE FROM votes WHERE approval IN (SELECT id FROM approvals WHERE expires_ms <= ?1)", [old])?;
    transaction.execute("DELETE FROM approvals WHERE expires_ms <= ?1", [old])?;
    Ok(())
}
