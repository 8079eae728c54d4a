//! What a scope dimension is bound to: a place in the request, or what a read of the same call has established.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Place;
use crate::manifest::ContractName;

/// What a scope dimension is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Binding {
    /// The target is in the request.
    Place(Place),
    /// The target is known to the upstream only, and a read of this call has shown it.
    Established(Established),
}

impl Binding {
    /// The place in the request; none where a read establishes the target.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Place(place) => Some(place),
            Self::Established(_) => None,
        }
    }

    /// The read that establishes the target; none where the target is in the request.
    pub fn established(&self) -> Option<&Established> {
        match self {
            Self::Place(_) => None,
            Self::Established(established) => Some(established),
        }
    }
}

/// `{ from = "get-agent", key = { paw = { body = "/paw" } }, value = "/group" }`: values that only the upstream knows. The
/// gate has seen the answer of that read in this call, for this key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Established {
    /// The read: a contract of the same upstream.
    pub from: ContractName,
    /// Each path parameter of that read, and the place in this request that holds the same text.
    pub key: BTreeMap<String, Place>,
    /// JSON Pointer (RFC 6901) into the read's JSON answer, in which a token `*` stands for every element of an array.
    pub value: String,
}
