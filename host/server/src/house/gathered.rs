//! Secrets of plugins, read before what needs them is looked at: all of them at once, so that it takes as long as the slowest provider.
//!
//! Nothing that may have to wait for a program, a keyring or a vault is read anywhere else on the way to being served: whoever looks at
//! what is revoked is held up by none of them.

use std::{collections::BTreeMap, thread};

use casemate_sandbox::Secrets;
use casemate_signing::manifest::PluginName;

use crate::{
    config::{Config, PluginConfig, SecretError},
    exit::Failure,
};

/// Why a plugin is refused until its secrets are read.
pub(super) const UNREAD: &str = "its secrets are being read";

/// What providers said, by plugin.
#[derive(Default)]
pub(super) struct Gathered(BTreeMap<PluginName, Result<Secrets, String>>);

impl Gathered {
    /// Ask for the secrets of these plugins. Each provider has its own `timeout`, and all of them are asked at once.
    pub(super) fn of(config: &Config, wanted: impl Fn(&PluginName) -> bool) -> Self {
        let wanted = config.plugins.iter().filter(|(name, _)| wanted(name));
        thread::scope(|scope| {
            let asked: Vec<_> = wanted.map(|(name, plugin)| (name, scope.spawn(move || plugin.resolve_secrets(name)))).collect();
            let said = asked.into_iter().map(|(name, asked)| {
                let secrets = match asked.join() {
                    Ok(secrets) => secrets.map_err(|error: SecretError| error.to_string()),
                    Err(_) => Err(format!("the secrets of plugin `{name}` could not be read")),
                };
                (name.clone(), secrets)
            });
            Self(said.collect())
        })
    }

    /// Whether nobody has asked for secrets that may have to be waited for.
    pub(super) fn lacks(&self, name: &PluginName, config: &PluginConfig) -> bool {
        !self.0.contains_key(name) && config.secret_sources().any(|(_, _, source)| source.is_waited_for())
    }

    /// The secrets of a plugin; those that are at hand are read now, where nobody has asked for them.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub(super) fn secrets(&self, name: &PluginName, config: &PluginConfig) -> Result<Secrets, Failure> {
        match self.0.get(name) {
            Some(said) => said.clone().map_err(Failure::failed),
            None if self.lacks(name, config) => Err(Failure::failed(UNREAD)),
            None => Ok(config.resolve_secrets(name)?),
        }
    }
}
