//! Caido.
