//! What a component can import: one file per interface, each a small piece of state and a `Host` impl.

pub(crate) mod capture;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod progress;
pub(crate) mod sources;
pub(crate) mod wasi;
