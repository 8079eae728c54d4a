//! Getting a package's two files: from a file, from a folder, from a registry. Nothing of them is believed yet.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use casemate_registry::Reference;
use casemate_signing::package::Untrusted;

use crate::{command::Context, config::Config, exit::Failure, house::store, registries};

/// What a reference to a registry begins with.
const SCHEME: &str = "oci://";

/// Where a package is.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A component with its signature beside it, or a folder with one of those.
    Path(PathBuf),
    /// A registry.
    Registry(Reference),
}

impl FromStr for Source {
    type Err = casemate_registry::InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(SCHEME) { text.parse().map(Self::Registry) } else { Ok(Self::Path(text.into())) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

/// The two files of a package, and where they were.
pub(crate) struct Acquired {
    pub(crate) package: Untrusted,
    pub(super) files: [Vec<u8>; 2],
    pub(crate) source: String,
}

/// Get it from wherever it is.
pub(crate) fn from(source: &Source, context: &Context, config: &Config) -> Result<Acquired, Failure> {
    match source {
        Source::Path(path) if path.is_dir() => from_file(&only_package(path)?),
        Source::Path(path) => from_file(path),
        Source::Registry(reference) => {
            let pulled = registries::pull(reference, context, config)?;
            let files = [pulled.component, pulled.bundle];
            let [component, bundle] = files.clone();
            Ok(Acquired { package: Untrusted::new(component, bundle), files, source: source.to_string() })
        }
    }
}

/// A component with its signature beside it.
pub(crate) fn from_file(path: &Path) -> Result<Acquired, Failure> {
    let (package, files) = store::package(path)?;
    // Absolute, so that an update looks in the same place whatever folder it is run from.
    let source = std::path::absolute(path)?.display().to_string();
    Ok(Acquired { package, files, source })
}

/// What is installed here.
pub(crate) fn installed(path: &Path) -> Result<Acquired, Failure> {
    let (package, files) = store::installed_package(path)?;
    Ok(Acquired { package, files, source: path.display().to_string() })
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
