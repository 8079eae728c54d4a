//! Conduct: what the breaker looks at, and the pauses that only a person ends.

use std::sync::PoisonError;

use casemate_policy::{
    PrincipalId, ServedName, Timestamp, Window,
    breaker::{self, BreakerReading, BreakerRules, Pause, Rate, Trip},
};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::{Ledger, schema::LedgerError};

/// A principal that is paused, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// Who.
    pub principal: String,
    /// Since when, and by what.
    pub pause: Pause,
}

impl Ledger {
    /// Count a call of this principal, whatever becomes of it, as far back as bursts are `watched`. Other processes count their own.
    pub fn count_call(&self, principal: &PrincipalId, watched: Option<Rate>, now: Timestamp) {
        let mut all = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = watched else {
            // What nobody asks for is not kept.
            all.clear();
            return;
        };
        let since = now.as_millis().saturating_sub_unsigned(rate.per.as_millis());
        if !all.contains_key(principal) {
            // Who has not called within the window leaves nothing behind, however many there were.
            all.retain(|_, calls| calls.back().is_some_and(|last| *last > since));
        }
        let calls = all.entry(principal.clone()).or_default();
        while calls.front().is_some_and(|at| *at <= since) {
            calls.pop_front();
        }
        // This call, and as many before it as there may be, say as much as all that there were.
        if calls.len() > rate.count as usize {
            calls.pop_front();
        }
        calls.push_back(now.as_millis());
    }

    /// Calls before the one that is asked for, which was counted as it came in.
    fn calls_since(&self, principal: &PrincipalId, since: i64) -> u32 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(calls) = calls.get_mut(principal) else { return 0 };
        while calls.front().is_some_and(|at| *at <= since) {
            calls.pop_front();
        }
        u32::try_from(calls.len()).unwrap_or(u32::MAX).saturating_sub(1)
    }

    /// Note that a call was refused.
    pub fn note_denial(&self, principal: &PrincipalId, tool: &str, now: Timestamp) -> Result<(), LedgerError> {
        self.write(false, |transaction| Ok(note(transaction, principal, "denied", tool, "", now)?))
    }

    /// Note with what arguments a tool above `read` is called; gives whether that is within the rate. Nothing is noted where it is not: of
    /// calls that were decided side by side, only as many are made as there may be.
    pub fn note_variant(
        &self,
        principal: &PrincipalId,
        tool: &ServedName,
        arguments_digest: &str,
        rate: Rate,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.write(false, |transaction| {
            if variants(transaction, principal, tool, arguments_digest, rate.per, now)? >= rate.count {
                return Ok(false);
            }
            note(transaction, principal, "variant", tool.as_str(), arguments_digest, now)?;
            Ok(true)
        })
    }

    /// Pause a principal, if it is not paused; gives whether it is now and was not.
    pub fn pause(&self, principal: &PrincipalId, trip: Trip, now: Timestamp) -> Result<bool, LedgerError> {
        self.write(true, |transaction| {
            let new = transaction.execute(
                "INSERT OR IGNORE INTO pauses (principal, since_ms, trip) VALUES (?1, ?2, ?3)",
                params![principal.as_str(), now.as_millis(), trip.to_string()],
            )?;
            Ok(new > 0)
        })
    }

    /// End a pause, and forget what led to it; gives whether there was one.
    ///
    /// Calls are counted in the memory of whichever process is called, so the moment is kept: what was called up to then led to the pause,
    /// or was refused because of it.
    pub fn resume(&self, principal: &PrincipalId, now: Timestamp) -> Result<bool, LedgerError> {
        self.write(true, |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO resumptions (principal, at_ms) VALUES (?1, ?2)",
                params![principal.as_str(), now.as_millis()],
            )?;
            let ended = transaction.execute("DELETE FROM pauses WHERE principal = ?1", [principal.as_str()])?;
            transaction.execute("DELETE FROM conduct WHERE principal = ?1", [principal.as_str()])?;
            Ok(ended > 0)
        })
    }

    /// Everyone who is paused.
    pub fn paused(&self) -> Result<Vec<Paused>, LedgerError> {
        self.read(|transaction| {
            let paused = transaction
                .prepare_cached("SELECT principal, since_ms, trip FROM pauses ORDER BY principal")?
                .query_map([], |row| {
                    let pause = Pause { since: Timestamp::from_millis(row.get(1)?), trip: row.get(2)? };
                    Ok(Paused { principal: row.get(0)?, pause })
                })?
                .collect::<Result<_, _>>()?;
            Ok(paused)
        })
    }

    pub(crate) fn breaker_reading(
        &self,
        transaction: &Transaction<'_>,
        rules: &BreakerRules,
        principal: &PrincipalId,
        tool: Option<&ServedName>,
        arguments_digest: Option<&str>,
        now: Timestamp,
    ) -> Result<BreakerReading, LedgerError> {
        let who = principal.as_str();
        let paused = transaction
            .prepare_cached("SELECT since_ms, trip FROM pauses WHERE principal = ?1")?
            .query_row([who], |row| Ok(Pause { since: Timestamp::from_millis(row.get(0)?), trip: row.get(1)? }))
            .optional()?;
        let since = |window: Window| now.as_millis().saturating_sub_unsigned(window.as_millis());
        let denials = match rules.denials {
            Some(rate) => transaction
                .prepare_cached("SELECT count(*) FROM conduct WHERE principal = ?1 AND kind = 'denied' AND at_ms > ?2")?
                .query_row(params![who, since(rate.per)], |row| row.get(0))?,
            None => 0,
        };
        let variants = match (rules.variants, tool) {
            (Some(rate), Some(tool)) => {
                variants(transaction, principal, tool, arguments_digest.unwrap_or_default(), rate.per, now)?
            }
            _ => 0,
        };
        let calls = match rules.burst {
            Some(rate) => {
                let resumed: Option<i64> = transaction
                    .prepare_cached("SELECT at_ms FROM resumptions WHERE principal = ?1")?
                    .query_row([who], |row| row.get(0))
                    .optional()?;
                // One of the future is a clock that was set back since: then everything counts.
                let resumed = resumed.filter(|at| *at <= now.as_millis());
                self.calls_since(principal, since(rate.per).max(resumed.unwrap_or(i64::MIN)))
            }
            None => 0,
        };
        Ok(BreakerReading { paused, denials, variants, calls })
    }
}

fn note(
    transaction: &Transaction<'_>,
    principal: &PrincipalId,
    kind: &str,
    tool: &str,
    arguments: &str,
    now: Timestamp,
) -> Result<(), rusqlite::Error> {
    // What no rule looks back on.
    transaction
        .prepare_cached("DELETE FROM conduct WHERE at_ms <= ?1")?
        .execute([now.as_millis().saturating_sub_unsigned(breaker::LONGEST_MS)])?;
    // The same payload again is no other one, and takes no more room.
    transaction
        .prepare_cached(
            "INSERT INTO conduct (principal, kind, tool, arguments, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (principal, tool, arguments) WHERE kind = 'variant' DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
        )?
        .execute(params![principal.as_str(), kind, tool, arguments, now.as_millis()])?;
    Ok(())
}

/// With how many arguments but these a tool was called.
fn variants(
    transaction: &Transaction<'_>,
    principal: &PrincipalId,
    tool: &ServedName,
    arguments_digest: &str,
    per: Window,
    now: Timestamp,
) -> Result<u32, rusqlite::Error> {
    let since = now.as_millis().saturating_sub_unsigned(per.as_millis());
    transaction
        .prepare_cached(
            "SELECT count(DISTINCT arguments) FROM conduct WHERE principal = ?1 AND kind = 'variant' AND tool = ?2 AND at_ms > ?3 AND arguments <> ?4",
        )?
        .query_row(params![principal.as_str(), tool.as_str(), since, arguments_digest], |row| row.get(0))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn rate(count: u32) -> Option<Rate> {
        Some(Rate { count, per: "1m".parse().unwrap() })
    }

    /// How many moments are in memory, of how many principals.
    fn remembered(ledger: &Ledger) -> (usize, usize) {
        let calls = ledger.calls.lock().unwrap();
        (calls.values().map(std::collections::VecDeque::len).sum(), calls.len())
    }

    /// Ten minutes under load once left eight bytes for each call behind, whether bursts were watched or not.
    #[test]
    fn a_server_under_load_remembers_no_more_calls_than_it_looks_back_on() {
        let ledger = Ledger::in_memory().unwrap();
        let call = |who: &str, watched, now| ledger.count_call(&who.parse().unwrap(), watched, Timestamp::from_millis(now));
        for number in 0..200_000 {
            call("token:busy", None, NOW + number / 100);
        }
        assert_eq!(remembered(&ledger), (0, 0), "nothing is watched");
        for number in 0..200_000 {
            call("token:busy", rate(1200), NOW + number / 100);
        }
        assert_eq!(remembered(&ledger), (1201, 1));
        // However many callers there were in a day.
        for number in 0..2_000 {
            call(&format!("token:{number}"), rate(1200), NOW + 60_000 * number);
        }
        assert_eq!(remembered(&ledger), (1, 1));
        call("token:1999", None, NOW);
        assert_eq!(remembered(&ledger), (0, 0), "and no longer than it is watched");
    }
}
