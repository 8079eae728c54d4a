//! A proved package, looked at as WebAssembly for the first time. Nothing of it is compiled before what it is made of was reviewed.

use casemate_signing::{
    manifest::{Manifest, PluginId},
    package::Loadable,
};

use crate::{
    dependencies::{Dependencies, check_metadata},
    imports::{self, ImportError, Outline},
    loaded::LoadError,
};

/// A package whose imports, exports and own words are those of its manifest.
pub struct Examined {
    manifest: Manifest,
    component: Vec<u8>,
    dependencies: Option<Dependencies>,
}

/// Parse a proved package and hold it against its manifest. Takes it by value: these bytes were verified, and no others are looked at.
///
/// # Errors
/// When it asks for what it does not declare, or says something else of itself than its manifest does.
pub fn examine(package: Loadable) -> Result<Examined, LoadError> {
    hold(package, imports::imports_of)
}

/// The same for what was installed here, with its function bodies left out: those are validated before they are compiled, and what is compiled
/// is kept by the digest of these very bytes.
///
/// # Errors
/// See [`examine`].
pub fn examine_installed(package: Loadable) -> Result<Examined, LoadError> {
    hold(package, imports::outline_of)
}

fn hold(package: Loadable, read: fn(&[u8]) -> Result<Outline, ImportError>) -> Result<Examined, LoadError> {
    let (manifest, component) = package.into_parts();
    let (imports, exports) = read(&component)?;
    imports::check(&imports, &exports, &manifest.imports, &manifest.wit)?;
    let dependencies = check_metadata(&component, &manifest)?;
    Ok(Examined { manifest, component, dependencies })
}

impl Examined {
    /// `publisher/name`.
    pub fn id(&self) -> PluginId {
        self.manifest.id()
    }

    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it is made of, if it says so.
    pub fn dependencies(&self) -> Option<&Dependencies> {
        self.dependencies.as_ref()
    }

    /// Have it reviewed by whoever knows the operator's rules; what the review found is handed on.
    ///
    /// # Errors
    /// The review's refusal. The package is gone then: nothing can be made of it.
    pub fn reviewed<T, E>(
        self,
        review: impl FnOnce(&Manifest, Option<&Dependencies>) -> Result<T, E>,
    ) -> Result<(Reviewed, T), E> {
        let found = review(&self.manifest, self.dependencies.as_ref())?;
        Ok((Reviewed(self), found))
    }
}

/// A package that a review let pass. What compiles it takes it by value.
pub struct Reviewed(Examined);

impl Reviewed {
    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    pub(crate) fn into_parts(self) -> (Manifest, Vec<u8>) {
        (self.0.manifest, self.0.component)
    }
}
