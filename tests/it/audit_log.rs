//! The audit log as operators and auditors meet it: what they ask of it, and what it says after somebody was at its files.

mod asked;
mod tampered;
