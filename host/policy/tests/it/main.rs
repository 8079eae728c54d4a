//! The engine from outside: decisions, the gate, and what holds when one layer is wide open.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod cedar;
mod decide;
mod established;
mod fixture;
mod gate;
mod held;
mod hostile;
mod inside;
mod named;
mod past;
mod people;
mod plan;
mod prepare;
mod properties;
mod smuggling;
mod sources;
mod token;
mod told_apart;
mod wide_open;
