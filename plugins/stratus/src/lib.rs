//! Stratus Red Team.
