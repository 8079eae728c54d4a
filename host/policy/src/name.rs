//! Names that operators and clients write: served tools, grants, and patterns over tools.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use casemate_signing::manifest::{PluginName, ToolName};

use crate::{pattern::glob, text::quote};

/// A name that does not have the form its kind requires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not a {kind}\nhelp: {rule}")]
pub struct InvalidName {
    kind: &'static str,
    rule: &'static str,
    value: String,
}

impl InvalidName {
    pub(crate) fn new(kind: &'static str, rule: &'static str, value: &str) -> Self {
        Self { kind, rule, value: quote(value, 80) }
    }
}

/// A shared string that was checked once, when read. Clones are cheap.
macro_rules! shared_name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $rule:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(std::sync::Arc<str>);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::name::InvalidName;
            fn from_str(text: &str) -> Result<Self, $crate::name::InvalidName> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.into())) } else { Err($crate::name::InvalidName::new($kind, $rule, text)) }
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::name::InvalidName;
            fn try_from(text: String) -> Result<Self, $crate::name::InvalidName> {
                text.parse()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use shared_name;

shared_name!(
    /// A tool's name as clients see it, `plugin_tool`. Clients break on names of any other form.
    ServedName, "tool name", "it has the form ^[a-zA-Z0-9_-]{1,64}$",
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
shared_name!(
    /// A grant's name.
    GrantName, "grant name", "it has the form ^[a-z][a-z0-9-]{0,62}$",
    |text| (1..=63).contains(&text.len()) && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));

impl ServedName {
    /// `plugin_tool`. A plugin's name has no `_`, so two tools never share a served name.
    pub fn of(plugin: &PluginName, tool: &ToolName) -> Result<Self, InvalidName> {
        format!("{plugin}_{tool}").parse()
    }
}

impl Borrow<str> for ServedName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A served name in which `*` stands for any run of characters, such as `caldera_*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolPattern(Arc<str>);

impl ToolPattern {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers this tool.
    pub fn matches(&self, tool: &ServedName) -> bool {
        glob(&self.0, tool.as_str())
    }
}

impl FromStr for ToolPattern {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*'));
        let rule = "write a tool's name as `casemate list` shows it, with `*` for any run of characters";
        if fits { Ok(Self(text.into())) } else { Err(InvalidName::new("tool pattern", rule, text)) }
    }
}

impl TryFrom<String> for ToolPattern {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl fmt::Display for ToolPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{GrantName, ServedName, ToolPattern};

    fn covers(pattern: &str, tool: &str) -> bool {
        pattern.parse::<ToolPattern>().unwrap().matches(&tool.parse().unwrap())
    }

    #[test]
    fn a_pattern_covers_what_it_says_and_nothing_else() {
        assert!(covers("caldera_*", "caldera_list_agents"));
        assert!(covers("*", "caldera_list_agents"));
        assert!(covers("caldera_*_agents", "caldera_list_agents"));
        assert!(covers("caldera_list_agents", "caldera_list_agents"));
        assert!(!covers("caldera_*", "caldera-evil_list"));
        assert!(!covers("caldera_list", "caldera_list_agents"));
        assert!(!covers("*_list", "caldera_list_agents"));
        assert!(!covers("Caldera_*", "caldera_list"));
    }

    #[test]
    fn names_of_another_form_are_refused() {
        for text in ["", "a b", "a.b", "ａ", "a\n", &"a".repeat(65)] {
            assert!(text.parse::<ServedName>().is_err(), "{text}");
            assert!(text.parse::<ToolPattern>().is_err(), "{text}");
        }
        for text in ["", "A", "1a", "-a", "a_b", "a\u{200b}"] {
            assert!(text.parse::<GrantName>().is_err(), "{text}");
        }
    }
}
