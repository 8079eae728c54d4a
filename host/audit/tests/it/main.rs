//! The log as its users and its attackers see it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod attacks;
mod call;
mod calls;
mod crash;
mod fixture;
mod keeping;
mod proofs;
mod reading;
mod rotation;
mod tamper;
mod writing;
