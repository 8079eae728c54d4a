//! The sandbox itself: loads plugins and runs calls, each in an instance of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use casemate_audit::Recorded;
use casemate_policy::{
    Permit, PrincipalId,
    egress::{Conduct, Gate, HeldPlan},
    output::{FailureKind, RawContent, RawFailure, RawOutput},
};
use casemate_signing::manifest::{self, Manifest, UpstreamName};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use wasmtime::{
    Engine, Store, UpdateDeadline,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::{
    call::{CallSettings, Ending, Ends, Fault, Limit, Run, RunFacts, Spent},
    compile::{CacheError, CodeCache, CompileError, Worker},
    egress::{Leaving, LiveSecrets, Secrets, Settings, Tls, UpstreamSettings, Upstreams},
    engine::{self, MEMORIES, SLOTS},
    examine::Reviewed,
    import::{
        capture::Capture,
        http::{Desk, Egress},
        log::Log,
        progress::Progress,
        sources::Sources,
        wasi,
    },
    imports::{self, ImportError},
    limits::{Limits, Maxima},
    loaded::{LoadError, Loaded},
    places::{Occupancy, Place, Places, Share},
    precompiled::{self, Authentic},
    source::BoundSource,
    state::{
        FIELD_BYTES, HANDLES, Room, State, add_to_linker,
        bindings::{PluginPre, casemate::plugin::types, exports::casemate::plugin::tools},
    },
    ticker::Ticker,
    trap,
};

/// A guest gives the thread back this often, in units of fuel.
const YIELD_FUEL: u64 = 1_000_000;
/// Bytes a guest may hand to the host in one call of an import, on top of the output it may return.
const HOST_CALL_BYTES: usize = 1 << 20;
/// What `describe` may use: it computes a text.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(10);

/// A sandbox that could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "the sandbox cannot start: {0}\nhelp: it needs about 6 GiB of address space per call slot; check `ulimit -v` and vm.max_map_count"
)]
pub struct RuntimeError(String);

/// Why `describe` did not answer.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The component's imports or exports refuse it.
    #[error(transparent)]
    Imports(#[from] ImportError),
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The machine has no room for a sandbox.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// It does not run.
    #[error("`describe` failed: {0}\nhelp: it must return its tools without any import but the clock")]
    Run(String),
}

/// What the operator bound a plugin to.
#[derive(Default)]
pub struct PluginBindings {
    /// Where its upstreams are.
    pub upstreams: UpstreamSettings,
    /// Its secrets.
    pub secrets: Secrets,
    /// Its byte sources, by name.
    pub sources: BTreeMap<String, BoundSource>,
    /// Its settings as JSON text, already validated.
    pub settings: String,
    /// Upstreams that are told under which trace they are asked.
    pub traced: BTreeSet<UpstreamName>,
}

/// What every instance needs: an engine that cannot compile, a linker, a ticker.
struct Ground {
    engine: Engine,
    linker: Linker<State>,
    ticker: Ticker,
}

/// The sandbox.
pub struct Runtime {
    ground: Ground,
    engine_key: String,
    cache: CodeCache,
    maxima: Maxima,
    places: Places,
    tls: Tls,
}

/// A proved package with its code, not yet bound to anything.
pub struct Prepared {
    manifest: Manifest,
    pre: PluginPre<State>,
    memories: u32,
}

impl Prepared {
    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl Runtime {
    /// A sandbox whose compiled code is kept in `cache`.
    ///
    /// # Errors
    /// When the machine cannot give the address space the pool needs.
    pub fn new(cache: CodeCache, maxima: Maxima) -> Result<Self, RuntimeError> {
        let ground = Ground::new()?;
        let engine_key = engine_key().map_err(|error| RuntimeError(format!("{error:#}")))?;
        Ok(Self { ground, engine_key, cache, maxima, places: Places::new(SLOTS), tls: Tls::default() })
    }

    /// Compile and link a package. Takes it by value: these bytes were verified and reviewed, and no others are compiled.
    ///
    /// # Errors
    /// When its code or its links refuse it.
    pub fn prepare(&self, package: Reviewed) -> Result<Prepared, LoadError> {
        let (manifest, component) = package.into_parts();
        let component = self.component(&manifest.component.sha256, &component)?;
        // None where a component imports another, which the check above has refused.
        let memories = component.resources_required().map_or(MEMORIES, |required| required.num_memories);
        let pre = self.ground.link(&component).map_err(|error| LoadError::Link(format!("{error:#}")))?;
        Ok(Prepared { manifest, pre, memories })
    }

    /// Bind a prepared plugin to the operator's upstreams, secrets, sources and settings.
    ///
    /// # Errors
    /// When its contracts do not fit the bindings.
    pub fn bind(&self, prepared: Prepared, bindings: PluginBindings) -> Result<Loaded, LoadError> {
        let Prepared { manifest, pre, memories } = prepared;
        let secrets = Arc::new(LiveSecrets::new(&manifest, bindings.secrets));
        let gate = Arc::new(Gate::new(&manifest, &bindings.upstreams)?.guarding(secrets.guard()));
        let settings = Settings::parse(&bindings.settings);
        let upstreams = Upstreams::new(&manifest, &bindings.upstreams, Arc::clone(&gate), secrets, settings, &self.tls)?
            .tracing(bindings.traced);
        Ok(Loaded {
            id: manifest.id(),
            digest: manifest.component.sha256.clone(),
            limits: Limits::effective(&manifest.limits, &self.maxima),
            manifest: Arc::new(manifest),
            pre,
            gate,
            upstreams: Arc::new(upstreams),
            sources: Arc::new(bindings.sources),
            settings: bindings.settings,
            places: Arc::default(),
            places_of_a_call: memories.max(1),
        })
    }

    fn component(&self, digest: &str, bytes: &[u8]) -> Result<Component, CacheError> {
        let code = self.cache.code(digest, &self.engine_key, bytes)?;
        match precompiled::deserialize(&self.ground.engine, &code) {
            Ok(component) => Ok(component),
            // Authentic and yet not usable: another wasmtime made it under the same key. Compile again, once.
            Err(_) => {
                let code = self.cache.refill(digest, &self.engine_key, bytes)?;
                precompiled::deserialize(&self.ground.engine, &code)
                    .map_err(|error| CacheError::Compile(CompileError::Refused(format!("{error:#}"))))
            }
        }
    }

    /// A place for a call of this principal: what it takes to run one. Waits for its turn, and no longer than the call may go on.
    ///
    /// # Errors
    /// What ended the wait: somebody no longer wants the call, or [`Fault::Busy`].
    pub async fn place(
        &self,
        plugin: &Loaded,
        principal: &PrincipalId,
        share: Share,
        settings: &CallSettings,
    ) -> Result<Place, Fault> {
        let ends = Ends::of(settings);
        tokio::select! {
            biased;
            fault = ends.come() => Err(fault),
            place = self.places.take(principal, &plugin.places, plugin.places_of_a_call, share) => place,
        }
    }

    /// How many places are taken, and how many calls wait for one. No call waits for whoever asks.
    pub fn occupancy(&self) -> Occupancy {
        self.places.occupancy()
    }

    /// Run one call that has been permitted and written down, in a place of its own. Never fails: every ending is an answer.
    pub async fn run(&self, plugin: &Loaded, permit: Recorded<Permit>, settings: CallSettings, _place: Place) -> Run {
        let ends = Ends::of(&settings);
        if let Some(fault) = ends.fault() {
            return Run { ending: Ending::Fault(fault), facts: RunFacts::default() };
        }
        let started = Instant::now();
        let _ticking = self.ground.ticker.tick();
        let (stop, mut stopped) = mpsc::unbounded_channel();
        let invocation = types::Invocation {
            tool: permit.get().tool().as_str().to_owned(),
            arguments: permit.get().arguments().to_string(),
            settings: plugin.settings.clone(),
        };
        // A person agreed to a plan: what is sent is held to it, or nothing is sent.
        let agreed = permit.get().agreed().map(|agreed| HeldPlan::read(&agreed.plan.plan.to_string(), &agreed.plan.plan_digest));
        let held = match agreed.transpose() {
            Ok(held) => held,
            Err(error) => return Run { ending: Ending::Fault(Fault::Plan(error.to_string())), facts: RunFacts::default() },
        };
        let desk = Arc::new(Desk::new(
            Conduct::new(Arc::clone(&plugin.gate), permit.get(), held),
            Arc::clone(&plugin.upstreams),
            plugin.limits.clone(),
            ends.clone(),
            Leaving { transport: settings.transport, traceparent: settings.traceparent },
            settings.response_bytes,
            stop,
        ));
        let capture = Capture::default();
        let state = State {
            egress: Egress::new(Arc::clone(&desk)),
            progress: Progress::new(settings.progress),
            sources: Sources(Arc::clone(&plugin.sources)),
            ..empty_state(&capture, &plugin.limits)
        };
        let mut store = self.ground.store(state, &plugin.limits, started, Some(ends.clone()));
        let ending = {
            let guest = async {
                let instance = plugin.pre.instantiate_async(&mut store).await?;
                instance.casemate_plugin_tools().call_call(&mut store, &invocation).await
            };
            tokio::select! {
                biased;
                Some(ending) = stopped.recv() => Ok(ending),
                fault = ends.come() => Ok(Ending::Fault(fault)),
                () = tokio::time::sleep_until((started + plugin.limits.deadline).into()) => Ok(Ending::Fault(Fault::Limit(Limit::deadline(plugin.limits.deadline)))),
                result = guest => result.map(returned),
            }
        };
        // A guest that was told to stop may have returned in the same moment: what stopped it wins.
        let ending = match stopped.try_recv() {
            Ok(ending) => ending,
            Err(_) => ending.unwrap_or_else(|error| {
                Ending::Fault(trap::fault(error, &plugin.limits, &store.data().room, host_call_bytes(&plugin.limits)))
            }),
        };
        let spent = Spent {
            fuel: plugin.limits.fuel.saturating_sub(store.get_fuel().unwrap_or_default()),
            memory: store.data().room.used(),
            wall: started.elapsed(),
        };
        // From here on nothing leaves, and what left is on the list. Dropping the store drops the requests under way.
        let (exchanges, conduct) = desk.close();
        drop(store);
        let unsent = conduct.as_ref().map_or(0, Conduct::unsent);
        // It went on with answers that were assumed, and came to its end: what it came to is a plan, not a result.
        let ending = match (ending, conduct.and_then(Conduct::into_plan)) {
            (Ending::Returned(_) | Ending::Failed(_), Some(plan)) => Ending::Planned(plan),
            (ending, _) => ending,
        };
        Run { ending, facts: RunFacts { spent, exchanges, unsent, log: capture.take() } }
    }
}

/// Ask a component for its tools, in an instance without network, sources or settings. For `casemate pack` alone.
///
/// It gets the memory and the fuel that the author asks for, as a call does: a language with a runtime of its own needs them before
/// its first line.
///
/// # Errors
/// When the component does not validate, compile, or answer.
pub async fn describe(component: &[u8], asked: &manifest::Limits, worker: &Worker) -> Result<String, DescribeError> {
    let (imports, exports) = imports::imports_of(component)?;
    imports::check(&imports, &exports, &imports, imports::SERVED_WIT)?;
    let fail = |error: wasmtime::Error| DescribeError::Run(format!("{error:#}"));
    let ground = Ground::new()?;
    let code = Authentic::from_worker(worker.compile(component)?);
    let pre = ground.link(&precompiled::deserialize(&ground.engine, &code).map_err(fail)?).map_err(fail)?;
    let limits = Limits { deadline: DESCRIBE_DEADLINE, ..Limits::effective(asked, &Maxima::default()) };
    let capture = Capture::default();
    let _ticking = ground.ticker.tick();
    let mut store = ground.store(empty_state(&capture, &limits), &limits, Instant::now(), None);
    let instance = pre.instantiate_async(&mut store).await.map_err(fail)?;
    instance.casemate_plugin_tools().call_describe(&mut store).await.map_err(fail)
}

impl Ground {
    fn new() -> Result<Self, RuntimeError> {
        // Only fails when a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fail = |error: wasmtime::Error| RuntimeError(format!("{error:#}"));
        let engine = engine::serving().map_err(fail)?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(fail)?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| RuntimeError(error.to_string()))?;
        Ok(Self { engine, linker, ticker })
    }

    fn link(&self, component: &Component) -> wasmtime::Result<PluginPre<State>> {
        PluginPre::new(self.linker.instantiate_pre(component)?)
    }

    fn store(&self, state: State, limits: &Limits, started: Instant, ends: Option<Ends>) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.room);
        // Both fail only on an engine without fuel; this one has it.
        let _ = store.set_fuel(limits.fuel);
        let _ = store.fuel_async_yield_interval(Some(YIELD_FUEL));
        store.set_hostcall_fuel(host_call_bytes(limits));
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(1);
        let deadline = started + limits.deadline;
        store.epoch_deadline_callback(move |_| {
            if Instant::now() >= deadline {
                return Err(trap::DeadlinePassed.into());
            }
            if let Some(fault) = ends.as_ref().and_then(Ends::fault) {
                return Err(trap::CallEnded(fault).into());
            }
            // A yield at every tick: host calls cost next to no fuel, and a guest that lives on them must give its thread back too.
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }
}

fn host_call_bytes(limits: &Limits) -> usize {
    HOST_CALL_BYTES.saturating_add(limits.output_bytes)
}

fn empty_state(capture: &Capture, limits: &Limits) -> State {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(FIELD_BYTES);
    State {
        table,
        wasi: wasi::context(capture),
        http,
        egress: Egress::none(),
        log: Log(capture.clone()),
        progress: Progress::new(None),
        sources: Sources(Arc::default()),
        room: Room::new(limits.memory_bytes),
    }
}

/// The plugin's answer in the words of `policy`, unchecked.
fn returned(result: Result<tools::Outcome, tools::Failure>) -> Ending {
    match result {
        Ok(outcome) => Ending::Returned(RawOutput {
            content: outcome.content.into_iter().map(content).collect(),
            structured: outcome.structured,
        }),
        Err(failure) => Ending::Failed(RawFailure {
            kind: kind(failure.kind),
            code: failure.code,
            message: failure.message,
            retry_after_ms: failure.retry_after_ms,
        }),
    }
}

fn content(content: types::Content) -> RawContent {
    match content {
        types::Content::Text(text) => RawContent::Text(text),
        types::Content::Image(blob) => RawContent::Image { media_type: blob.media_type, data: blob.data },
        types::Content::Audio(blob) => RawContent::Audio { media_type: blob.media_type, data: blob.data },
        types::Content::ResourceLink(link) => RawContent::Link { uri: link.uri, name: link.name, media_type: link.media_type },
        types::Content::EmbeddedText(document) => {
            RawContent::Embedded { uri: document.uri, media_type: document.media_type, text: document.text }
        }
    }
}

fn kind(kind: types::FailureKind) -> FailureKind {
    match kind {
        types::FailureKind::InvalidArguments => FailureKind::InvalidArguments,
        types::FailureKind::NotFound => FailureKind::NotFound,
        types::FailureKind::Unauthorized => FailureKind::Unauthorized,
        types::FailureKind::RateLimited => FailureKind::RateLimited,
        types::FailureKind::Unavailable => FailureKind::Unavailable,
        types::FailureKind::Upstream => FailureKind::Upstream,
        types::FailureKind::Internal => FailureKind::Internal,
    }
}

/// A text that changes with wasmtime's version and every setting that compiled code depends on.
fn engine_key() -> wasmtime::Result<String> {
    struct Into256(Sha256);
    impl Hasher for Into256 {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
    }
    let engine = engine::compiling()?;
    let mut hasher = Into256(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(hasher.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}
