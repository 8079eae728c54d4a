//! The client from outside, against a registry that does as it is told.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod addresses;
mod fixture;
mod login;
mod memory;
mod pull;
mod push;
mod secrecy;
mod signatures;
mod tags;
