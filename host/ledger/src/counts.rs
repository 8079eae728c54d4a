//! Numbers for whoever watches the host. They are read over a connection of their own, so no call waits for them.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use casemate_policy::Timestamp;
use rusqlite::Connection;

use crate::schema::{self, LedgerError};

/// What stands in the ledger at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Approvals that wait for somebody.
    pub approvals_waiting: u64,
    /// Principals that are paused.
    pub paused: u64,
}

/// Looks at a ledger, and changes nothing.
#[derive(Debug)]
pub struct Onlooker(Mutex<Connection>);

impl Onlooker {
    /// Look at the ledger at `path`, which is there already.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Ok(Self(Mutex::new(schema::open_reader(path)?)))
    }

    /// Count.
    pub fn counts(&self, now: Timestamp) -> Result<Counts, LedgerError> {
        // A panic under the lock has left nothing half done: nothing is ever changed.
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM approvals WHERE state = 'open' AND expires_ms > ?1), (SELECT count(*) FROM pauses)",
            )?
            .query_row([now.as_millis()], |row| {
                let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok(Counts { approvals_waiting: count(0)?, paused: count(1)? })
            })?;
        Ok(counts)
    }
}
