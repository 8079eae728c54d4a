//! Spending, reading and giving back.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use casemate_policy::{BudgetKey, Charge, Permit, Reading, Readings, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::schema::{self, LedgerError};

/// What no longer counts is kept for another day: a clock that is set back must find it again.
const KEPT_MS: i64 = 86_400_000;

/// So many charges between two purges of what is not even kept.
const PURGE_EVERY: u32 = 1024;

/// What every budget has spent. Share it in an `Arc`; its methods wait for each other, and for the disk.
#[derive(Debug)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// Whether the connection's commits wait for the disk now.
    durable: bool,
    charges: u32,
}

/// What one charge spent. It can be given back once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a call that sends nothing gives its receipt back"]
pub struct Receipt {
    spends: Vec<i64>,
}

/// A charge that did not happen. Nothing was spent.
#[derive(Debug, thiserror::Error)]
pub enum ChargeError {
    /// A budget is spent.
    #[error("the budget `{key}` of {limit} is spent")]
    Exhausted {
        /// Which.
        key: BudgetKey,
        /// How many calls it allows.
        limit: u32,
        /// In how many milliseconds one can be spent again, if no other call is faster; none where it allows none at all.
        retry_after_ms: Option<u64>,
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
        schema::open(path).map(Self::new)
    }

    /// A ledger that ends with the process.
    pub fn in_memory() -> Result<Self, LedgerError> {
        schema::open_in_memory().map(Self::new)
    }

    fn new(connection: Connection) -> Self {
        Self { inner: Mutex::new(Inner { connection, durable: false, charges: 0 }) }
    }

    /// What these budgets have spent in the windows that end now.
    ///
    /// Spends of the future, as they look after a clock was set back, count: time gives back no budget early.
    pub fn readings(&self, keys: &[BudgetKey], now: Timestamp) -> Result<Readings, LedgerError> {
        if keys.is_empty() {
            return Ok(Readings::none());
        }
        let mut inner = self.lock();
        let transaction = inner.connection.transaction()?;
        let readings =
            keys.iter().map(|key| Ok((key.clone(), reading(&transaction, key, now)?))).collect::<Result<_, rusqlite::Error>>()?;
        Ok(readings)
    }

    /// Spend every budget of a permit, or none. For a tool above `read` the spending is on disk when this returns.
    pub fn charge(&self, permit: &Permit, now: Timestamp) -> Result<Receipt, ChargeError> {
        // The word is compared so that whatever is not exactly `read` waits for the disk.
        self.charge_all(permit.charges(), now, permit.effect().as_str() != "read")
    }

    /// The same for some charges; `durable` waits for the disk.
    pub fn charge_all(&self, charges: &[Charge], now: Timestamp, durable: bool) -> Result<Receipt, ChargeError> {
        if charges.is_empty() {
            return Ok(Receipt { spends: Vec::new() });
        }
        let mut inner = self.lock();
        inner.wait_for_disk(durable)?;
        // Immediate: no other connection can spend between the count and the spend.
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let spends = charges.iter().map(|charge| spend(&transaction, charge, now)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        inner.charges = inner.charges.wrapping_add(1);
        if inner.charges.is_multiple_of(PURGE_EVERY) {
            purge(&inner.connection, now)?;
        }
        Ok(Receipt { spends })
    }

    /// Give back what a charge spent: for a call that sent nothing.
    pub fn refund(&self, receipt: Receipt) -> Result<(), LedgerError> {
        if receipt.spends.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in receipt.spends {
            transaction.prepare_cached("DELETE FROM spends WHERE id = ?1")?.execute([id])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forget what has not counted for a day. It happens by itself now and then; gives how many spends were forgotten.
    pub fn purge(&self, now: Timestamp) -> Result<usize, LedgerError> {
        Ok(purge(&self.lock().connection, now)?)
    }

    /// A panic under the lock has rolled its transaction back: the connection is as good as before.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
fn cut(key: &BudgetKey, now: Timestamp) -> i64 {
    now.as_millis().saturating_sub_unsigned(key.window().as_millis())
}

fn reading(transaction: &Transaction<'_>, key: &BudgetKey, now: Timestamp) -> Result<Reading, rusqlite::Error> {
    transaction.prepare_cached("SELECT count(*), min(at_ms) FROM spends WHERE budget = ?1 AND at_ms > ?2")?.query_row(
        params![key.as_str(), cut(key, now)],
        |row| {
            let oldest: Option<i64> = row.get(1)?;
            Ok(Reading { spent: row.get(0)?, oldest: oldest.map(Timestamp::from_millis) })
        },
    )
}

fn spend(transaction: &Transaction<'_>, charge: &Charge, now: Timestamp) -> Result<i64, ChargeError> {
    let (key, limit) = (charge.key(), charge.limit());
    let spent = reading(transaction, key, now)?.spent;
    if spent >= limit {
        let retry_after_ms = free_at(transaction, key, spent, limit, now)?.map(|at| at.since(now));
        return Err(ChargeError::Exhausted { key: key.clone(), limit, retry_after_ms });
    }
    // Never before the budget's newest spend: a clock that was behind and is set right must not age this one.
    let newest: Option<i64> = transaction
        .prepare_cached("SELECT at_ms FROM spends WHERE budget = ?1 ORDER BY at_ms DESC LIMIT 1")?
        .query_row([key.as_str()], |row| row.get(0))
        .optional()?;
    let at = newest.unwrap_or(i64::MIN).max(now.as_millis());
    let until = at.saturating_add_unsigned(key.window().as_millis());
    transaction.prepare_cached("INSERT INTO spends (budget, at_ms, until_ms) VALUES (?1, ?2, ?3)")?.execute(params![
        key.as_str(),
        at,
        until
    ])?;
    Ok(transaction.last_insert_rowid())
}

/// When so many of the counted spends have left the window that one fits again.
fn free_at(
    transaction: &Transaction<'_>,
    key: &BudgetKey,
    spent: u32,
    limit: u32,
    now: Timestamp,
) -> Result<Option<Timestamp>, rusqlite::Error> {
    if limit == 0 {
        return Ok(None);
    }
    let until: Option<i64> = transaction
        .prepare_cached("SELECT until_ms FROM spends WHERE budget = ?1 AND at_ms > ?2 ORDER BY at_ms LIMIT 1 OFFSET ?3")?
        .query_row(params![key.as_str(), cut(key, now), spent - limit], |row| row.get(0))
        .optional()?;
    Ok(until.map(Timestamp::from_millis))
}

fn purge(connection: &Connection, now: Timestamp) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached("DELETE FROM spends WHERE until_ms <= ?1")?.execute([now.as_millis().saturating_sub(KEPT_MS)])
}
