//! Observations: what a result brings into a session.
//!
//! The first appearance of a value decides whose it is, and nothing that is said later takes that back. What cannot be remembered any more
//! counts as having been seen.

use std::sync::atomic::Ordering;

use casemate_policy::{
    GrantName, PrincipalId, ServedName, Timestamp,
    session::{Fingerprint, SessionRules, Values},
};
use casemate_signing::manifest::Label;
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::{
    Ledger,
    ledger::{KEPT_MS, PURGE_EVERY},
    schema::LedgerError,
    sessions::{cut, grants},
};

/// Values of one session that are remembered. A session that saw more counts as having seen every value that the caller did not say before.
pub const MAX_SEEN: usize = 200_000;

/// A result that a session has read.
#[derive(Debug, Clone)]
pub struct Observation<'a> {
    /// Who read it.
    pub principal: &'a PrincipalId,
    /// Under which grant.
    pub grant: &'a GrantName,
    /// Whose result it is.
    pub tool: &'a ServedName,
    /// What it carries.
    pub labels: &'a [&'a Label],
    /// What the caller said in its arguments.
    pub said: &'a Values,
    /// What is in the result.
    pub shown: &'a Values,
    /// The audit record of the call.
    pub audit_id: &'a str,
}

impl Ledger {
    /// Remember what a result brought into a session, before anybody sees it. `rules` say what of the past still counts.
    ///
    /// # Errors
    /// When the ledger cannot be written: then the result must not be shown.
    pub fn observe(&self, seen: &Observation<'_>, rules: SessionRules, now: Timestamp) -> Result<(), LedgerError> {
        if seen.labels.is_empty() && seen.said.fingerprints.is_empty() {
            return Ok(());
        }
        let since = cut(rules, now);
        let due = self.observed.fetch_add(1, Ordering::Relaxed) % PURGE_EVERY == PURGE_EVERY - 1;
        self.write(false, |transaction| {
            let (principal, grant) = (seen.principal.as_str(), seen.grant.as_str());
            let mut others = grants(transaction, principal)?;
            others.retain(|other| other != grant);
            let (tool, audit_id) = (seen.tool.as_str(), seen.audit_id);
            let mut session = Session { transaction, principal, grant, others, tool, audit_id, since, now, room: 0, entered: 0 };
            session.room = MAX_SEEN.saturating_sub(session.size()?);
            if due || session.room == 0 {
                forget(transaction, since)?;
                session.room = MAX_SEEN.saturating_sub(session.size()?);
            }
            // What the caller said in this call it said before it saw the answer, but after everything that could not be remembered.
            let overflowed = session.overflowed()?;
            for value in &seen.said.fingerprints {
                session.see(value, None, !overflowed)?;
            }
            let mut overflow = seen.shown.overflow;
            if !overflow && !seen.labels.is_empty() {
                let labels = seen.labels.iter().map(|label| label.as_str()).collect::<Vec<_>>().join(" ");
                for value in &seen.shown.fingerprints {
                    let labels = if session.said_elsewhere(value)? { None } else { Some(labels.as_str()) };
                    overflow |= !session.see(value, labels, true)?;
                }
            }
            for label in seen.labels {
                session.hold(label, overflow)?;
            }
            session.count()
        })
    }

    /// Forget what has not counted for a day. It happens by itself now and then.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn forget_sessions(&self, rules: SessionRules, now: Timestamp) -> Result<(), LedgerError> {
        self.write(false, |transaction| Ok(forget(transaction, cut(rules, now))?))
    }
}

/// One session in one transaction.
struct Session<'a> {
    transaction: &'a Transaction<'a>,
    principal: &'a str,
    grant: &'a str,
    /// The principal's other grants.
    others: Vec<String>,
    tool: &'a str,
    audit_id: &'a str,
    /// What was seen at or before this does not count.
    since: i64,
    now: Timestamp,
    /// So many more values are remembered.
    room: usize,
    entered: usize,
}

impl Session<'_> {
    fn size(&self) -> Result<usize, rusqlite::Error> {
        let size: Option<i64> = self
            .transaction
            .prepare_cached("SELECT size FROM sizes WHERE principal = ?1 AND grant_name = ?2")?
            .query_row(params![self.principal, self.grant], |row| row.get(0))
            .optional()?;
        Ok(size.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX)))
    }

    fn overflowed(&self) -> Result<bool, rusqlite::Error> {
        self.transaction
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM labels WHERE principal = ?1 AND last_ms > ?2 AND overflow <> 0)")?
            .query_row(params![self.principal, self.since], |row| row.get(0))
    }

    /// Whether the caller had a value first under another of its grants: then it is the caller's there and here.
    fn said_elsewhere(&self, value: &Fingerprint) -> Result<bool, rusqlite::Error> {
        let value = value.as_bytes().as_slice();
        for other in &self.others {
            let said = self
                .transaction
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM seen WHERE principal = ?1 AND grant_name = ?2 AND value = ?3 AND at_ms > ?4 AND label IS NULL)",
                )?
                .query_row(params![self.principal, other, value, self.since], |row| row.get(0))?;
            if said {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Remember when a value was seen and, where that is its first time that counts, whose it is: a result's with these labels, or the
    /// caller's. A new one is only remembered where `new` says so and there is room; gives whether it is remembered.
    fn see(&mut self, value: &Fingerprint, labels: Option<&str>, new: bool) -> Result<bool, rusqlite::Error> {
        let value = value.as_bytes().as_slice();
        if new && self.room > 0 {
            let entered = self
                .transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO seen (principal, grant_name, value, label, tool, at_ms, audit_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![self.principal, self.grant, value, labels, self.tool, self.now.as_millis(), self.audit_id])?;
            self.room -= entered;
            self.entered += entered;
            if entered > 0 {
                return Ok(true);
            }
        }
        let known = self
            .transaction
            .prepare_cached(
                "UPDATE seen SET at_ms = max(at_ms, ?6),
                     label = CASE WHEN at_ms > ?7 THEN label ELSE ?4 END,
                     tool = CASE WHEN at_ms > ?7 THEN tool ELSE ?5 END,
                     audit_id = CASE WHEN at_ms > ?7 THEN audit_id ELSE ?9 END
                 WHERE principal = ?1 AND grant_name = ?2 AND value = ?3 AND (at_ms > ?7 OR ?8)",
            )?
            .execute(params![
                self.principal,
                self.grant,
                value,
                labels,
                self.tool,
                self.now.as_millis(),
                self.since,
                new,
                self.audit_id
            ])?;
        Ok(known > 0)
    }

    fn hold(&self, label: &Label, overflow: bool) -> Result<(), rusqlite::Error> {
        self.transaction
            .prepare_cached(
                "INSERT INTO labels (principal, grant_name, label, tool, first_ms, last_ms, audit_id, overflow) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET
                     tool = CASE WHEN last_ms > ?8 THEN tool ELSE excluded.tool END,
                     first_ms = CASE WHEN last_ms > ?8 THEN first_ms ELSE excluded.first_ms END,
                     audit_id = CASE WHEN last_ms > ?8 THEN audit_id ELSE excluded.audit_id END,
                     overflow = CASE WHEN last_ms > ?8 THEN max(overflow, excluded.overflow) ELSE excluded.overflow END,
                     last_ms = max(last_ms, excluded.last_ms)",
            )?
            .execute(params![
                self.principal,
                self.grant,
                label.as_str(),
                self.tool,
                self.now.as_millis(),
                self.audit_id,
                overflow,
                self.since
            ])?;
        Ok(())
    }

    /// Counting every row each time would cost more than all the rest.
    fn count(&self) -> Result<(), LedgerError> {
        if self.entered > 0 {
            self.transaction
                .prepare_cached(
                    "INSERT INTO sizes (principal, grant_name, size) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET size = size + excluded.size",
                )?
                .execute(params![self.principal, self.grant, i64::try_from(self.entered).unwrap_or(i64::MAX)])?;
        }
        Ok(())
    }
}

/// What has not counted for a while is forgotten; a clock that is set back must find the rest again.
fn forget(transaction: &Transaction<'_>, since: i64) -> Result<(), rusqlite::Error> {
    let old = since.saturating_sub(KEPT_MS);
    transaction.execute("DELETE FROM labels WHERE last_ms <= ?1", [old])?;
    if transaction.execute("DELETE FROM seen WHERE at_ms <= ?1", [old])? > 0 {
        transaction.execute(
            "UPDATE sizes SET size = (SELECT count(*) FROM seen WHERE seen.principal = sizes.principal AND seen.grant_name = sizes.grant_name)",
            [],
        )?;
        transaction.execute("DELETE FROM sizes WHERE size = 0", [])?;
    }
    Ok(())
}
