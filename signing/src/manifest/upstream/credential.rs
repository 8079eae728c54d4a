//! How the host authenticates to an upstream: the modes, and which secrets each needs.

use serde::{Deserialize, Serialize};

use super::{ExchangeCredential, SigV4Credential, Supplied};
use crate::manifest::{SecretName, UpstreamName};

/// What stands for the secret in a [`PathCredential`].
pub const SECRET_SEGMENT: &str = "{secret}";

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
    /// `/bot{secret}` before every path, redacted wherever the URL is shown.
    Path(PathCredential),
    /// A token that the host gets for secrets, and sends.
    Exchange(Box<ExchangeCredential>),
    /// A signature of the whole request, AWS version 4.
    SigV4(Box<SigV4Credential>),
}

impl Credential {
    /// The secrets it needs, in no particular order.
    pub fn secrets(&self) -> Vec<&SecretName> {
        match self {
            Self::Header(c) => vec![&c.secret],
            Self::Scheme(c) => vec![&c.secret],
            Self::Basic(c) => vec![&c.username, &c.secret],
            Self::Query(c) => vec![&c.secret],
            Self::Path(c) => vec![&c.secret],
            Self::Exchange(c) => c.exchange.supplied().filter_map(Supplied::secret).collect(),
            Self::SigV4(c) => c.sigv4.secrets().collect(),
        }
    }

    /// The settings it needs.
    pub fn settings(&self) -> Vec<&str> {
        match self {
            Self::Exchange(c) => c.exchange.supplied().filter_map(Supplied::setting).collect(),
            Self::SigV4(c) => [&c.sigv4.region, &c.sigv4.service].into_iter().filter_map(Supplied::setting).collect(),
            Self::Header(_) | Self::Scheme(_) | Self::Basic(_) | Self::Query(_) | Self::Path(_) => vec![],
        }
    }

    /// The secrets among them that are names rather than keys: they stand in innocent texts too.
    pub fn user_names(&self) -> Vec<&SecretName> {
        match self {
            Self::Basic(c) => vec![&c.username],
            _ => vec![],
        }
    }

    /// Every header that it is sent in, lower case. The component may send none of them.
    pub fn headers(&self) -> Vec<String> {
        let authorization = || "authorization".to_owned();
        match self {
            Self::Header(c) => vec![c.header.to_ascii_lowercase()],
            Self::Scheme(_) | Self::Basic(_) => vec![authorization()],
            Self::Exchange(c) => vec![c.header.as_ref().map_or_else(authorization, |name| name.to_ascii_lowercase())],
            Self::SigV4(_) => {
                ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"].map(str::to_owned).into()
            }
            Self::Query(_) | Self::Path(_) => vec![],
        }
    }

    /// Another upstream that it needs to be somewhere.
    pub fn upstream(&self) -> Option<&UpstreamName> {
        match self {
            Self::Exchange(c) => c.exchange.upstream.as_ref(),
            _ => None,
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

/// `{ path = "/bot{secret}", secret = "token" }`: what stands before the path of every contract. The component writes no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathCredential {
    /// Segments, one of which holds `{secret}` once.
    pub path: String,
    /// Which secret.
    pub secret: SecretName,
}

impl PathCredential {
    /// The segments with something in the secret's place, as it stands in a URL.
    pub fn filled(&self, secret: &str) -> String {
        self.path.replacen(SECRET_SEGMENT, secret, 1)
    }
}
