//! Assumed answers: what a dry run tells the component in place of sending.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `assume = { status = 200, body = { … } }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assume {
    /// The status, 200 to 299.
    pub status: u16,
    /// The JSON body; none where the answer has no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}
