//! Is there a newer release, and what does it change? Only compared here: nothing is installed by asking.

use std::path::Path;

use casemate_signing::{
    diff::Changes,
    lock::Locked,
    manifest::{PluginId, PluginName},
};
use semver::{Version, VersionReq};

use super::{
    Candidate, Installing,
    acquire::{self, Source},
};
use crate::{command::Context, exit::Failure, house::store, registries};

/// A release, held against what is installed.
pub(crate) struct Compared {
    pub(crate) candidate: Candidate,
    pub(crate) standing: Standing,
    /// What it changes; none where what is installed was not agreed to here, and there is nothing to compare with.
    pub(crate) changes: Option<Changes>,
}

/// What a release is to what is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is what is installed.
    Current,
    /// It is what the lock file names, and would not be loaded here.
    Incomplete,
    /// It is newer.
    Newer,
}

/// The newest release of an installed plugin, from where it came from or from `source`, held against it.
pub(crate) fn compare(
    source: Option<&Source>,
    (id, locked): (&PluginId, &Locked),
    installing: &Installing<'_>,
) -> Result<Compared, Failure> {
    let source = match source {
        Some(source) => source.clone(),
        None => newest(&Source::from(locked), &id.name, installing.context, installing)?,
    };
    let candidate = installing.verify(acquire::from(&source, installing.context, &installing.config)?)?;
    if candidate.package.id() != id {
        return Err(Failure::denied(format!("`{source}` holds `{}`, not `{id}`", candidate.package.id())));
    }
    let next = candidate.package.manifest();
    let present = installing.agreed_to(id, locked);
    let standing = match candidate.package.differs_from(locked) {
        None if present.is_some() && installing.admits(&candidate) => Standing::Current,
        None => Standing::Incomplete,
        Some(_) if next.plugin.release > locked.release => Standing::Newer,
        Some(_) => {
            return Err(Failure::denied(format!(
                "rollback: release {} of `{id}` is not newer than release {}, which is installed\nhelp: casemate rollback goes back on purpose",
                next.plugin.release, locked.release
            )));
        }
    };
    let changes = present.filter(|_| standing != Standing::Current).map(|present| Changes::between(&present, next));
    Ok(Compared { changes, standing, candidate })
}

/// Where the newest version is that the configuration allows.
fn newest(source: &Source, name: &PluginName, context: &Context, installing: &Installing<'_>) -> Result<Source, Failure> {
    let any = VersionReq::STAR;
    let wanted = installing.config.plugins.get(name).and_then(|section| section.version.as_ref()).unwrap_or(&any);
    let best = |versions: Vec<(Version, Source)>| {
        versions
            .into_iter()
            .filter(|(version, _)| wanted.matches(version))
            .max_by(|(a, _), (b, _)| a.cmp(b))
            .map(|(_, source)| source)
    };
    let found = match source {
        // Exactly one package was asked for, and is what it is.
        Source::Registry(reference) if matches!(reference.version(), Some(casemate_registry::Version::Digest(_))) => None,
        Source::Neither(_) => None,
        Source::Registry(reference) => best(
            registries::tags(reference, context, &installing.config)?
                .into_iter()
                // A tag has no `+`; `wkg` writes `_` for it.
                .filter_map(|tag| {
                    let version = tag.to_string().replace('_', "+").parse().ok()?;
                    Some((version, Source::Registry(reference.at(casemate_registry::Version::Tag(tag)))))
                })
                .collect(),
        ),
        Source::Path(path) => best(
            store::packages_in(path.parent().unwrap_or(Path::new(".")))?
                .into_iter()
                .filter_map(|path| Some((store::version_in(&path, name)?, Source::Path(path))))
                .collect(),
        ),
    };
    Ok(found.unwrap_or_else(|| source.clone()))
}
