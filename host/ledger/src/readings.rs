//! Readings: everything a decision needs to know, as of one moment.

use casemate_policy::{Charge, Needs, Reading, Readings, Timestamp, session::SessionRules};

use crate::{Ledger, approvals, ledger, schema::LedgerError, sessions};

impl Ledger {
    /// What is needed to decide one call.
    ///
    /// # Errors
    /// When the ledger cannot be read: then nothing is permitted.
    pub fn readings(&self, needs: &Needs, session: SessionRules, now: Timestamp) -> Result<Readings, LedgerError> {
        self.read(|transaction| {
            let mut readings = Readings::none();
            for charge in &needs.charges {
                readings.budget(charge.key().clone(), ledger::reading(transaction, charge, now)?);
            }
            for (grant, arguments) in &needs.sessions {
                readings
                    .session(grant.clone(), sessions::reading(transaction, &needs.principal, grant, arguments, session, now)?);
            }
            let (tool, digest) = (needs.tool.as_ref(), needs.arguments_digest.as_deref());
            readings.breaker(self.breaker_reading(transaction, &needs.breaker, &needs.principal, tool, digest, now)?);
            if let (true, Some(tool), Some(digest)) = (needs.approvals, tool, digest) {
                let open = approvals::open_for(transaction, &needs.principal, tool, digest, now)?;
                open.into_iter().for_each(|approval| readings.approval(approval));
            }
            Ok(readings)
        })
    }

    /// What one budget has spent.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn spent(&self, charge: &Charge, now: Timestamp) -> Result<Reading, LedgerError> {
        self.read(|transaction| Ok(ledger::reading(transaction, charge, now)?))
    }
}
