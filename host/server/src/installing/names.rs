//! Whose a name is. A short name names a section of the configuration, its secrets and the tools of grants, so it belongs to one
//! publisher; and a name that is nearly another's is told apart by nobody in a hurry.
//!
//! What was agreed to of one publisher's plugin is not another's for having its name. A release mark outlives its plugin, so the state
//! knows whose a name was.

use casemate_policy::{ServedName, text::visible};
use casemate_signing::{
    highwater::HighWater,
    lock::LockFile,
    manifest::{Manifest, PluginId},
};
use serde_json::Value;

use crate::{
    config::{Config, distance},
    exit::Failure,
};

/// Two names this near are told apart by nobody in a hurry.
const SIMILAR: usize = 1;

/// What a person says about names.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Names {
    /// Install although the name is nearly that of an installed plugin.
    #[arg(long)]
    allow_similar: bool,
    /// Give this plugin what was meant for that one, which was installed here under the same short name: the section of the
    /// configuration, with its secrets, and the grants. It goes on record. May be given several times.
    #[arg(long, value_name = "PUBLISHER/NAME", requires = "source")]
    replaces: Vec<PluginId>,
}

impl Names {
    /// Whose place the plugin takes; nobody's where the name is new, or its own already.
    ///
    /// # Errors
    /// When the name is another's, or nearly, and the person did not say that it is meant.
    pub(super) fn replaced(
        &self,
        manifest: &Manifest,
        lock: &LockFile,
        highwater: &HighWater,
        config: &Config,
    ) -> Result<Vec<PluginId>, Failure> {
        let id = &manifest.id();
        let others = || lock.plugins().keys().filter(|other| *other != id);
        if let Some(other) = others().find(|other| other.name == id.name) {
            return Err(Failure::denied(format!(
                "name-taken: `{id}` has the short name of `{other}`, which is installed and whose configuration and grants it would inherit\nhelp: one of the two publishers has to choose another name; or casemate remove {other}, and install this one with --replaces {other}"
            )));
        }
        if let Some(other) = others().find(|other| distance(other.name.as_str(), id.name.as_str()) <= SIMILAR)
            && !self.allow_similar
        {
            return Err(Failure::denied(format!(
                "name-similar: `{id}` is nearly the name of `{other}`, which is installed\nhelp: --allow-similar, if both are meant to be there"
            )));
        }
        let before: Vec<PluginId> =
            accepted(highwater)?.into_iter().filter(|other| other.name == id.name && other != id).collect();
        if let Some(stranger) = self.replaces.iter().find(|other| !before.contains(other)) {
            return Err(Failure::invalid(format!(
                "`{id}` cannot take the place of `{stranger}`, which was not installed here under that short name\nhelp: leave out --replaces {stranger}"
            )));
        }
        // What is agreed to of a plugin was agreed to under its name: whoever had it before has lost it.
        if highwater.approval(id).is_some() {
            return Ok(Vec::new());
        }
        match before.iter().find(|other| !self.replaces.contains(other)) {
            Some(other) => Err(Failure::denied(format!(
                "name-taken: `{id}` has the short name of `{other}`, which was installed here, and would inherit {}\nhelp: --replaces {other}, if `{}` may have that; or install it on a host of its own",
                inherited(manifest, config),
                id.publisher
            ))),
            None => Ok(before),
        }
    }
}

/// What there is under a plugin's short name in the configuration, in words.
pub(super) fn inherited(manifest: &Manifest, config: &Config) -> String {
    let name = &manifest.plugin.name;
    let mut all = Vec::new();
    if let Some(section) = config.plugins.get(name) {
        let secrets = quoted(section.secrets.keys());
        let with = if secrets.is_empty() { String::new() } else { format!(" with the secrets {secrets}") };
        all.push(format!("the section [plugins.{name}] ({}){with}", section.place));
    }
    let tools: Vec<ServedName> = manifest.tool.keys().filter_map(|tool| ServedName::of(name, tool).ok()).collect();
    let covers = |pattern: &casemate_policy::ToolPattern| tools.iter().any(|tool| pattern.matches(tool));
    let grants = quoted(config.grants.iter().filter(|grant| grant.value.tools.iter().any(covers)).map(|grant| &grant.value.name));
    if !grants.is_empty() {
        all.push(format!("the grants {grants}"));
    }
    if all.is_empty() {
        all.push(format!("whatever the configuration comes to say of `{name}` (now it says nothing)"));
    }
    visible(&all.join(", and ")).into_owned()
}

fn quoted(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Every plugin of which a release was ever accepted in this environment.
fn accepted(highwater: &HighWater) -> Result<Vec<PluginId>, Failure> {
    let state = serde_json::to_value(highwater)?;
    let marks = state.get("marks").and_then(Value::as_object).ok_or_else(|| Failure::failed("the host's state has no marks"))?;
    marks.keys().map(|id| id.parse().map_err(Failure::failed)).collect()
}
