//! What is served at one moment: rules, plugins, and what is not served and why. Never changed: a reload makes another.
//!
//! A call takes it once, when it begins, and keeps it to its end. What ends a call before is the [`Life`] of its plugin.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use casemate_policy::{
    Grant, GrantName, Policy, ServedName,
    output::{OutputRules, Redactor, Screen},
    text::visible,
};
use casemate_sandbox::{Dependencies, Loaded, LogLevel, LogLine};
use casemate_signing::{
    digest::Digest,
    manifest::{Manifest, PluginId, SourceName},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::open::Refused;
use crate::{
    advisories::{Advisories, Finding},
    config::{Config, Located, SourceConfig},
    exit::Failure,
    telemetry::lines::PLUGINS,
};

/// Plugins that are served.
pub(crate) type Plugins = BTreeMap<PluginId, Arc<Served>>;

/// What they are and may do.
pub(super) fn manifests(plugins: &Plugins) -> Vec<&Manifest> {
    plugins.values().map(|served| served.plugin.manifest().as_ref()).collect()
}

/// What is served at one moment.
pub struct Serving {
    pub(super) config: Arc<Config>,
    pub(super) advisories: Arc<Advisories>,
    pub(super) policy: Policy,
    pub(super) plugins: Plugins,
    pub(super) refused: Vec<Refused>,
    pub(super) grants: GrantLives,
}

/// Of each grant, what ends the calls that are made under it.
#[derive(Debug, Clone, Default)]
pub(super) struct GrantLives(BTreeMap<GrantName, CancellationToken>);

impl GrantLives {
    /// For the grants of a configuration: one that is what it was before keeps its life.
    pub(super) fn of(config: &Config, before: Option<&Serving>) -> Self {
        let life = |grant: &Grant| {
            let kept = before.filter(|before| before.config.grants.iter().any(|known| known.value == *grant));
            let token = kept.and_then(|before| before.grants.0.get(&grant.name)).cloned().unwrap_or_default();
            (grant.name.clone(), token)
        };
        Self(config.grants.iter().map(|grant| life(&grant.value)).collect())
    }

    /// End what is not among `next`: its grant was taken back, or is another.
    pub(super) fn end_but(&self, next: &Self) {
        let kept = |name: &GrantName, token: &CancellationToken| next.0.get(name) == Some(token);
        self.0.iter().filter(|(name, token)| !kept(name, token)).for_each(|(_, token)| token.cancel());
    }
}

impl Serving {
    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The prepared rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Installed plugins that are not served, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The advisories, and the operator's rules about them.
    pub fn advisories(&self) -> &Advisories {
        &self.advisories
    }

    /// What the advisories have on the plugins that are served: it does not refuse them.
    pub fn findings(&self) -> Vec<(PluginId, Finding)> {
        let of = |(id, served): (&PluginId, &Arc<Served>)| {
            served.findings.iter().map(|finding| (id.clone(), finding.clone())).collect::<Vec<_>>()
        };
        self.plugins.iter().flat_map(of).collect()
    }

    pub(crate) fn plugin(&self, plugin: &PluginId) -> Option<&Served> {
        self.plugins.get(plugin).map(Arc::as_ref)
    }

    /// Cancelled when a grant ends or becomes another; at once where there is none.
    pub(crate) fn grant(&self, name: &GrantName) -> CancellationToken {
        self.grants.0.get(name).cloned().unwrap_or_else(|| {
            let token = CancellationToken::new();
            token.cancel();
            token
        })
    }

    /// A log source by the name that its reads are decided under.
    pub(crate) fn source(&self, served: &ServedName) -> Option<(&SourceName, &SourceConfig)> {
        let named = |(_, source): &(&SourceName, &Located<SourceConfig>)| source.value.rule.as_tool().served == *served;
        self.config.sources.iter().find(named).map(|(name, source)| (name, &source.value))
    }

    /// What takes the secrets of this host out of a text, plugin by plugin.
    pub(crate) fn redactors(&self) -> impl Iterator<Item = Arc<Redactor>> {
        self.plugins.values().map(|served| served.plugin.redactor())
    }

    /// What a tool's words are looked at with.
    pub(crate) fn screen(&self, served: &ServedName) -> Screen {
        Screen::of(served, &self.config().patterns)
    }

    /// The plugins that are served, as they are loaded.
    pub(crate) fn loaded(&self) -> impl Iterator<Item = (&PluginId, &Loaded)> {
        self.plugins.iter().map(|(id, served)| (id, &served.plugin))
    }

    /// What the plugins that are served are.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.plugins.values().map(|served| served.plugin.manifest().as_ref())
    }

    /// A tool's signed input schema and its plugin, by served name.
    pub(crate) fn tool(&self, served: &str) -> Option<(&Value, &Served)> {
        let rule = self.policy.tools().find(|rule| rule.served.as_str() == served)?;
        Some((&rule.manifest_tool.input_schema, self.plugin(&rule.plugin)?))
    }

    /// Whether `other` serves the same, under the same configuration.
    pub(super) fn is(&self, other: &Self) -> bool {
        let mut plugins = self.plugins.iter().zip(&other.plugins);
        Arc::ptr_eq(&self.config, &other.config)
            && self.plugins.len() == other.plugins.len()
            && plugins.all(|((id, plugin), (other_id, other))| id == other_id && Arc::ptr_eq(plugin, other))
            && self.refused == other.refused
    }
}

/// What a plugin is made of, as it was reviewed.
pub(super) struct MadeOf {
    pub(super) dependencies: Option<Dependencies>,
    pub(super) findings: Vec<Finding>,
}

/// A plugin that is served, with what its results are held to.
pub(crate) struct Served {
    pub(crate) plugin: Loaded,
    rules: BTreeMap<String, OutputRules>,
    /// Of what was signed, component included.
    pub(super) statement: Digest,
    /// What it is made of, if it says so.
    pub(super) dependencies: Option<Dependencies>,
    /// What was known of that when it was loaded, and let it pass.
    pub(super) findings: Vec<Finding>,
    pub(crate) life: Arc<Life>,
}

impl Served {
    /// A loaded plugin. `life` is that of the same signed bytes under another configuration, if there is one.
    pub(super) fn new(plugin: Loaded, statement: Digest, made_of: MadeOf, life: Option<Arc<Life>>) -> Result<Self, Failure> {
        let manifest = plugin.manifest();
        let rules = manifest
            .tool
            .iter()
            .map(|(name, tool)| Ok((manifest.served_name(name), OutputRules::new(tool, plugin.limits().output_bytes)?)))
            .collect::<Result<_, Failure>>()?;
        let MadeOf { dependencies, findings } = made_of;
        Ok(Self { rules, statement, dependencies, findings, life: life.unwrap_or_default(), plugin })
    }

    /// What a tool's results are held to, by served name.
    pub(crate) fn rules(&self, served: &str) -> Option<&OutputRules> {
        self.rules.get(served)
    }

    /// Hand a plugin's log to the operator's, without its secrets and with its control characters visible. A line stays one line:
    /// what follows a line break would look like the host's own.
    pub(crate) fn log(&self, call_id: &str, lines: &[LogLine]) {
        for line in lines {
            let (clean, _) = self.plugin.redactor().redact(&line.text);
            let (plugin, text) = (self.plugin.id(), visible(&clean).replace('\n', "\\n"));
            match line.level {
                LogLevel::Error | LogLevel::Warn => {
                    tracing::info!(target: PLUGINS, %plugin, call_id, level = ?line.level, "plugin: {text}")
                }
                LogLevel::Info | LogLevel::Debug => {
                    tracing::debug!(target: PLUGINS, %plugin, call_id, level = ?line.level, "plugin: {text}")
                }
            }
        }
    }
}

/// Whether signed bytes may still be run. It ends once, for one reason, and with it every call of theirs.
#[derive(Debug, Default)]
pub(crate) struct Life {
    ended: CancellationToken,
    why: OnceLock<Ended>,
}

/// Why a plugin is no longer served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is not installed any more, or the configuration does not fit it any more.
    Removed,
    /// Other signed bytes took its place.
    Replaced,
    /// One of its secrets is gone.
    Secretless,
    /// It is installed, and is not trusted any more, or cannot be shown to be.
    Revoked,
}

impl Ended {
    /// A word for programs: how its calls ended, in the audit log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Secretless => "secret-lost",
            Self::Revoked => "revoked",
        }
    }

    /// What happened, for the operator.
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Removed => "the plugin was taken out of service",
            Self::Replaced => "another package took the plugin's place",
            Self::Secretless => "a secret of the plugin is gone",
            Self::Revoked => "the plugin is no longer trusted, or its trust cannot be checked",
        }
    }
}

impl Life {
    /// End every call, and begin none. The first reason stays.
    pub(super) fn end(&self, why: Ended) {
        let _ = self.why.set(why);
        self.ended.cancel();
    }

    /// Why it ended, if it has.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.why.get().copied()
    }

    /// Cancelled when it ends.
    pub(crate) fn token(&self) -> CancellationToken {
        self.ended.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_ends_once_and_for_its_first_reason() {
        let life = Life::default();
        let token = life.token();
        assert!(life.ended().is_none() && !token.is_cancelled());
        life.end(Ended::Revoked);
        life.end(Ended::Removed);
        assert_eq!(life.ended(), Some(Ended::Revoked));
        assert!(token.is_cancelled() && life.token().is_cancelled());
    }
}
