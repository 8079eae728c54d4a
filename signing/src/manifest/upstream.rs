//! Upstreams: where they are, and how the host authenticates to them.

use serde::{Deserialize, Serialize};

use super::{RequestContract, SecretName};

/// A remote service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Where it is: fixed for every installation, or bound by the operator.
    pub origin: Origin,
    /// Used when the origin is the operator's to choose and they chose none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_origin: Option<String>,
    /// What the host adds behind the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// Every kind of request it may receive.
    pub request: Vec<RequestContract>,
}

/// Who decides where an upstream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Origin {
    /// The operator's configuration names it.
    Operator,
    /// `scheme://host[:port]`, the same everywhere.
    Fixed(String),
}

impl From<String> for Origin {
    fn from(text: String) -> Self {
        if text == "operator" { Self::Operator } else { Self::Fixed(text) }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Operator => "operator".to_owned(),
            Origin::Fixed(text) => text,
        }
    }
}

/// How the host authenticates to an upstream. The value never enters the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Credential {
    /// `HEADER: secret`
    Header(HeaderCredential),
    /// `Authorization: SCHEME secret`
    Scheme(SchemeCredential),
    /// `Authorization: Basic base64(username:secret)`
    Basic(BasicCredential),
    /// `?NAME=secret`, redacted wherever the URL is shown.
    Query(QueryCredential),
}

impl Credential {
    /// The secrets it needs, in no particular order.
    pub fn secrets(&self) -> Vec<&SecretName> {
        match self {
            Self::Header(c) => vec![&c.secret],
            Self::Scheme(c) => vec![&c.secret],
            Self::Basic(c) => vec![&c.username, &c.secret],
            Self::Query(c) => vec![&c.secret],
        }
    }
}

/// `{ header = "x-apikey", secret = "api_key" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderCredential {
    /// Header name, lower case.
    pub header: String,
    /// Which secret.
    pub secret: SecretName,
}

/// `{ scheme = "Bearer", secret = "token" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemeCredential {
    /// The authentication scheme, such as `Bearer` or `ApiToken`.
    pub scheme: String,
    /// Which secret.
    pub secret: SecretName,
}

/// `{ username = "user", secret = "password" }`: both are names of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicCredential {
    /// The secret that holds the user name.
    pub username: SecretName,
    /// The secret that holds the password.
    pub secret: SecretName,
}

/// `{ query = "key", secret = "api_key" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryCredential {
    /// Parameter name.
    pub query: String,
    /// Which secret.
    pub secret: SecretName,
}
