//! Sessions: what a principal has read under a grant, and which values it saw there first.

use casemate_policy::{
    GrantName, PrincipalId, ServedName, Timestamp,
    session::{Carried, Read, SessionReading, SessionRules, Values, provenance::Argument},
};
use casemate_signing::manifest::Label;
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::{Ledger, schema::LedgerError};

/// Values of one session that are remembered. A session that saw more counts as having seen every value that the caller did not say first.
const MAX_SEEN: i64 = 200_000;

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

    /// Remember what a result brought into a session, before anybody sees it.
    pub fn observe(&self, seen: &Observation<'_>, now: Timestamp) -> Result<(), LedgerError> {
        let said = !seen.said.fingerprints.is_empty();
        if seen.labels.is_empty() && !said {
            return Ok(());
        }
        let (principal, grant) = (seen.principal.as_str(), seen.grant.as_str());
        self.write(false, |transaction| {
            // What the caller said in this call it said before it saw the answer.
            for value in &seen.said.fingerprints {
                transaction
                    .prepare_cached(
                        "INSERT INTO seen (principal, grant_name, value, label, tool, at_ms) VALUES (?1, ?2, ?3, NULL, ?4, ?5)
                         ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms",
                    )?
                    .execute(params![principal, grant, value.as_bytes().as_slice(), seen.tool.as_str(), now.as_millis()])?;
            }
            // A value has one label, the one that rules are made about: the others are held by the session.
            let untrusted = seen.labels.iter().find(|label| label.as_str() == "untrusted").or(seen.labels.first());
            let mut overflow = seen.shown.overflow;
            if let Some(label) = untrusted {
                overflow |= full(transaction, principal, grant)?;
                for value in seen.shown.fingerprints.iter().filter(|_| !overflow || !seen.shown.overflow) {
                    transaction
                        .prepare_cached(
                            "INSERT INTO seen (principal, grant_name, value, label, tool, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                             ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms",
                        )?
                        .execute(params![
                            principal,
                            grant,
                            value.as_bytes().as_slice(),
                            label.as_str(),
                            seen.tool.as_str(),
                            now.as_millis()
                        ])?;
                }
            }
            for label in seen.labels {
                transaction
                    .prepare_cached(
                        "INSERT INTO labels (principal, grant_name, label, tool, first_ms, last_ms, audit_id, overflow) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)
                         ON CONFLICT DO UPDATE SET last_ms = max(last_ms, excluded.last_ms), overflow = max(overflow, excluded.overflow)",
                    )?
                    .execute(params![principal, grant, label.as_str(), seen.tool.as_str(), now.as_millis(), seen.audit_id, overflow])?;
            }
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
            for table in ["sessions", "labels", "seen"] {
                gone += transaction.execute(
                    &format!("DELETE FROM {table} WHERE principal = ?1 AND (?2 IS NULL OR grant_name = ?2)"),
                    params![principal.as_str(), grant.map(GrantName::as_str)],
                )?;
            }
            Ok(gone > 0)
        })
    }

    /// Forget what was last seen longer ago than the rules keep it.
    pub fn forget_sessions(&self, rules: SessionRules, now: Timestamp) -> Result<(), LedgerError> {
        let since = cut(rules, now);
        self.write(false, |transaction| {
            transaction.execute("DELETE FROM seen WHERE at_ms <= ?1", [since])?;
            transaction.execute("DELETE FROM labels WHERE last_ms <= ?1", [since])?;
            Ok(())
        })
    }
}

/// Labels and values seen at or before this are forgotten.
fn cut(rules: SessionRules, now: Timestamp) -> i64 {
    rules.keep.map_or(i64::MIN, |keep| now.as_millis().saturating_sub_unsigned(keep.as_millis()))
}

fn full(transaction: &Transaction<'_>, principal: &str, grant: &str) -> Result<bool, rusqlite::Error> {
    transaction
        .prepare_cached("SELECT count(*) >= ?3 FROM (SELECT 1 FROM seen WHERE principal = ?1 AND grant_name = ?2 LIMIT ?3)")?
        .query_row(params![principal, grant, MAX_SEEN], |row| row.get(0))
}

/// What a decision needs of one session.
pub(crate) fn reading(
    transaction: &Transaction<'_>,
    principal: &PrincipalId,
    grant: &GrantName,
    arguments: &[Argument],
    rules: SessionRules,
    now: Timestamp,
) -> Result<SessionReading, LedgerError> {
    let (principal, grant, since) = (principal.as_str(), grant.as_str(), cut(rules, now));
    let mut reading = SessionReading { since: began(transaction, principal, grant)?, ..SessionReading::default() };
    let mut overflowed: Option<(Label, String)> = None;
    let mut labels = transaction.prepare_cached(
        "SELECT label, tool, first_ms, audit_id, overflow FROM labels WHERE principal = ?1 AND grant_name = ?2 AND last_ms > ?3",
    )?;
    let mut rows = labels.query(params![principal, grant, since])?;
    while let Some(row) = rows.next()? {
        let (Ok(label), Ok(tool)) = (row.get::<_, String>(0)?.parse::<Label>(), row.get::<_, String>(1)?.parse::<ServedName>())
        else {
            continue;
        };
        if row.get(4)? {
            overflowed = Some((label.clone(), tool.to_string()));
        }
        reading.labels.insert(label, Read { tool, at: Timestamp::from_millis(row.get(2)?), audit_id: row.get(3)? });
    }
    for argument in arguments {
        let mut known = false;
        for value in &argument.fingerprints {
            let first: Option<(Option<String>, String)> = transaction
                .prepare_cached(
                    "SELECT label, tool FROM seen WHERE principal = ?1 AND grant_name = ?2 AND value = ?3 AND at_ms > ?4",
                )?
                .query_row(params![principal, grant, value.as_bytes().as_slice(), since], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            known |= first.is_some();
            if let Some((Some(label), from)) = first
                && let Ok(label) = label.parse()
            {
                reading.carried.push(Carried { argument: argument.pointer.clone(), label, from });
                break;
            }
        }
        // Too much was seen to remember it all: what the caller did not say first may have been among it.
        if let Some((label, from)) = overflowed.as_ref().filter(|_| !known) {
            reading.carried.push(Carried { argument: argument.pointer.clone(), label: label.clone(), from: from.clone() });
        }
    }
    Ok(reading)
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
