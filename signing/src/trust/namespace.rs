//! Names that a publisher owns.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::manifest::{InvalidName, PluginId, PluginName, PublisherName};

/// Names that a publisher owns: `acme/*`, or one plugin, `acme/scanner`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace {
    publisher: PublisherName,
    /// `None` for all.
    name: Option<PluginName>,
}

impl Namespace {
    /// `publisher/*`.
    pub fn all(publisher: PublisherName) -> Self {
        Self { publisher, name: None }
    }

    /// Whose names they are.
    pub fn publisher(&self) -> &PublisherName {
        &self.publisher
    }

    /// What is in both; nothing where they have nothing in common.
    pub fn both(&self, other: &Self) -> Option<Self> {
        if self.publisher != other.publisher {
            return None;
        }
        match (&self.name, &other.name) {
            (None, _) => Some(other.clone()),
            (_, None) => Some(self.clone()),
            (one, two) => (one == two).then(|| self.clone()),
        }
    }

    /// Whether it holds a plugin.
    pub fn holds(&self, plugin: &PluginId) -> bool {
        self.publisher == plugin.publisher && self.name.as_ref().is_none_or(|name| *name == plugin.name)
    }
}

impl FromStr for Namespace {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_suffix("/*") {
            Some(publisher) => publisher.parse().map(Self::all),
            None => text.parse::<PluginId>().map(|id| Self { publisher: id.publisher, name: Some(id.name) }),
        }
    }
}

impl TryFrom<String> for Namespace {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Namespace> for String {
    fn from(namespace: Namespace) -> String {
        namespace.to_string()
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.name.as_ref().map_or("*", PluginName::as_str))
    }
}
