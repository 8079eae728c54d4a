//! What is installed, and whether each of it would be loaded now.

use casemate_signing::{
    lock::Locked,
    manifest::{Manifest, PluginId},
};

use crate::{
    clock,
    command::{
        Context,
        verify::{provenance, verified},
    },
    config::Config,
    exit::Failure,
    house::{pending, store},
    installing::{acquire, named},
    sheet::Provenance,
};

/// The status of one that would be loaded now.
pub(crate) const VERIFIED: &str = "verified";

/// One installed plugin.
pub(crate) struct Installed {
    pub(crate) id: PluginId,
    pub(crate) locked: Locked,
    /// [`VERIFIED`], or why it is refused.
    pub(crate) status: String,
}

impl Installed {
    /// Its tools, by served name.
    pub(crate) fn tools(&self) -> Vec<String> {
        self.locked.tools.keys().map(|tool| format!("{}_{tool}", self.id.name)).collect()
    }
}

/// Every one, as the lock file pins it.
pub(crate) fn all(context: &Context) -> Result<Vec<Installed>, Failure> {
    let environment = Config::read(&context.folders.config)?.environment;
    let keys = store::keys(&context.folders.state(environment))?;
    let (lock, highwater) = pending::installed(&context.folders, environment, &keys)?;
    let trust = store::trust(&context.folders)?;
    let status = |id: &PluginId, locked: &Locked| {
        store::installed_package(&store::installed(&context.folders, id, &locked.version))
            .and_then(|(package, _)| {
                package.verify(&trust, environment, clock::now()).map_err(|error| Failure::denied(error.code()))
            })
            .and_then(|verified| verified.approve(&lock, &highwater).map_err(|error| Failure::denied(error.code())))
            .map_or_else(
                |failure| format!("refused: {}", failure.message.lines().next().unwrap_or_default()),
                |_| VERIFIED.to_owned(),
            )
    };
    let installed =
        |(id, locked): (&PluginId, &Locked)| Installed { id: id.clone(), locked: locked.clone(), status: status(id, locked) };
    Ok(lock.plugins().iter().map(installed).collect())
}

/// What an installed plugin is, verified anew, and who vouches for it.
pub(crate) fn inspect(context: &Context, name: &str) -> Result<(Manifest, Provenance), Failure> {
    let config = Config::read(&context.folders.config)?;
    let lock = store::lock(&context.folders)?;
    let (id, locked) = named(&lock, name)?;
    let verified = verified(acquire::installed(&store::installed(&context.folders, id, &locked.version))?, context, &config)?;
    let provenance = provenance(&verified);
    Ok((verified.manifest().clone(), provenance))
}
