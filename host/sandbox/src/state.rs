//! What lives as long as one call: a plain struct, one field per import.

use wasmtime::{
    ResourceLimiter,
    component::{Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    call::Limit,
    engine::{CORE_INSTANCES, MEMORIES, TABLES},
    import::{
        http::Egress,
        log::Log,
        progress::Progress,
        sources::{Sources, SourcesView},
        wasi,
    },
};

/// Generated from wit/. Private to this crate: no type of it leaves.
pub(crate) mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "plugin",
        imports: { "casemate:plugin/sources": trappable },
        exports: { default: async },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "casemate:plugin/sources.source": crate::import::sources::OpenSource,
        },
    });
}

/// Handles one call may hold at once, and the largest it may have held.
pub(crate) const HANDLES: usize = 256;
/// Bytes of one set of HTTP header fields, with their bookkeeping.
pub(crate) const FIELD_BYTES: usize = 16 << 10;
/// Elements of one table: Rust guests use a few hundred, the JavaScript engine 7,800.
const TABLE_ELEMENTS: usize = 10_000;

pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) egress: Egress,
    pub(crate) log: Log,
    pub(crate) progress: Progress,
    pub(crate) sources: Sources,
    pub(crate) room: Room,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}

/// A linker with everything a component may import, and nothing else.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use bindings::casemate::plugin::{log, progress, sources};
    wasi::add_to_linker(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    log::add_to_linker::<State, Log>(linker, |state| &mut state.log)?;
    progress::add_to_linker::<State, Progress>(linker, |state| &mut state.progress)?;
    sources::add_to_linker::<State, Sources>(linker, |state| SourcesView {
        sources: &mut state.sources,
        table: &mut state.table,
    })?;
    Ok(())
}

/// Memory and tables of one call, summed over all its core instances.
pub(crate) struct Room {
    limit: usize,
    used: usize,
    hit: Option<Limit>,
}

impl Room {
    pub(crate) fn new(memory_bytes: usize) -> Self {
        Self { limit: memory_bytes, used: 0, hit: None }
    }

    /// The most linear memory the call held.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The limit that growth ran into, if any.
    pub(crate) fn hit(&self) -> Option<&Limit> {
        self.hit.as_ref()
    }
}

impl ResourceLimiter for Room {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.used.saturating_add(desired.saturating_sub(current));
        if total > self.limit {
            self.hit = Some(Limit::memory(self.limit));
            return Ok(false);
        }
        self.used = total;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            self.hit = Some(Limit::table(TABLE_ELEMENTS));
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_instances() {
        let mut room = Room::new(100);
        assert!(room.memory_growing(0, 60, None).unwrap());
        assert!(!room.memory_growing(0, 60, None).unwrap(), "a second memory of the same call");
        assert!(room.memory_growing(60, 100, None).unwrap(), "growth up to the limit");
        assert_eq!(room.used(), 100);
        assert!(room.hit().is_some());
    }

    #[test]
    fn a_table_has_an_end() {
        let mut room = Room::new(0);
        assert!(room.table_growing(0, TABLE_ELEMENTS, None).unwrap());
        assert!(!room.table_growing(0, TABLE_ELEMENTS + 1, None).unwrap());
    }
}
