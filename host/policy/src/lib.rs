//! Decide: pure functions from a call and the operator's rules to a verdict.
//!
//! Nothing here reads a clock, a file, a socket or an environment variable, and nothing here waits. Time, ledger
//! readings and resolved addresses are arguments. The same arguments give the same answer.
//!
//! Three questions are answered, each before the thing it is about can happen:
//!
//! - [`decide`]: may this call happen? Independent layers look at it; all are asked, one no is enough.
//! - [`egress::Conduct::check`]: may this request leave? Asked of every request a running plugin makes.
//! - [`output::check`]: may this result be shown? Asked of everything a plugin returns.

pub mod address;
pub mod approval;
pub mod breaker;
mod budget;
mod call;
pub mod cedar;
mod decide;
pub mod egress;
pub mod flow;
mod grant;
mod json;
mod layer;
mod name;
pub mod output;
mod pattern;
mod policy;
mod principal;
pub mod prompt;
mod readings;
mod rule;
mod schema;
pub mod scope;
pub mod session;
mod source;
pub mod text;
mod verdict;

pub use approval::{ApprovalMode, ApprovalRule};
pub use budget::{Budget, BudgetKey, Charge, InvalidWindow, Measure, Reading, Window};
pub use call::Call;
pub use casemate_signing::time::{InvalidTimestamp, Timestamp};
pub use decide::{Decision, Deferred, Denied, Explained, Permit, Word, decide, explain};
pub use grant::Grant;
pub use name::{GrantName, InvalidName, ServedName, ToolPattern};
pub use policy::{Guards, Policy, PolicyError, grantable, paused, visible, visible_sources};
pub use principal::{Principal, PrincipalId, TokenScope};
pub use readings::{Needs, Readings, needs};
pub use rule::{Mode, ToolRule, default_approval, default_dry_run, default_enabled};
pub use schema::{check_settings, without_secrets};
pub use source::{Asks, InvalidSource, SourceRule, VALUES};
pub use verdict::{Layer, Outcome, Reason, Verdict};
