//! Upstreams: where they are, and how the host authenticates to them.

mod credential;
mod exchange;
mod sigv4;

use serde::{Deserialize, Serialize};

pub use credential::{
    BasicCredential, Credential, HeaderCredential, PathCredential, QueryCredential, SECRET_SEGMENT, SchemeCredential,
};
pub use exchange::{Body, Exchange, ExchangeCredential, Supplied};
pub use sigv4::{SigV4, SigV4Credential};

use super::RequestContract;

/// A remote service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// What the host speaks to it. The component sends it requests in either case.
    #[serde(default, skip_serializing_if = "Protocol::is_http")]
    pub protocol: Protocol,
    /// Where it is: fixed for every installation, or bound by the operator.
    pub origin: Origin,
    /// Used when the origin is the operator's to choose and they chose none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_origin: Option<String>,
    /// What the host adds behind the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// Every kind of request it may receive from the component. None where only the host talks to it, for a token.
    pub request: Vec<RequestContract>,
}

/// What the host speaks to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP: requests go out as they passed the gate.
    #[default]
    Http,
    /// PostgreSQL: the path of a request is a database, and its body one statement that the host runs in a transaction which only reads.
    Postgresql,
    /// MCP over HTTP with SSE, as of revision 2024-11-05: the path of a request is where the stream of events is, and its body one call of a
    /// tool, which the host makes in a session of its own.
    McpSse,
}

impl Protocol {
    fn is_http(&self) -> bool {
        *self == Self::Http
    }
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
