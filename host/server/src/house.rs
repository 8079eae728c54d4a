//! The house, opened: policy, ledger, log and sandbox of one environment, with every plugin that may be served.

pub(crate) mod heads;
pub(crate) mod pending;
pub(crate) mod store;

mod address;
mod completing;
pub(crate) mod facts;
mod gathered;
mod offers;
mod open;
mod own_audit;
mod recorder;
mod reload;
mod renewal;
mod rules;
mod serving;
pub(crate) mod source;

use std::sync::{Arc, PoisonError, RwLock};

use casemate_audit::{EventFacts, EventKind, Log, Outcome};
use casemate_ledger::Ledger;
use casemate_policy::{Call, Principal, TokenScope, ToolRule, visible as tools_of};
use casemate_sandbox::{CallSettings, ProgressReport, Runtime};
use casemate_signing::{
    Environment,
    manifest::{Effect, Image, image::Picture},
};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    folders::Folders,
    mcp::{
        self, Annotations, CallRequest, Completing, Contents, Icon, LAST_CALLS, ProgressSink, PromptListing, PromptText, Reply,
        ResourceListing, Revision, ToolListing, UnderWay, Unserved,
    },
    pipeline::{self, Entry},
    reply,
    telemetry::Telemetry,
};

pub use heads::CloseError;
pub use open::{Opening, Refused};
pub(crate) use open::{Shelf, chains, chains_in, each_chain, no_log, rotate_audit_key, write_down, write_event};
pub use recorder::Recorder;
pub(crate) use reload::follow;
pub(crate) use rules::Rulebook;
pub use serving::Serving;
pub(crate) use serving::{Ended, Served};

/// Everything one running host needs.
pub struct House {
    environment: Environment,
    via: &'static str,
    folders: Folders,
    pub(crate) keys: store::Keys,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    head: heads::Keeper,
    pub(crate) runtime: Runtime,
    /// What watches calls: nothing, but in a server that is told to.
    pub(crate) telemetry: Telemetry,
    /// Calls that have not come to their end.
    running: UnderWay,
    /// What is served now; replaced whole.
    serving: RwLock<Arc<Serving>>,
    /// Counts the replacements.
    changes: watch::Sender<u64>,
    /// What becomes of whose calls, counted.
    pub(crate) activity: own_audit::Activity,
    /// The secrets of what is served, and when they are read again.
    renewals: renewal::Renewals,
    /// The files that `serving` was made from.
    made_from: store::Marks,
}

impl House {
    /// Which environment this is.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// What is served now. Whoever holds it sees no change.
    pub fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Make one call, from an entry point where nobody is asked anything.
    pub async fn pass(&self, principal: &Principal, call: Call, settings: CallSettings) -> Reply {
        let _running = self.running.begin();
        pipeline::pass(self, principal, call, Entry::plain(self.via), settings).await
    }

    /// Write the last record and the last checkpoint. Calls that were cancelled come to their end first, whoever still waits for them: so
    /// their outcomes are before it.
    ///
    /// # Errors
    /// When the log cannot be written, and the host's stop is then not on record; or when its last checkpoint cannot be kept.
    pub async fn close(&self) -> Result<(), CloseError> {
        if tokio::time::timeout(LAST_CALLS, self.running.none()).await.is_err() {
            tracing::warn!("calls were still running at the end; how they ended is not in the audit log");
        }
        let stopped = EventFacts {
            kind: EventKind::HostStopped,
            principal: casemate_audit::HOST.to_owned(),
            outcome: Outcome::Allowed,
            fields: Value::Object(Map::new()),
        };
        self.log.event(stopped, clock::now()).await?;
        self.log.close(clock::now())?;
        self.head.keep(&self.log).map_err(|failure| CloseError::Head(failure.message))
    }
}

impl mcp::House for House {
    fn tools(&self, principal: &Principal) -> Arc<[ToolListing]> {
        let serving = self.serving();
        tools_of(serving.policy(), principal, clock::now()).into_iter().map(|rule| listing(&serving, rule)).collect()
    }

    fn tool(&self, principal: &Principal, name: &str) -> Option<ToolListing> {
        let serving = self.serving();
        let mut tools = tools_of(serving.policy(), principal, clock::now()).into_iter();
        tools.find(|rule| rule.served.as_str() == name).map(|rule| listing(&serving, rule))
    }

    fn oldest(&self) -> Revision {
        self.serving().config().oldest
    }

    fn logs(&self) -> bool {
        self.serving().config().log_lines
    }

    fn prompts(&self, principal: &Principal) -> Vec<PromptListing> {
        offers::prompts(&self.serving(), principal)
    }

    async fn prompt(&self, principal: &Principal, name: &str, arguments: &Map<String, Value>) -> Result<PromptText, Unserved> {
        self.fill_in(principal, name, arguments).await
    }

    fn resources(&self, principal: &Principal) -> Vec<ResourceListing> {
        offers::resources(&self.serving(), principal)
    }

    fn templates(&self, principal: &Principal) -> Vec<ResourceListing> {
        offers::templates(&self.serving(), principal)
    }

    async fn read(&self, principal: Principal, uri: String, cancel: CancellationToken) -> Result<Contents, Unserved> {
        self.give(principal, uri, cancel).await
    }

    fn stamp(&self, principal: &Principal, uri: &str) -> Option<u64> {
        self.stamp_of(principal, uri)
    }

    fn complete(&self, principal: &Principal, what: &Completing) -> Vec<String> {
        completing::values(self, &self.serving(), principal, what)
    }

    fn lacking(&self, principal: &Principal, tool: &str) -> Vec<TokenScope> {
        self.serving().policy().lacking(principal, tool).into_iter().collect()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        tokio::task::block_in_place(|| look(&self.ledger))
    }

    async fn call(
        &self,
        principal: Principal,
        request: CallRequest,
        cancel: CancellationToken,
        progress: Option<ProgressSink>,
    ) -> Reply {
        let reports = progress.map(|sink| {
            let (sender, receiver) = mpsc::channel(16);
            tokio::spawn(pass_on(receiver, sink));
            sender
        });
        let entry = Entry { via: self.via, answer: request.answer, awaits: request.awaits, trace: request.trace };
        let call = Call::new(request.tool, Value::Object(request.arguments));
        let settings = CallSettings { cancel, progress: reports, ..CallSettings::default() };
        let _running = self.running.begin();
        let reply = pipeline::pass(self, &principal, call, entry, settings).await;
        self.activity.note(principal.id());
        reply
    }
}

/// Pass a plugin's progress on until its call ends. Its words were checked on their way here.
async fn pass_on(mut reports: mpsc::Receiver<ProgressReport>, sink: ProgressSink) {
    while let Some(report) = reports.recv().await {
        #[expect(clippy::cast_precision_loss, reason = "the protocol's progress is a floating-point number")]
        sink.report(report.done as f64, report.total.map(|total| total as f64), Some(report.message));
    }
}

/// A tool as its signed manifest describes it.
fn listing(serving: &Serving, rule: &ToolRule) -> ToolListing {
    let tool = &rule.manifest_tool;
    // A dry run answers with a plan, which the tool's own schema does not describe.
    let output_schema = tool.output_schema.as_ref().filter(|_| !(rule.dry_run && tool.effect > Effect::Read));
    let manifest = serving.plugin(&rule.plugin).map(|served| served.plugin.manifest());
    ToolListing {
        icon: manifest.and_then(|manifest| icon(manifest.icon(tool)?)),
        name: rule.served.to_string(),
        title: tool.title.clone(),
        description: tool.description.clone(),
        input_schema: object(&tool.input_schema),
        output_schema: output_schema.and_then(Value::as_object).map(|own| Arc::new(reply::output_schema(own))),
        annotations: Annotations {
            read_only: tool.effect == Effect::Read,
            destructive: tool.effect >= Effect::Execute,
            idempotent: tool.idempotent || tool.effect == Effect::Read,
            open_world: !tool.requests.is_empty(),
        },
    }
}

/// A signed icon. A checked manifest has no other.
fn icon(image: &Image) -> Option<Icon> {
    let Picture { media_type, width, height, .. } = image.icon().ok()?;
    Some(Icon { uri: image.as_uri().to_owned(), media_type, size: (width, height) })
}

fn object(schema: &Value) -> Arc<Map<String, Value>> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

/// A name for one call, in its records and log lines: random, so that it tells nothing.
pub(crate) fn call_id() -> String {
    let mut bytes = [0_u8; 8];
    // Without random bytes the name is only less unique; nothing is secured by it.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
