//! Remember: budgets and what they have spent.
//!
//! One SQLite file, which several processes may share. [`Ledger::charge`] spends all of a call's budgets or none, in one
//! transaction, so however many calls race, none is spent beyond its limit. What was spent stays spent when the process is
//! killed, and, for calls above `read`, when the machine is.
//!
//! Nothing here decides: limits come with the permit, and [`Ledger::readings`] only says what `casemate_policy::decide`
//! needs to know.

mod ledger;
mod schema;

pub use ledger::{ChargeError, Ledger, Receipt};
pub use schema::LedgerError;
