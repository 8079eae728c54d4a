//! AWS Signature Version 4: the host signs exactly what it sends, and sends no key.

use serde::{Deserialize, Serialize};

use super::Supplied;
use crate::manifest::SecretName;

/// `{ sigv4 = { access_key = "…", secret_key = "…", region = "eu-west-1", service = "sts" } }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4Credential {
    /// What it is signed with.
    pub sigv4: SigV4,
}

/// What a request is signed with, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4 {
    /// The secret that holds the access key's id.
    pub access_key: SecretName,
    /// The secret that holds the secret access key.
    pub secret_key: SecretName,
    /// The secret that holds the session token of temporary keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretName>,
    /// Such as `eu-west-1`: fixed, or a setting.
    pub region: Supplied,
    /// Such as `ssm`: fixed, or a setting.
    pub service: Supplied,
}

impl SigV4 {
    /// The secrets it needs.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        [&self.access_key, &self.secret_key].into_iter().chain(&self.session_token)
    }
}
