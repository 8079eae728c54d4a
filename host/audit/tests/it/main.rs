//! The log as its users and its attackers see it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod call;
mod crash;
mod fixture;
mod reading;
mod tamper;
mod writing;
