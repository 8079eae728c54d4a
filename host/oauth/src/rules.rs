//! What an operator says about access tokens, resolved.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use casemate_policy::{TokenScope, approval::RoleName};
use serde_json::Value;

use crate::Algorithm;

/// Which tokens are accepted, and what they say of their caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The one authorization server, as it names itself in `iss`. Compared byte by byte.
    pub issuer: String,
    /// This server's canonical URI: it has to be in `aud` (RFC 8707). Another for every environment, so that a token for one opens no
    /// other.
    pub resource: String,
    /// The algorithms that a token may be signed by; never empty.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may differ, in seconds.
    pub clock_skew: u64,
    /// What a token must confer to be let in at all.
    pub scopes: BTreeSet<TokenScope>,
    /// Where in the claims the caller's groups or roles are.
    pub roles_claim: Option<ClaimPath>,
    /// The roles that are made of its values. What is not listed here confers nothing.
    pub roles: BTreeMap<RoleName, BTreeSet<String>>,
}

/// A claim's name, or a JSON Pointer into the claims: `groups`, `/realm_access/roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

/// A text that names no claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` names no claim\nhelp: write a claim's name, such as `groups`, or a JSON Pointer, such as `/realm_access/roles`", .0.escape_debug())]
pub struct InvalidClaimPath(String);

impl ClaimPath {
    /// The texts there: an array's, or a single one. What is anything else is none.
    pub(crate) fn texts(&self, claims: &Value) -> BTreeSet<String> {
        let found = if self.0.starts_with('/') { claims.pointer(&self.0) } else { claims.get(&self.0) };
        match found {
            Some(Value::String(text)) => BTreeSet::from([text.clone()]),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => BTreeSet::new(),
        }
    }
}

impl FromStr for ClaimPath {
    type Err = InvalidClaimPath;

    fn from_str(text: &str) -> Result<Self, InvalidClaimPath> {
        // What the client, or whoever holds the token, has a say in is no proof of a role.
        let own = ["sub", "scope", "scp", "client_id", "iss", "aud"];
        if text.is_empty() || text == "/" || text.len() > 200 || own.contains(&text.trim_start_matches('/')) {
            return Err(InvalidClaimPath(text.chars().take(80).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
