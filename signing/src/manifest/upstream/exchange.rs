//! Token exchange: a request of the host's own that turns secrets into a token of short life.
//!
//! It is declared like any other request, so that a reviewer sees where secrets go: one POST, to one place, with these fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifest::{ContractName, SecretName, UpstreamName};

/// `{ scheme = "Bearer", exchange = { … } }`, or `header` for a header that holds the token alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeCredential {
    /// What gets the token.
    pub exchange: Exchange,
    /// `Authorization: SCHEME token`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// `HEADER: token`, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

/// The request that gets a token, and where in its answer the token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What the audit log calls it. No contract has this name.
    pub name: ContractName,
    /// The upstream it is sent to; the credential's own where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamName>,
    /// A path of literal segments and whole-segment `{parameters}`.
    pub path: String,
    /// What stands in each `{parameter}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Supplied>,
    /// The body, always of a POST.
    pub body: Body,
    /// JSON Pointer to the token in the answer.
    pub token: String,
    /// JSON Pointer to the seconds that it is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// JSON Pointer to the instant (RFC 3339) until which it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The seconds that it is good for where the answer does not say; default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<u64>,
}

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Body {
    /// `application/x-www-form-urlencoded`
    Form(BTreeMap<String, Supplied>),
    /// A JSON object of strings.
    Json(BTreeMap<String, Supplied>),
}

impl Body {
    /// Its fields, by name.
    pub fn fields(&self) -> &BTreeMap<String, Supplied> {
        match self {
            Self::Form(fields) | Self::Json(fields) => fields,
        }
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Form(_) => "application/x-www-form-urlencoded",
            Self::Json(_) => "application/json",
        }
    }
}

/// A text that somebody supplies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Supplied {
    /// The publisher: this very text.
    Fixed(String),
    /// The operator, and it is secret.
    Secret(FromSecret),
    /// The operator, in the plugin's settings.
    Setting(FromSetting),
}

/// `{ secret = "api_key" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromSecret {
    /// Which secret.
    pub secret: SecretName,
}

/// `{ setting = "region" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromSetting {
    /// A string among the settings.
    pub setting: String,
}

impl Supplied {
    /// The secret, if it is one.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::Secret(from) => Some(&from.secret),
            Self::Fixed(_) | Self::Setting(_) => None,
        }
    }

    /// The setting, if it is one.
    pub fn setting(&self) -> Option<&str> {
        match self {
            Self::Setting(from) => Some(&from.setting),
            Self::Fixed(_) | Self::Secret(_) => None,
        }
    }

    /// As it is shown to people: never a value of the operator's.
    pub fn shown(&self) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Secret(from) => format!("‹secret {}›", from.secret),
            Self::Setting(from) => format!("‹setting {}›", from.setting),
        }
    }
}

impl Exchange {
    /// Everything that is put into the request.
    pub fn supplied(&self) -> impl Iterator<Item = &Supplied> {
        self.parameters.values().chain(self.body.fields().values())
    }
}
