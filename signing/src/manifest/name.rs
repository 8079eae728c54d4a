//! Names that are checked once, when read.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A name that does not have the form its kind requires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {kind}\nhelp: {rule}")]
pub struct InvalidName {
    kind: &'static str,
    rule: &'static str,
    value: String,
}

/// ASCII, starts with a lower-case letter, then lower-case letters, digits and what is `also` allowed, `min..=max` long.
fn fits(text: &str, also: &[u8], min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len())
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'a'..=b'z' => true,
            b'0'..=b'9' => at > 0,
            _ => also.contains(&byte) && at > 0,
        })
}

/// What clients show as the name of a field to fill in, as people write those: `resourceUri` or `resource_uri`.
const FIELD: &[u8] = b"_ABCDEFGHIJKLMNOPQRSTUVWXYZ";

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $also:expr, $min:literal..=$max:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                if fits(&text, $also, $min, $max) {
                    Ok(Self(text))
                } else {
                    Err(InvalidName { kind: $kind, rule: $rule, value: text.chars().take(80).collect() })
                }
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A plugin's short name. No `_`, so that `plugin_tool` splits in one way.
    PluginName, "plugin name", b"-", 2..=39, "it has the form ^[a-z][a-z0-9-]{1,38}$");
name!(
    /// A publisher's name.
    PublisherName, "publisher name", b"-", 2..=39, "it has the form ^[a-z][a-z0-9-]{1,38}$");
name!(
    /// A tool's name inside its plugin. Served as `plugin_tool`.
    ToolName, "tool name", b"_", 2..=40, "it has the form ^[a-z][a-z0-9_]{1,39}$");
name!(
    /// A prompt's name inside its plugin. Served as `plugin_prompt`.
    PromptName, "prompt name", b"_", 2..=40, "it has the form ^[a-z][a-z0-9_]{1,39}$");
name!(
    /// The name of a prompt's argument.
    ArgumentName, "prompt argument name", FIELD, 1..=39, "it has the form ^[a-z][a-zA-Z0-9_]{0,38}$");
name!(
    /// An upstream's name inside its plugin.
    UpstreamName, "upstream name", b"-", 1..=39, "it has the form ^[a-z][a-z0-9-]{0,38}$");
name!(
    /// A request contract's name inside its plugin.
    ContractName, "request contract name", b"-", 1..=63, "it has the form ^[a-z][a-z0-9-]{0,62}$");
name!(
    /// A scope dimension's name inside its plugin.
    DimensionName, "scope dimension name", b"_", 1..=39, "it has the form ^[a-z][a-z0-9_]{0,38}$");
name!(
    /// A secret's name inside its plugin.
    SecretName, "secret name", b"_", 1..=39, "it has the form ^[a-z][a-z0-9_]{0,38}$");
name!(
    /// A byte source's name inside its plugin.
    SourceName, "source name", b"-", 1..=39, "it has the form ^[a-z][a-z0-9-]{0,38}$");
name!(
    /// A label that results carry.
    Label, "label", b"-", 1..=39, "it has the form ^[a-z][a-z0-9-]{0,38}$");

/// `publisher/name`: what a plugin is called in the trust store, in lock files and in logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginId {
    /// Who publishes it.
    pub publisher: PublisherName,
    /// Its short name.
    pub name: PluginName,
}

impl FromStr for PluginId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (publisher, name) = text.split_once('/').ok_or_else(|| InvalidName {
            kind: "plugin id",
            rule: "it has the form publisher/name",
            value: text.chars().take(80).collect(),
        })?;
        Ok(Self { publisher: publisher.parse()?, name: name.parse()? })
    }
}

impl TryFrom<String> for PluginId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<PluginId> for String {
    fn from(id: PluginId) -> String {
        id.to_string()
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.name)
    }
}
