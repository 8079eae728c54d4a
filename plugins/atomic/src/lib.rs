//! Atomic Red Team.
