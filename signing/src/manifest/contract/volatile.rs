//! Volatile places: what differs each time a request is made, such as the time or a nonce.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// `volatile = { query = ["t"], headers = ["x-request-id"], body = ["/nonce"] }`. A plan shows that something is there and
/// not what; a request that is held to the plan may have something else there. A path is never volatile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volatile {
    /// Query parameters.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub query: BTreeSet<String>,
    /// Headers, lower case.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub headers: BTreeSet<String>,
    /// JSON Pointers, or fields of a form.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub body: BTreeSet<String>,
}

impl Volatile {
    /// Whether nothing is volatile.
    pub fn is_empty(&self) -> bool {
        self.query.is_empty() && self.headers.is_empty() && self.body.is_empty()
    }
}
