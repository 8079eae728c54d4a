//! `[console]`: whether there is one beside the MCP endpoint, who may look at it, and for how long.

use std::{collections::BTreeSet, time::Duration};

use casemate_policy::{Principal, PrincipalId};
use serde::Deserialize;
use toml::Spanned;

use super::Resolver;

/// `[console]`, as typed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleFile {
    /// Serve it under `/console` beside `/mcp`; default: false.
    #[serde(default)]
    pub enabled: bool,
    /// Principals whose token opens it, to look and no more: `token:NAME`, `oidc:sub:SUBJECT`, `role:NAME`; default: nobody.
    #[serde(default)]
    pub viewers: Vec<Spanned<String>>,
    /// How long a session lasts in which nobody does anything; default: 30m.
    pub idle: Option<Spanned<String>>,
    /// How long a session lasts at most; default: 8h.
    pub lasts: Option<Spanned<String>>,
}

/// Settings of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Whether it is served beside `/mcp`.
    pub enabled: bool,
    /// Whose token opens it.
    pub viewers: BTreeSet<PrincipalId>,
    /// The longest that a session lasts in which nobody does anything.
    pub idle: Duration,
    /// The longest that a session lasts.
    pub lasts: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self { enabled: false, viewers: BTreeSet::new(), idle: 30 * MINUTE, lasts: 8 * HOUR }
    }
}

impl ConsoleSettings {
    /// Whether this caller may look.
    pub fn admits(&self, principal: &Principal) -> bool {
        principal.names().any(|name| self.viewers.contains(&name))
    }
}

impl Resolver<'_> {
    pub(super) fn console(&mut self, file: ConsoleFile) -> ConsoleSettings {
        let default = ConsoleSettings::default();
        ConsoleSettings {
            enabled: file.enabled,
            viewers: file.viewers.iter().filter_map(|viewer| self.viewer(viewer)).collect(),
            idle: self.time(file.idle, default.idle, MINUTE..=12 * HOUR),
            // An approver's delegation is good for no longer.
            lasts: self.time(file.lasts, default.lasts, 5 * MINUTE..=12 * HOUR),
        }
    }

    /// Somebody with a token. `local` has none, and signs in with a link.
    fn viewer(&mut self, text: &Spanned<String>) -> Option<PrincipalId> {
        let principal = self.holder(text)?;
        if principal.as_str() == "local" {
            let place = self.place(text.span());
            self.faults.push(format!(
                "{place}: `local` has no token to show\nhelp: whoever can read the state folder signs in with `casemate console login`"
            ));
            return None;
        }
        Some(principal)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use casemate_policy::Principal;

    use super::super::Config;
    use super::*;

    fn parse(text: &str) -> Result<ConsoleSettings, String> {
        let text = format!("environment = \"dev\"\n[console]\n{text}");
        Config::parse(Path::new("casemate.toml"), &text).map(|config| config.console).map_err(|error| error.to_string())
    }

    #[test]
    fn there_is_none_and_nobody_looks_unless_it_is_written() {
        assert_eq!(parse("").unwrap(), ConsoleSettings::default());
        assert!(!ConsoleSettings::default().enabled && ConsoleSettings::default().viewers.is_empty());
    }

    #[test]
    fn viewers_are_named_by_id_or_by_role() {
        let settings = parse("viewers = [\"token:alice\", \"role:soc\"]").unwrap();
        let principal = |id: &str| Principal::new(id.parse().unwrap());
        assert!(settings.admits(&principal("token:alice")));
        assert!(settings.admits(&principal("token:eve").with_roles(["soc".parse().unwrap()].into())));
        assert!(!settings.admits(&principal("token:eve")));
        assert!(!settings.admits(&principal("token:soc")));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line() {
        for (text, part) in [
            ("viewers = [\"local\"]", "has no token"),
            ("viewers = [\"oidc:alice\"]", "is nobody"),
            ("idle = \"1s\"", "out of range"),
            ("lasts = \"13h\"", "out of range"),
            ("veiwers = []", "did you mean `viewers`"),
        ] {
            let error = parse(text).err().unwrap_or_default();
            assert!(error.contains(part) && error.contains("casemate.toml:3"), "{error}");
        }
    }
}
