//! Assumed answers: what a dry run tells the component in place of sending.

use casemate_signing::manifest::{Assume, Effect};

use super::contract::ContractFault;

/// The answer that a contract assumes. Nobody gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumedAnswer {
    status: u16,
    body: Vec<u8>,
}

impl AssumedAnswer {
    /// Compile, refusing what is no answer to a request that a dry run does not send.
    pub(super) fn compile(assume: &Assume, effect: Effect) -> Result<Self, ContractFault> {
        if effect == Effect::Read || !(200..=299).contains(&assume.status) {
            return Err(ContractFault::Assume);
        }
        let body = assume.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        Ok(Self { status: assume.status, body })
    }

    /// 200 to 299.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// `application/json`; none where there is no body.
    pub fn content_type(&self) -> Option<&'static str> {
        (!self.body.is_empty()).then_some("application/json")
    }

    /// JSON; empty where there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}
