//! Sessions: what a principal has read under a grant, and which values it saw there first.

use std::{collections::BTreeMap, str::FromStr};

use casemate_policy::{
    GrantName, PrincipalId, ServedName, Timestamp,
    session::{Carried, Read, SessionReading, SessionRules, provenance::Argument},
};
use casemate_signing::manifest::Label;
use rusqlite::{OptionalExtension as _, Row, Transaction, params, types::Type};

use crate::{Ledger, schema::LedgerError};

/// A session, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub principal: String,
    /// Under which grant.
    pub grant: String,
    /// When it began; none where only labels are known.
    pub since: Option<Timestamp>,
    /// What it has read: label, tool, first, last, audit record.
    pub labels: Vec<HeldLabel>,
    /// How many values of results are remembered.
    pub values: u64,
}

/// One label that a session holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLabel {
    /// Which.
    pub label: String,
    /// From which tool first.
    pub tool: String,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// The audit record of the first.
    pub audit_id: String,
}

impl Ledger {
    /// Note that a session begins, if it has not.
    pub fn begin_session(&self, principal: &PrincipalId, grant: &GrantName, now: Timestamp) -> Result<(), LedgerError> {
        let known: bool = self.read(|transaction| {
            transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM sessions WHERE principal = ?1 AND grant_name = ?2)")?
                .query_row(params![principal.as_str(), grant.as_str()], |row| row.get(0))
                .map_err(LedgerError::from)
        })?;
        if known {
            return Ok(());
        }
        self.write(true, |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO sessions (principal, grant_name, since_ms) VALUES (?1, ?2, ?3)",
                params![principal.as_str(), grant.as_str(), now.as_millis()],
            )?;
            Ok(())
        })
    }

    /// Every session.
    pub fn sessions(&self, rules: SessionRules, now: Timestamp) -> Result<Vec<Session>, LedgerError> {
        let since = cut(rules, now);
        self.read(|transaction| {
            let names: Vec<(String, String)> = transaction
                .prepare_cached(
                    "SELECT principal, grant_name FROM sessions UNION SELECT principal, grant_name FROM labels WHERE last_ms > ?1 ORDER BY 1, 2",
                )?
                .query_map([since], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            names.into_iter().map(|(principal, grant)| session(transaction, principal, grant, since)).collect()
        })
    }

    /// Forget what a principal has read, under one grant or under all; gives whether there was anything. A person decides this: it washes labels.
    pub fn clear_session(&self, principal: &PrincipalId, grant: Option<&GrantName>) -> Result<bool, LedgerError> {
        self.write(true, |transaction| {
            let mut gone = 0;
            for table in ["sessions", "labels", "seen", "sizes"] {
                gone += transaction.execute(
                    &format!("DELETE FROM {table} WHERE principal = ?1 AND (?2 IS NULL OR grant_name = ?2)"),
                    params![principal.as_str(), grant.map(GrantName::as_str)],
                )?;
            }
            Ok(gone > 0)
        })
    }
}

/// Labels and values seen at or before this no longer count.
pub(crate) fn cut(rules: SessionRules, now: Timestamp) -> i64 {
    rules.keep.map_or(i64::MIN, |keep| now.as_millis().saturating_sub_unsigned(keep.as_millis()))
}

/// The grants under which a principal has seen values.
pub(crate) fn grants(transaction: &Transaction<'_>, principal: &str) -> Result<Vec<String>, rusqlite::Error> {
    let mut grants = transaction.prepare_cached("SELECT grant_name FROM sizes WHERE principal = ?1")?;
    grants.query_map([principal], |row| row.get(0))?.collect()
}

/// What a decision needs of one session. Whoever has read something under one of its grants has read it: a caller that reads under one and
/// acts under another is the same caller, and it is the host that chooses among grants which cover a tool. Only the beginning is the grant's.
pub(crate) fn reading(
    transaction: &Transaction<'_>,
    principal: &PrincipalId,
    grant: &GrantName,
    arguments: &[Argument],
    rules: SessionRules,
    now: Timestamp,
) -> Result<SessionReading, LedgerError> {
    let (principal, since) = (principal.as_str(), cut(rules, now));
    let mut reading = SessionReading { since: began(transaction, principal, grant.as_str())?, ..SessionReading::default() };
    // Labels of which too much was seen to remember it all.
    let mut overflowed = Vec::new();
    let mut labels = transaction.prepare_cached(
        "SELECT label, tool, first_ms, audit_id, overflow FROM labels WHERE principal = ?1 AND last_ms > ?2 ORDER BY first_ms DESC",
    )?;
    let mut rows = labels.query(params![principal, since])?;
    while let Some(row) = rows.next()? {
        let (label, tool): (Label, ServedName) = (parsed(row, 0)?, parsed(row, 1)?);
        if row.get(4)? {
            overflowed.push((label.clone(), (tool.to_string(), None)));
        }
        reading.labels.insert(label, Read { tool, at: Timestamp::from_millis(row.get(2)?), audit_id: row.get(3)? });
    }
    let grants = if arguments.is_empty() { Vec::new() } else { grants(transaction, principal)? };
    for argument in arguments {
        let mut carried = BTreeMap::new();
        let mut unknown = false;
        for value in &argument.fingerprints {
            let mut known = false;
            // By whole keys: without the grant, every value of the principal would be looked through.
            for grant in &grants {
                let mut first = transaction.prepare_cached(
                    "SELECT label, tool, audit_id FROM seen WHERE principal = ?1 AND grant_name = ?2 AND value = ?3 AND at_ms > ?4",
                )?;
                let mut rows = first.query(params![principal, grant, value.as_bytes().as_slice(), since])?;
                if let Some(row) = rows.next()? {
                    carried.extend(labels_of(row)?);
                    known = true;
                }
            }
            unknown |= !known;
        }
        // What the caller did not say before may have been among what could not be remembered.
        if unknown {
            carried.extend(overflowed.iter().cloned());
        }
        let carried = carried.into_iter();
        reading.carried.extend(carried.map(|(label, (from, audit_id))| Carried {
            argument: argument.pointer.clone(),
            label,
            from,
            audit_id,
        }));
    }
    Ok(reading)
}

/// A tool, and the audit record of the call of it that returned something.
type Origin = (String, Option<String>);

/// The labels of the result in which a value was seen first, with where that came from; none where the caller said it first.
fn labels_of(row: &Row<'_>) -> Result<Vec<(Label, Origin)>, LedgerError> {
    let Some(labels) = row.get::<_, Option<String>>(0)? else { return Ok(Vec::new()) };
    let from: Origin = (row.get(1)?, row.get(2)?);
    let labels = labels.split(' ').map(|label| label.parse().map(|label| (label, from.clone())));
    Ok(labels.collect::<Result<_, _>>().map_err(|_| unreadable(0))?)
}

/// A name that this host wrote. One that is none is no reason to take the session for another.
fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> Result<T, rusqlite::Error> {
    row.get::<_, String>(column)?.parse().map_err(|_| unreadable(column))
}

fn unreadable(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "a name".to_owned(), Type::Text)
}

fn began(transaction: &Transaction<'_>, principal: &str, grant: &str) -> Result<Option<Timestamp>, rusqlite::Error> {
    let since: Option<i64> = transaction
        .prepare_cached("SELECT since_ms FROM sessions WHERE principal = ?1 AND grant_name = ?2")?
        .query_row(params![principal, grant], |row| row.get(0))
        .optional()?;
    Ok(since.map(Timestamp::from_millis))
}

fn session(transaction: &Transaction<'_>, principal: String, grant: String, since: i64) -> Result<Session, LedgerError> {
    let labels = transaction
        .prepare_cached(
            "SELECT label, tool, first_ms, last_ms, audit_id FROM labels WHERE principal = ?1 AND grant_name = ?2 AND last_ms > ?3 ORDER BY label",
        )?
        .query_map(params![principal, grant, since], |row| {
            Ok(HeldLabel {
                label: row.get(0)?,
                tool: row.get(1)?,
                first: Timestamp::from_millis(row.get(2)?),
                last: Timestamp::from_millis(row.get(3)?),
                audit_id: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let values: i64 = transaction
        .prepare_cached(
            "SELECT count(*) FROM seen WHERE principal = ?1 AND grant_name = ?2 AND label IS NOT NULL AND at_ms > ?3",
        )?
        .query_row(params![principal, grant, since], |row| row.get(0))?;
    let began = began(transaction, &principal, &grant)?;
    Ok(Session { principal, grant, since: began, labels, values: values.unsigned_abs() })
}
