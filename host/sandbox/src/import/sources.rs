//! `casemate:plugin/sources`: read-only byte sources that the operator bound to this plugin by name.

use std::{collections::BTreeMap, os::unix::fs::FileExt, sync::Arc};

use wasmtime::component::{HasData, Resource, ResourceTable};

use crate::{
    source::BoundSource,
    state::bindings::casemate::plugin::sources::{Host, HostSource, SourceError},
};

/// The most one read returns.
const READ: u32 = 1 << 20;

/// A source that a guest holds open.
#[expect(unreachable_pub, reason = "the generated bindings re-export it, privately to this crate")]
pub struct OpenSource(std::fs::File);

/// State of the import: what the operator bound.
pub(crate) struct Sources(pub(crate) Arc<BTreeMap<String, BoundSource>>);

/// The import's state with the table its handles live in, borrowed for one host call.
pub(crate) struct SourcesView<'a> {
    pub(crate) sources: &'a mut Sources,
    pub(crate) table: &'a mut ResourceTable,
}

impl HasData for Sources {
    type Data<'a> = SourcesView<'a>;
}

impl Host for SourcesView<'_> {
    fn list(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.sources.0.keys().cloned().collect())
    }

    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<OpenSource>, SourceError>> {
        let Some(source) = self.sources.0.get(&name) else { return Ok(Err(SourceError::NotFound)) };
        match source.open() {
            Ok(file) => Ok(Ok(self.table.push(OpenSource(file))?)),
            Err(error) => {
                tracing::warn!(source = name, %error, "a bound source cannot be opened");
                Ok(Err(SourceError::Unreadable))
            }
        }
    }
}

impl HostSource for SourcesView<'_> {
    fn size(&mut self, source: Resource<OpenSource>) -> wasmtime::Result<Result<u64, SourceError>> {
        Ok(self.table.get(&source)?.0.metadata().map(|metadata| metadata.len()).map_err(|_| SourceError::Unreadable))
    }

    fn read(&mut self, source: Resource<OpenSource>, offset: u64, len: u32) -> wasmtime::Result<Result<Vec<u8>, SourceError>> {
        if len > READ {
            return Ok(Err(SourceError::TooLarge));
        }
        let file = &self.table.get(&source)?.0;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
        Ok(match file.read_at(&mut bytes, offset) {
            Ok(read) => {
                bytes.truncate(read);
                Ok(bytes)
            }
            Err(_) => Err(SourceError::Unreadable),
        })
    }

    fn drop(&mut self, source: Resource<OpenSource>) -> wasmtime::Result<()> {
        self.table.delete(source)?;
        Ok(())
    }
}
