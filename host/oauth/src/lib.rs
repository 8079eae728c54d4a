//! Believe: access tokens of an OAuth 2.1 authorization server. Bytes and keys in, a proved caller out.
//!
//! Nothing here reads a file, a clock or the network: keys, rules and the time are arguments, so every attack is a test of a
//! function. What holds, whatever is presented:
//!
//! - **The key decides the algorithm**, never the token. A key verifies one algorithm, by its type, curve and `alg`; a token that
//!   names another is refused (RFC 8725 section 3.1). There is no `none` and no HMAC: no value of [`Algorithm`] stands for them.
//! - **A token brings no key of its own**: `jwk`, `jku`, `x5u` and every `crit` in its header are refused.
//! - **It is for this server, from this issuer**, compared byte by byte (RFC 8707, RFC 9068), and it has an end.
//! - **No claim is read before the signature holds**, and no error carries a claim.

mod algorithm;
mod claims;
mod discovery;
mod key;
mod rules;
mod token;

pub use algorithm::Algorithm;
pub use discovery::{Discovery, DiscoveryError, places};
pub use key::{KeySet, KeySetError};
pub use rules::{ClaimPath, Rules};
pub use token::{Caller, MAX_TOKEN, Presented, Refused};
