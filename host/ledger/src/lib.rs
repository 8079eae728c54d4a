//! Remember: what was spent, what was read, who behaved how, what people agreed to, and what waits for them.
//!
//! One SQLite file, which several processes may share. [`Ledger::charge`] spends all of a call's budgets and uses up its approval, or does
//! nothing, in one transaction: however many calls race, no budget is spent beyond its limit and no approval is used twice. What was spent
//! stays spent when the process is killed, and, for calls above `read`, when the machine is.
//!
//! Nothing here decides: limits come with the permit, and [`Ledger::readings`] only says what `casemate_policy::decide`
//! needs to know.

mod approvals;
mod conduct;
mod counts;
mod ledger;
mod observations;
mod readings;
mod schema;
mod sessions;
mod tasks;

pub use approvals::{Approval, ApprovalError, Closed, MAX_OPEN, State};
pub use conduct::Paused;
pub use counts::{Counts, Onlooker};
pub use ledger::{ChargeError, Ledger, Receipt};
pub use observations::{MAX_SEEN, Observation};
pub use schema::LedgerError;
pub use sessions::{HeldLabel, Session};
pub use tasks::{TASK_KEPT_MS, Task, TaskState};
