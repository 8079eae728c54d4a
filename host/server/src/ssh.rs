//! Keys as OpenSSH has them: the one line of a public key, and the agent that keeps private ones.
//!
//! Only Ed25519 is understood. Nothing here verifies a signature: `casemate_signing::key` does, strictly, and what an agent says
//! counts for nothing before.

mod agent;
mod public;

pub(crate) use agent::{Agent, AgentError, Identity};
pub(crate) use public::public_key;
