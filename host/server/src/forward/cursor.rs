//! How far a log was forwarded.

use std::{collections::BTreeMap, path::Path};

use crate::{exit::Failure, house::store};

/// Bytes of the file: a line for each chain.
const MAX_BYTES: usize = 1 << 20;

/// By chain, where reading goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor(BTreeMap<String, String>);

impl Cursor {
    /// As it was written; at the beginning where it never was.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = store::file(path, MAX_BYTES)?;
        serde_json::from_slice(&text).map(Self).map_err(|error| {
            Failure::failed(format!(
                "`{}` is damaged: {error}\nhelp: delete it to send the whole log again; collectors know records by their ids",
                path.display()
            ))
        })
    }

    pub(super) fn positions(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    pub(super) fn note(&mut self, positions: BTreeMap<String, String>) {
        self.0 = positions;
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = serde_json::to_vec(&self.0).map_err(|error| Failure::failed(error.to_string()))?;
        store::replace(path, &text)
    }
}
