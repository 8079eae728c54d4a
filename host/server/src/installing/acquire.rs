//! Getting a package's two files: from a file, from a folder, from a registry. Nothing of them is believed yet.

use std::{
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use casemate_policy::text::visible;
use casemate_registry::{InvalidReference, Pulled, Reference};
use casemate_signing::{lock::Locked, package::Untrusted};

use super::attached::{Chosen, choose};
use crate::{
    command::{Context, print},
    config::Config,
    exit::Failure,
    house::store,
    registries,
};

/// Where a package is.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A component with its signature beside it, or a folder with one of those.
    Path(PathBuf),
    /// A registry.
    Registry(Reference),
    /// Neither: a URL of another kind, and what is wrong with it. Refused when it is asked for something, in the registry's words: a
    /// parser of arguments would repeat the URL, which may hold a password.
    Neither(InvalidReference),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains("://") {
            return Ok(Self::Path(text.into()));
        }
        Ok(text.parse().map_or_else(Self::Neither, Self::Registry))
    }
}

impl From<&Locked> for Source {
    fn from(locked: &Locked) -> Self {
        let Ok(source) = locked.source.parse();
        source
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
            Self::Neither(error) => error.fmt(f),
        }
    }
}

/// The two files of a package, and where they were.
pub(crate) struct Acquired {
    pub(crate) package: Untrusted,
    pub(super) files: [Vec<u8>; 2],
    pub(crate) source: String,
    /// What is attached to it in its registry and is not in the signature file, each with its reason in one line.
    pub(crate) left_out: Vec<String>,
}

/// Get it from wherever it is.
pub(crate) fn from(source: &Source, context: &Context, config: &Config) -> Result<Acquired, Failure> {
    match source {
        Source::Path(path) if path.is_dir() => from_file(&only_package(path)?),
        Source::Path(path) => from_file(path),
        Source::Neither(error) => Err(Failure::invalid(error)),
        Source::Registry(reference) => {
            let Pulled { component, bundles, left_out, .. } = registries::pull(reference, context, config)?;
            let trust = store::trust(&context.folders)?;
            let Chosen { file: bundle, left_out } = choose(bundles, &left_out, &component, &trust);
            for line in &left_out {
                print::note(visible(&format!("left out of the signatures: {line}")));
            }
            let package = Untrusted::new(component.clone(), bundle.clone());
            Ok(Acquired { package, files: [component, bundle], source: source.to_string(), left_out })
        }
    }
}

/// A component with its signature beside it.
pub(crate) fn from_file(path: &Path) -> Result<Acquired, Failure> {
    let (package, files) = store::package(path)?;
    // Absolute, so that an update looks in the same place whatever folder it is run from.
    let source = std::path::absolute(path)?.display().to_string();
    Ok(Acquired { package, files, source, left_out: Vec::new() })
}

/// What is installed here.
pub(crate) fn installed(path: &Path) -> Result<Acquired, Failure> {
    let (package, files) = store::installed_package(path)?;
    Ok(Acquired { package, files, source: path.display().to_string(), left_out: Vec::new() })
}

/// The one package in a folder.
fn only_package(folder: &Path) -> Result<PathBuf, Failure> {
    let mut found = store::packages_in(folder)?;
    match (found.pop(), found.pop()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::invalid(format!(
            "there is no signed package in `{}`\nhelp: a package is NAME-VERSION.wasm with NAME-VERSION.wasm.sigstore.json beside it",
            folder.display()
        ))),
        (Some(one), Some(another)) => Err(Failure::invalid(format!(
            "`{}` holds more than one package, `{}` and `{}` among them\nhelp: name the one you mean",
            folder.display(),
            another.file_name().unwrap_or_default().to_string_lossy(),
            one.file_name().unwrap_or_default().to_string_lossy()
        ))),
    }
}
