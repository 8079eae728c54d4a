//! For the fuzz targets alone, which see a crate from outside: what of a registry's document is understood.

use crate::manifest::{Manifest, parse};

/// A manifest that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    /// As it is written again.
    pub written: Vec<u8>,
    /// Bytes of the component it is the image of, where it is one.
    pub component_size: Option<u64>,
}

/// Read the bytes of a manifest.
pub fn manifest(bytes: &[u8]) -> Option<Read> {
    let manifest: Manifest = parse(bytes, "the manifest").ok()?;
    let component_size = manifest.component().ok().map(|component| component.size);
    Some(Read { written: manifest.to_bytes(), component_size })
}
