//! The pages, one file each. Each reads what a command reads, by the same function, and shows it.

pub(super) mod approval;
pub(super) mod approvals;
pub(super) mod audit;
pub(super) mod callers;
pub(super) mod grants;
mod graph;
pub(super) mod health;
pub(super) mod login;
pub(super) mod overview;
pub(super) mod plugins;
pub(super) mod posture;
pub(super) mod record;
