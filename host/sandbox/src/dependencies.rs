//! What a component is made of, read from its bytes: the list of dependencies that `cargo auditable` defined, in a custom section.
//!
//! The section may be in the component, where `casemate pack` puts it, or in a module inside, where `cargo auditable` does. There
//! is one or none: two lists would leave it open which one was reviewed.

use auditable_serde::{Package, VersionInfo};
use casemate_signing::{digest::Digest, manifest::Manifest};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use wasm_encoder::{CustomSection, Encode, Section};
use wasmparser::{BinaryReaderError, Parser, Payload};

/// The custom section's name, from cargo-auditable's PARSING.md.
const SECTION: &str = ".dep-v0";
/// Bytes of the section: a tree of a thousand crates takes some 20 KiB.
const MAX_SECTION: usize = 256 << 10;
/// Bytes of the list: the same tree takes some 120 KiB. What unpacks to more is no list, but a bomb.
const MAX_LIST: usize = 1 << 20;
/// Characters of a component's own words that an error shows.
const MAX_QUOTE: usize = 80;

/// Why what a component says of itself refuses it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not a component.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// Two lists: which one was reviewed?
    #[error("the component has more than one list of its dependencies\nhelp: the publisher must build it once, and sign again")]
    Repeated,
    /// More than any tree of crates takes.
    #[error(
        "the list of dependencies has more than {} KiB, or unpacks to more than {} KiB\nhelp: do not load this package",
        MAX_SECTION >> 10,
        MAX_LIST >> 10
    )]
    TooLarge,
    /// Not zlib, not JSON, or not a list of crates.
    #[error(
        "the list of dependencies cannot be read: {0}\nhelp: the publisher must build it with `casemate pack` or `cargo auditable`"
    )]
    Unreadable(String),
    /// In the component only.
    #[error(
        "the component lists its dependencies, and its manifest does not state the list\nhelp: the publisher must pack and sign it again; do not load this package"
    )]
    Unstated,
    /// In the manifest only.
    #[error(
        "the manifest states a list of dependencies, and the component has none\nhelp: it was taken out before the package was signed; do not load it"
    )]
    Missing,
    /// Another list than was signed.
    #[error(
        "the list of dependencies in the component is not the one that its manifest states\nhelp: the publisher must pack and sign it again; do not load this package"
    )]
    Differs,
    /// Registries and other tools would show something else than was signed.
    #[error(
        "the component says `{component}` of its {section}, and its manifest `{manifest}`\nhelp: the publisher must make the two agree, and sign again"
    )]
    Annotation {
        /// Which of the component's own words.
        section: &'static str,
        /// In the component.
        component: String,
        /// In the manifest.
        manifest: String,
    },
}

impl MetadataError {
    /// A stable word for logs and scripts, one for each step.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "component-invalid",
            Self::Repeated => "sbom-repeated",
            Self::TooLarge => "sbom-too-large",
            Self::Unreadable(_) => "sbom-unreadable",
            Self::Unstated => "sbom-unstated",
            Self::Missing => "sbom-missing",
            Self::Differs => "sbom-differs",
            Self::Annotation { .. } => "metadata-differs",
        }
    }
}

/// What a component is made of: its crates, as its build listed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    list: VersionInfo,
    digest: Digest,
}

impl Dependencies {
    /// Every crate. One is the root: the plugin's own.
    pub fn packages(&self) -> &[Package] {
        &self.list.packages
    }

    /// Over the list's JSON, unpacked: what the manifest states.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        let unreadable = |why: String| MetadataError::Unreadable(quote(&why));
        let list: VersionInfo = serde_json::from_slice(json).map_err(|error| unreadable(error.to_string()))?;
        if !list.packages.iter().any(|package| package.root) {
            return Err(unreadable("no package is the root".to_owned()));
        }
        if list.packages.iter().flat_map(|package| &package.dependencies).any(|&at| at >= list.packages.len()) {
            return Err(unreadable("a package depends on one that is not listed".to_owned()));
        }
        Ok(Self { list, digest: Digest::of(json) })
    }
}

/// The list of dependencies in a component, if it has one. Like [`crate::imports_of`], for a proved package or the author's own.
///
/// # Errors
/// When there are two, or the one there is cannot be read within the caps.
pub fn dependencies_of(component: &[u8]) -> Result<Option<Dependencies>, MetadataError> {
    let mut found = None;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::CustomSection(section) = payload.map_err(invalid)?
            && section.name() == SECTION
            && found.replace(section.data()).is_some()
        {
            return Err(MetadataError::Repeated);
        }
    }
    found.map(|section| Dependencies::parse(&unpack(section)?)).transpose()
}

/// A component with a list of its dependencies at its end: the same bytes for the same list.
///
/// # Errors
/// When no loader would read the list.
pub fn embed(mut component: Vec<u8>, list: &VersionInfo) -> Result<Vec<u8>, MetadataError> {
    let json = serde_json::to_vec(list).map_err(|error| MetadataError::Unreadable(error.to_string()))?;
    Dependencies::parse(&json)?;
    let data = pack(&json).filter(|data| data.len() <= MAX_SECTION && json.len() <= MAX_LIST).ok_or(MetadataError::TooLarge)?;
    let section = CustomSection { name: SECTION.into(), data: data.into() };
    component.push(section.id());
    section.encode(&mut component);
    Ok(component)
}

/// Hold what a component says of itself against its manifest.
///
/// # Errors
/// When the two disagree, in a list of dependencies or in another word that tools show.
pub fn check_metadata(component: &[u8], manifest: &Manifest) -> Result<Option<Dependencies>, MetadataError> {
    check_annotations(component, manifest)?;
    let found = dependencies_of(component)?;
    match (&found, &manifest.sbom) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(MetadataError::Unstated),
        (None, Some(_)) => Err(MetadataError::Missing),
        (Some(list), Some(stated)) if list.digest.to_hex() == *stated => Ok(found),
        (Some(_), Some(_)) => Err(MetadataError::Differs),
    }
}

/// The sections that `wasm-tools metadata add` writes and registries show (OCI image annotations). The crate's own name and version are
/// not compared: a plugin is not named and numbered like its crate.
fn check_annotations(component: &[u8], manifest: &Manifest) -> Result<(), MetadataError> {
    let version = manifest.plugin.version.to_string();
    let stated = [
        ("description", manifest.plugin.description.as_str()),
        ("licenses", &manifest.plugin.license),
        ("source", &manifest.plugin.source),
        ("version", &version),
    ];
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Modules inside are other people's: an adapter has a version of its own.
            Payload::CustomSection(section) if depth == 1 => {
                let differs = |(name, value): &&(&str, &str)| *name == section.name() && value.as_bytes() != section.data();
                if let Some((section_name, manifest)) = stated.iter().find(differs) {
                    return Err(MetadataError::Annotation {
                        section: section_name,
                        component: quote(&String::from_utf8_lossy(section.data())),
                        manifest: (*manifest).to_owned(),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn unpack(section: &[u8]) -> Result<Vec<u8>, MetadataError> {
    if section.len() > MAX_SECTION {
        return Err(MetadataError::TooLarge);
    }
    // One byte more than is allowed: what fills it has too many. Nothing is allocated beyond.
    let mut list = Vec::with_capacity(MAX_LIST + 1);
    let mut stream = Decompress::new(true);
    let status = stream.decompress_vec(section, &mut list, FlushDecompress::Finish);
    let whole = stream.total_in() == section.len() as u64;
    match status {
        _ if list.len() > MAX_LIST => Err(MetadataError::TooLarge),
        Ok(Status::StreamEnd) if whole => Ok(list),
        Ok(Status::StreamEnd) => Err(MetadataError::Unreadable("there are bytes after its end".to_owned())),
        Ok(Status::Ok | Status::BufError) => Err(MetadataError::Unreadable("it is cut off".to_owned())),
        Err(error) => Err(MetadataError::Unreadable(error.to_string())),
    }
}

/// `None` where it does not get smaller than what is allowed anyway.
fn pack(json: &[u8]) -> Option<Vec<u8>> {
    let mut section = Vec::with_capacity(json.len() + 64);
    let mut stream = Compress::new(Compression::best(), true);
    let status = stream.compress_vec(json, &mut section, FlushCompress::Finish);
    matches!(status, Ok(Status::StreamEnd)).then_some(section)
}

fn invalid(error: BinaryReaderError) -> MetadataError {
    MetadataError::Invalid(error.message().to_owned())
}

fn quote(text: &str) -> String {
    text.chars().take(MAX_QUOTE).collect()
}

#[cfg(test)]
mod tests;
