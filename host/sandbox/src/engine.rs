//! The one engine configuration, equal where components are compiled and where they run.
//!
//! Which features are on, and why: the smallest language that wasm32-wasip2 toolchains need, no pagemap scan (a
//! swapped-out dirty page would survive into the next call), no memory protection keys, no component-model async.

use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Memories, and so calls of ordinary components, that may be inside wasm at once; the rest wait at the semaphore. More slots exhaust `vm.max_map_count`.
pub(crate) const SLOTS: u32 = 256;
/// Linear memories of one component: its own, and that of the stub which `casemate-close` puts beside it. A call takes a place for each.
pub(crate) const MEMORIES: u32 = 2;
/// Core instances of one call: toolchains for Rust and JavaScript make up to five, Python's links its libraries as modules and makes 17.
/// The pool only counts them, so it has as many as all places together may need.
pub(crate) const CORE_INSTANCES: u32 = 32;
/// Tables of one call, likewise: up to three.
pub(crate) const TABLES: u32 = 8;
/// The largest linear memory the pool can give. `Maxima::memory_mib` may not exceed it.
pub(crate) const MAX_MEMORY_BYTES: usize = 64 << 20;
/// Guest stack. Guests are linked with 64 KiB of their own; this bounds the native one.
const MAX_WASM_STACK: usize = 512 << 10;
/// Native stack of one call: the guest's and the host functions' above it.
const ASYNC_STACK: usize = 1 << 20;
/// Epoch ticks come this often while a call runs.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Memory kept resident in a slot between calls; page faults decide the cost of a fresh instance.
const MEMORY_KEEP_RESIDENT: usize = 1 << 20;
const TABLE_KEEP_RESIDENT: usize = 64 << 10;

fn base() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .wasm_component_model(true)
        .wasm_gc(false)
        .gc_support(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        .wasm_exceptions(false)
        .wasm_relaxed_simd(false);
    config
}

/// The engine of the serving process: it runs compiled code and cannot compile.
pub(crate) fn serving() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * CORE_INSTANCES)
        .total_memories(SLOTS)
        .total_tables(SLOTS * TABLES)
        .total_stacks(SLOTS)
        .max_memory_size(MAX_MEMORY_BYTES)
        .max_memories_per_component(MEMORIES)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .max_unused_warm_slots(SLOTS)
        .decommit_batch_size(1);
    let mut config = base();
    config.enable_compiler(false).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// The engine of the worker process: it compiles and runs nothing.
pub(crate) fn compiling() -> wasmtime::Result<Engine> {
    let mut config = base();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config)
}
