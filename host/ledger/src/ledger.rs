//! Spending, reading and giving back.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
};

use casemate_policy::{
    BudgetKey, Charge, Measure, Permit, PrincipalId, Reading, ServedName, Timestamp,
    approval::{Agreed, ApprovalId},
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::{
    approvals::{Closed, expire, take},
    schema::{self, LedgerError},
};

/// What no longer counts is kept for another day: a clock that is set back must find it again.
pub(crate) const KEPT_MS: i64 = 86_400_000;

/// So many charges or observations between two purges of what is not even kept.
pub(crate) const PURGE_EVERY: u32 = 1024;

/// What is remembered of every principal. Share it in an `Arc`; what changes it waits for each other, and for the disk.
#[derive(Debug)]
pub struct Ledger {
    /// Reads wait for no write; none where the ledger has no file. Closed first: the other one tidies up.
    reader: Option<Mutex<Connection>>,
    writer: Mutex<Inner>,
    /// Calls of the last while, by principal: a burst is over before it is worth writing down.
    pub(crate) calls: Mutex<HashMap<PrincipalId, VecDeque<i64>>>,
    /// Observations since it was opened.
    pub(crate) observed: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) connection: Connection,
    /// Whether the connection's commits wait for the disk now.
    durable: bool,
    charges: u32,
}

/// What one charge spent. It can be given back once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a call that sends nothing gives its receipt back"]
pub struct Receipt {
    pub(crate) spends: Vec<i64>,
    /// Spends of bytes, which are reserved and settled later.
    reserved: Vec<i64>,
    bytes: Option<u64>,
}

impl Receipt {
    fn nothing() -> Self {
        Self { spends: Vec::new(), reserved: Vec::new(), bytes: None }
    }

    /// The most bytes that upstreams may answer, where a budget counts them.
    pub fn bytes(&self) -> Option<u64> {
        self.bytes
    }
}

/// A charge that did not happen. Nothing was spent, and no approval used.
#[derive(Debug, thiserror::Error)]
pub enum ChargeError {
    /// A budget is spent.
    #[error("the budget `{key}` of {measure} is spent")]
    Exhausted {
        /// Which.
        key: BudgetKey,
        /// What it counts, and how much it allows.
        measure: Measure,
        /// In how many milliseconds something can be spent again, if no other call is faster; none where it allows none at all.
        retry_after_ms: Option<u64>,
    },
    /// The approval is not there to be used: another call was faster, or a person took it back.
    #[error("approval {id} {fault}")]
    Approval {
        /// Which.
        id: ApprovalId,
        /// What became of it.
        fault: Closed,
    },
    /// Calls beside this one were as many payloads of one tool as there may be.
    #[error(
        "`{tool}` is called with more different payloads than `[breaker] variants` allows\nhelp: see what they are with `casemate audit show`, and then `casemate breaker resume`"
    )]
    Variants {
        /// Which.
        tool: ServedName,
    },
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<rusqlite::Error> for ChargeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl Ledger {
    /// Open the ledger at `path`, or begin one, for its owner alone. A damaged file is an error.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let connection = schema::open(path)?;
        let reader = schema::open_reader(path)?;
        Ok(Self::new(connection, Some(reader)))
    }

    /// A ledger that ends with the process.
    pub fn in_memory() -> Result<Self, LedgerError> {
        Ok(Self::new(schema::open_in_memory()?, None))
    }

    fn new(connection: Connection, reader: Option<Connection>) -> Self {
        Self {
            reader: reader.map(Mutex::new),
            writer: Mutex::new(Inner { connection, durable: false, charges: 0 }),
            calls: Mutex::default(),
            observed: AtomicU32::new(0),
        }
    }

    /// Spend every budget of a permit and use up its approval, or neither. `most` is the most bytes that upstreams may answer in this call.
    /// For a tool above `read` the spending is on disk when this returns.
    pub fn charge(&self, permit: &Permit, most: u64, now: Timestamp) -> Result<Receipt, ChargeError> {
        // The word is compared so that whatever is not exactly `read` waits for the disk.
        let durable = permit.effect().as_str() != "read" || permit.agreed().is_some();
        self.charge_all(permit.charges(), permit.agreed(), most, now, durable)
    }

    /// The same for some charges and an approval; `durable` waits for the disk.
    pub fn charge_all(
        &self,
        charges: &[Charge],
        agreed: Option<&Agreed>,
        most: u64,
        now: Timestamp,
        durable: bool,
    ) -> Result<Receipt, ChargeError> {
        if charges.is_empty() && agreed.is_none() {
            return Ok(Receipt::nothing());
        }
        let mut inner = self.writer();
        inner.wait_for_disk(durable)?;
        // Immediate: no other connection can spend between the count and the spend.
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        expire(&transaction, now)?;
        if let Some(agreed) = agreed {
            take(&transaction, agreed, now)?;
        }
        let mut receipt = Receipt::nothing();
        for charge in charges {
            match charge.measure() {
                Measure::Calls(_) => receipt.spends.push(spend(&transaction, charge, 1, None, now)?),
                Measure::Distinct(..) => {
                    fits(&transaction, charge, now)?;
                    for target in charge.targets() {
                        receipt.spends.push(enter(&transaction, charge, 1, Some(target), now)?);
                    }
                }
                Measure::Bytes(limit) => {
                    let spent = fits(&transaction, charge, now)?.spent;
                    // All amounts of a budget together are a number that SQLite can add up.
                    let amount = most.min(limit.min(&i64::MAX.unsigned_abs()).saturating_sub(spent));
                    receipt.bytes = Some(receipt.bytes.map_or(amount, |bytes| bytes.min(amount)));
                    receipt.reserved.push(enter(&transaction, charge, amount, None, now)?);
                }
            }
        }
        transaction.commit()?;
        inner.charges = inner.charges.wrapping_add(1);
        if inner.charges.is_multiple_of(PURGE_EVERY) {
            // The charge stands, whatever becomes of this; the next one tries again.
            drop(purge(&inner.connection, now));
        }
        Ok(receipt)
    }

    /// Give back what a charge spent: for a call that sent nothing. An approval that was used stays used.
    pub fn refund(&self, receipt: Receipt) -> Result<(), LedgerError> {
        if receipt.spends.is_empty() && receipt.reserved.is_empty() {
            return Ok(());
        }
        let mut inner = self.writer();
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        give_back(&transaction, receipt.spends.iter().chain(&receipt.reserved).copied())?;
        transaction.commit()?;
        Ok(())
    }

    /// Of the bytes that were reserved, keep spent what was answered.
    pub fn settle(&self, receipt: &Receipt, bytes: u64) -> Result<(), LedgerError> {
        if receipt.reserved.is_empty() {
            return Ok(());
        }
        let mut inner = self.writer();
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in &receipt.reserved {
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            transaction
                .prepare_cached("UPDATE spends SET amount = min(amount, ?2) WHERE id = ?1")?
                .execute(params![id, bytes])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forget what has not counted for a day. It happens by itself now and then; gives how many spends were forgotten.
    pub fn purge(&self, now: Timestamp) -> Result<usize, LedgerError> {
        Ok(purge(&self.writer().connection, now)?)
    }

    /// A panic under the lock has rolled its transaction back: the connection is as good as before.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Inner> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One look, at one moment of the file.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(&self, look: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        match &self.reader {
            Some(reader) => look(&reader.lock().unwrap_or_else(PoisonError::into_inner).transaction()?),
            None => look(&self.writer().connection.transaction()?),
        }
    }

    /// One change that is on disk when this returns.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        durable: bool,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut inner = self.writer();
        inner.wait_for_disk(durable)?;
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let changed = change(&transaction)?;
        transaction.commit()?;
        Ok(changed)
    }
}

impl Inner {
    /// In WAL mode, FULL syncs every commit; NORMAL leaves that to the next checkpoint, and survives the process, not the
    /// machine.
    fn wait_for_disk(&mut self, durable: bool) -> Result<(), rusqlite::Error> {
        if self.durable != durable {
            self.connection.pragma_update(None, "synchronous", if durable { "full" } else { "normal" })?;
            self.durable = durable;
        }
        Ok(())
    }
}

/// Spends at or before this no longer count.
pub(crate) fn cut(key: &BudgetKey, now: Timestamp) -> i64 {
    now.as_millis().saturating_sub_unsigned(key.window().as_millis())
}

/// What a budget has spent in the window that ends now, and what of the charge's targets it has not.
///
/// Spends of the future, as they look after a clock was set back, count: time gives back no budget early.
pub(crate) fn reading(transaction: &Transaction<'_>, charge: &Charge, now: Timestamp) -> Result<Reading, rusqlite::Error> {
    let (key, since) = (charge.key(), cut(charge.key(), now));
    let spent = match charge.measure() {
        // A target counts until its last use no longer does.
        Measure::Distinct(..) => {
            "SELECT count(*), min(last) FROM (SELECT max(at_ms) AS last FROM spends WHERE budget = ?1 AND at_ms > ?2 GROUP BY target)"
        }
        Measure::Calls(_) | Measure::Bytes(_) => {
            "SELECT coalesce(sum(amount), 0), min(at_ms) FROM spends WHERE budget = ?1 AND at_ms > ?2"
        }
    };
    let (spent, oldest) = transaction
        .prepare_cached(spent)?
        .query_row(params![key.as_str(), since], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))?;
    let mut fresh = 0_u32;
    for target in charge.targets() {
        let known: bool = transaction
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM spends WHERE budget = ?1 AND at_ms > ?2 AND target = ?3)")?
            .query_row(params![key.as_str(), since, target], |row| row.get(0))?;
        fresh = fresh.saturating_add(u32::from(!known));
    }
    Ok(Reading { spent: u64::try_from(spent).unwrap_or(u64::MAX), fresh, oldest: oldest.map(Timestamp::from_millis) })
}

/// The reading, if it leaves room for the charge.
fn fits(transaction: &Transaction<'_>, charge: &Charge, now: Timestamp) -> Result<Reading, ChargeError> {
    let reading = reading(transaction, charge, now)?;
    if charge.fits(&reading) {
        return Ok(reading);
    }
    let retry_after_ms = free_at(transaction, charge, &reading, now)?.map(|at| at.since(now));
    Err(ChargeError::Exhausted { key: charge.key().clone(), measure: charge.measure().clone(), retry_after_ms })
}

fn spend(
    transaction: &Transaction<'_>,
    charge: &Charge,
    amount: u64,
    target: Option<&str>,
    now: Timestamp,
) -> Result<i64, ChargeError> {
    fits(transaction, charge, now)?;
    Ok(enter(transaction, charge, amount, target, now)?)
}

fn enter(
    transaction: &Transaction<'_>,
    charge: &Charge,
    amount: u64,
    target: Option<&str>,
    now: Timestamp,
) -> Result<i64, rusqlite::Error> {
    let key = charge.key();
    // Never before the budget's newest spend: a clock that was behind and is set right must not age this one.
    let newest: Option<i64> = transaction
        .prepare_cached("SELECT at_ms FROM spends WHERE budget = ?1 ORDER BY at_ms DESC LIMIT 1")?
        .query_row([key.as_str()], |row| row.get(0))
        .optional()?;
    let at = newest.unwrap_or(i64::MIN).max(now.as_millis());
    let until = at.saturating_add_unsigned(key.window().as_millis());
    transaction
        .prepare_cached("INSERT INTO spends (budget, at_ms, until_ms, amount, target) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![key.as_str(), at, until, i64::try_from(amount).unwrap_or(i64::MAX), target])?;
    Ok(transaction.last_insert_rowid())
}

pub(crate) fn give_back(transaction: &Transaction<'_>, spends: impl Iterator<Item = i64>) -> Result<(), rusqlite::Error> {
    for id in spends {
        transaction.prepare_cached("DELETE FROM spends WHERE id = ?1")?.execute([id])?;
    }
    Ok(())
}

/// When so much of what is counted has left the window that the charge fits; none where it never does.
fn free_at(
    transaction: &Transaction<'_>,
    charge: &Charge,
    reading: &Reading,
    now: Timestamp,
) -> Result<Option<Timestamp>, rusqlite::Error> {
    let (limit, spent) = (charge.measure().limit(), reading.spent);
    let (needed, freed) = match charge.measure() {
        Measure::Calls(_) | Measure::Bytes(_) => (
            // Below the limit by one at least.
            (limit > 0).then(|| spent.saturating_sub(limit).saturating_add(1)),
            "SELECT until_ms FROM (SELECT until_ms, sum(amount) OVER (ORDER BY at_ms, id) AS freed FROM spends WHERE budget = ?1 AND at_ms > ?2)
             WHERE freed >= ?3 ORDER BY freed LIMIT 1",
        ),
        Measure::Distinct(..) => (
            (u64::from(reading.fresh) <= limit).then(|| spent.saturating_add(reading.fresh.into()).saturating_sub(limit)),
            "SELECT gone FROM (SELECT max(until_ms) AS gone FROM spends WHERE budget = ?1 AND at_ms > ?2 GROUP BY target)
             ORDER BY gone LIMIT 1 OFFSET ?3 - 1",
        ),
    };
    let Some(needed) = needed else { return Ok(None) };
    let until: Option<i64> = transaction
        .prepare_cached(freed)?
        .query_row(params![charge.key().as_str(), cut(charge.key(), now), i64::try_from(needed).unwrap_or(i64::MAX)], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(until.map(Timestamp::from_millis))
}

fn purge(connection: &Connection, now: Timestamp) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached("DELETE FROM spends WHERE until_ms <= ?1")?.execute([now.as_millis().saturating_sub(KEPT_MS)])
}
