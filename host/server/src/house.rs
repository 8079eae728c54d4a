//! The house, opened: policy, ledger, log and sandbox of one environment, with every plugin that may be served.

pub(crate) mod heads;
pub(crate) mod store;

mod open;

use std::{collections::BTreeMap, sync::Arc};

use casemate_audit::{EventFacts, EventKind, Log, Outcome};
use casemate_ledger::Ledger;
use casemate_policy::{Call, Policy, Principal, ToolRule, output::OutputRules, text::visible, visible as tools_of};
use casemate_sandbox::{CallSettings, Loaded, LogLevel, LogLine, ProgressReport, Runtime, Transport};
use casemate_signing::{
    Environment,
    manifest::{Effect, PluginId},
};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    config::HttpSettings,
    mcp::{self, Annotations, CallRequest, ProgressSink, Reply, ToolListing},
    pipeline, reply,
};

pub use heads::CloseError;
pub use open::{Opening, Refused};
pub(crate) use open::{chains, write_down};

/// Everything one running host needs.
pub struct House {
    environment: Environment,
    http: HttpSettings,
    via: &'static str,
    pub(crate) policy: Policy,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    head: heads::Keeper,
    pub(crate) runtime: Runtime,
    plugins: BTreeMap<PluginId, Arc<Served>>,
    refused: Vec<Refused>,
}

/// A plugin that is served, with what its results are held to.
pub(crate) struct Served {
    pub(crate) plugin: Loaded,
    rules: BTreeMap<String, OutputRules>,
}

impl Served {
    /// What a tool's results are held to, by served name.
    pub(crate) fn rules(&self, served: &str) -> Option<&OutputRules> {
        self.rules.get(served)
    }

    /// Hand a plugin's log to the operator's, without its secrets and with its control characters visible. A line stays one line:
    /// what follows a line break would look like the host's own.
    pub(crate) fn log(&self, call_id: &str, lines: &[LogLine]) {
        for line in lines {
            let (clean, _) = self.plugin.redactor().redact(&line.text);
            let (plugin, text) = (self.plugin.id(), visible(&clean).replace('\n', "\\n"));
            match line.level {
                LogLevel::Error | LogLevel::Warn => tracing::info!(%plugin, call_id, level = ?line.level, "plugin: {text}"),
                LogLevel::Info | LogLevel::Debug => tracing::debug!(%plugin, call_id, level = ?line.level, "plugin: {text}"),
            }
        }
    }
}

impl House {
    /// Which environment this is.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// Settings of the HTTP transport.
    pub fn http(&self) -> &HttpSettings {
        &self.http
    }

    /// Installed plugins that are not served, and why.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The prepared rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn served(&self, plugin: &PluginId) -> Option<Arc<Served>> {
        self.plugins.get(plugin).map(Arc::clone)
    }

    /// A tool's signed input schema and its plugin, by served name.
    pub(crate) fn tool(&self, served: &str) -> Option<(&Value, &Served)> {
        let rule = self.policy.tools().find(|rule| rule.served.as_str() == served)?;
        Some((&rule.manifest_tool.input_schema, self.plugins.get(&rule.plugin)?))
    }

    /// Make one call, from whatever entry point.
    pub async fn pass(&self, principal: &Principal, call: Call, settings: CallSettings) -> Reply {
        pipeline::pass(self, principal, call, self.via, settings).await
    }

    /// Write the last record and the last checkpoint.
    ///
    /// # Errors
    /// When the log cannot be written, and the host's stop is then not on record; or when its last checkpoint cannot be kept.
    pub async fn close(&self) -> Result<(), CloseError> {
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
        tools_of(&self.policy, principal, clock::now()).into_iter().map(listing).collect()
    }

    fn tool(&self, principal: &Principal, name: &str) -> Option<ToolListing> {
        tools_of(&self.policy, principal, clock::now()).into_iter().find(|rule| rule.served.as_str() == name).map(listing)
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
        self.pass(
            &principal,
            Call::new(request.tool, Value::Object(request.arguments)),
            CallSettings { cancel, progress: reports, transport: Transport::Network },
        )
        .await
    }
}

/// Pass a plugin's progress on until its call ends. Its words are made visible first; numbers need nothing.
async fn pass_on(mut reports: mpsc::Receiver<ProgressReport>, sink: ProgressSink) {
    while let Some(report) = reports.recv().await {
        #[expect(clippy::cast_precision_loss, reason = "the protocol's progress is a floating-point number")]
        sink.report(report.done as f64, report.total.map(|total| total as f64), Some(visible(&report.message).into_owned()));
    }
}

/// A tool as its signed manifest describes it.
fn listing(rule: &ToolRule) -> ToolListing {
    let tool = &rule.manifest_tool;
    // A dry run answers with a plan, which the tool's own schema does not describe.
    let output_schema = tool.output_schema.as_ref().filter(|_| !(rule.dry_run && tool.effect > Effect::Read));
    ToolListing {
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
