//! Budgets, approvals, sessions and conduct under races, restarts, kills, clocks and damaged files.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing, reason = "tests")]

mod approvals;
mod bytes;
mod chains;
mod conduct;
mod distinct;
mod file;
mod fixture;
mod migrate;
mod provenance;
mod race;
mod sessions;
mod spend;
mod tasks;
mod time;
mod votes;
