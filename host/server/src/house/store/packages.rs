//! Packages as files: a component, and beside it what was signed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use casemate_signing::{
    bundle::MAX_BUNDLE,
    manifest::{PluginId, PluginName, check::MAX_COMPONENT},
    package::Untrusted,
};

use super::{read, read_own};
use crate::{exit::Failure, folders::Folders};

/// The file beside a component that holds its signature.
pub(crate) fn bundle_of(component: &Path) -> PathBuf {
    beside(component, ".sigstore.json")
}

/// The file beside a component that holds the statement to sign.
pub(crate) fn statement_of(component: &Path) -> PathBuf {
    beside(component, ".statement.json")
}

fn beside(component: &Path, suffix: &str) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The two files of an installed package, unbelieved.
pub(crate) fn installed_package(component: &Path) -> Result<(Untrusted, [Vec<u8>; 2]), Failure> {
    package_read(component, read_own)
}

/// The two files of a package, unbelieved.
pub(crate) fn package(component: &Path) -> Result<(Untrusted, [Vec<u8>; 2]), Failure> {
    package_read(component, read)
}

fn package_read(
    component: &Path,
    read: impl Fn(&Path, usize) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<(Untrusted, [Vec<u8>; 2]), Failure> {
    let absent = || Failure::invalid(format!("there is no `{}`", component.display()));
    let bytes = read(component, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?.ok_or_else(absent)?;
    let bundle_path = bundle_of(component);
    let bundle = read(&bundle_path, MAX_BUNDLE)?.ok_or_else(|| {
        Failure::denied(format!(
            "`{}` is not signed: there is no `{}`\nhelp: casemate sign makes it; nothing unsigned runs",
            component.display(),
            bundle_path.display()
        ))
    })?;
    Ok((Untrusted::new(bytes.clone(), bundle.clone()), [bytes, bundle]))
}

/// A suffix of every component.
const COMPONENT: &str = "wasm";

/// Every component in a folder that has a signature beside it, in the order of the names.
pub(crate) fn packages_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::failed(format!("`{}` cannot be read: {error}", folder.display()))),
    };
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == COMPONENT) && bundle_of(path).exists());
    found.sort();
    Ok(found)
}

/// Every version of a plugin whose files are still there, the installed one among them.
pub(crate) fn kept(folders: &Folders, plugin: &PluginId) -> Result<Vec<PathBuf>, Failure> {
    let mut found = packages_in(&folders.plugins.join(plugin.publisher.as_str()))?;
    found.retain(|path| version_in(path, &plugin.name).is_some());
    Ok(found)
}

/// The version in the name NAME-VERSION.wasm, where it is this plugin's.
pub(crate) fn version_in(component: &Path, name: &PluginName) -> Option<semver::Version> {
    let stem = component.file_stem()?.to_str()?;
    stem.strip_prefix(name.as_str())?.strip_prefix('-')?.parse().ok()
}

/// Where an installed package's component is.
pub(crate) fn installed(folders: &Folders, plugin: &PluginId, version: &semver::Version) -> PathBuf {
    folders.plugins.join(plugin.publisher.as_str()).join(format!("{}-{version}.wasm", plugin.name))
}
