//! Trust: bytes in, a verified package out.
//!
//! Nothing here runs, parses or even names WebAssembly, opens a file or a socket, or reads a clock: callers hand in
//! bytes and get values. The one way through is [`package`]: `Untrusted → Verified → Approved → Loadable`, and only
//! the last yields the component.

pub mod approval;
pub mod bundle;
pub mod diff;
pub mod digest;
pub mod document;
pub mod dsse;
mod environment;
pub mod highwater;
pub mod key;
pub mod keyset;
pub mod lock;
pub mod manifest;
pub mod package;
pub mod revocation;
pub mod source;
pub mod statement;
pub mod strict_json;
pub mod time;
pub mod trust;

pub use digest::Digest;
pub use environment::{Environment, UnknownEnvironment};
pub use keyset::Keyset;
pub use package::{Approved, Loadable, Untrusted, Verified};
pub use time::Timestamp;
pub use trust::TrustStore;
