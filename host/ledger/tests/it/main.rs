//! Budgets under races, restarts, kills, clocks and damaged files.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing, reason = "tests")]

mod file;
mod fixture;
mod race;
mod spend;
mod time;
