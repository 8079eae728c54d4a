//! Telemetry: what the operator's own systems are told of calls, as metrics, traces and log lines. Nothing, unless it is configured.
//!
//! Nothing here holds up or fails a call: what is to be sent is put in a bounded line, and what finds no room is counted. And nothing here
//! knows arguments, targets, URLs, results or secrets: a [`Watch`] is told words, names and times, and only that is told on.

mod endpoint;
mod gauges;
mod instruments;
pub(crate) mod lines;
mod meters;
mod otlp;
mod outbox;
mod post;
mod resource;
mod span;
mod stage;
mod subject;
mod watch;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use casemate_policy::{Call, Principal};
use casemate_signing::Environment;
use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider as _},
};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider};
use prometheus::Registry;
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Handle, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    command::print,
    config::{OtlpSettings, TelemetrySettings},
    exit::Failure,
    house::{House, Serving},
    mcp::Shutdown,
    trace::{Lineage, TraceParent},
};
use instruments::Instruments;
use lines::Collected;
use meters::Readings;
use outbox::{Losses, Outbox, Signal, deliver};
use post::Poster;
use resource::Teller;
use subject::Subject;
use watch::{Known, Story};

pub(crate) use stage::Stage;
pub(crate) use watch::Watch;

/// What the instruments call themselves.
const SCOPE: &str = "casemate";
/// How long the last of it may take to be sent when the server stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Everything that watches calls; nothing, where nothing is configured.
#[derive(Default)]
pub(crate) struct Telemetry(Option<Parts>);

/// What there is to watch with.
struct Parts {
    settings: TelemetrySettings,
    instruments: Instruments,
    provider: SdkMeterProvider,
    meter: Meter,
    /// What `/metrics` reads.
    registry: Option<Registry>,
    /// Where spans are put.
    spans: Option<Outbox<Value>>,
    /// Who sends what was put in line.
    sending: Mutex<JoinSet<()>>,
    ended: CancellationToken,
}

impl Telemetry {
    /// What is configured. From here on a collector is sent what is watched.
    ///
    /// # Errors
    /// When what proves the host to the collector, or the collector to the host, cannot be read.
    pub(crate) fn open(settings: &TelemetrySettings, environment: Environment) -> Result<Self, Failure> {
        if settings.metrics.is_none() && settings.otlp.is_none() {
            return Ok(Self(None));
        }
        Parts::new(settings, &Teller::new(environment)).map(|parts| Self(Some(parts))).map_err(Failure::invalid)
    }

    /// Watch a call.
    pub(crate) fn watch(
        &self,
        serving: &Serving,
        principal: &Principal,
        call: &Call,
        (call_id, via): (&str, &'static str),
        lineage: Lineage,
    ) -> Watch<'_> {
        let Some(parts) = &self.0 else { return Watch::nothing() };
        let named = parts.settings.otlp.as_ref().is_some_and(|otlp| otlp.principals);
        let known = Known {
            subject: Subject::of(serving, call),
            call_id: call_id.to_owned(),
            via,
            principal: named.then(|| principal.id().to_string()),
            lineage,
        };
        Watch::begin(parts, known)
    }

    /// Under which trace a call is made.
    pub(crate) fn lineage(&self, client: Option<TraceParent>, call_id: &str) -> Lineage {
        Lineage::of(client, call_id, self.0.as_ref().is_some_and(|parts| parts.spans.is_some()))
    }

    /// Serve and send what is configured, of this house.
    ///
    /// # Errors
    /// When the address cannot be listened on. Over stdio, where every client starts a server of its own, only the first can: the others go
    /// on without, and say so.
    pub(crate) async fn begin(house: &Arc<House>, state: &Path, shutdown: &Shutdown, shared: bool) -> Result<(), Failure> {
        let Some(parts) = &house.telemetry.0 else { return Ok(()) };
        gauges::observe(&parts.meter, house, &state.join("ledger.db"))?;
        let (Some(metrics), Some(registry)) = (&parts.settings.metrics, &parts.registry) else { return Ok(()) };
        match TcpListener::bind(metrics.address).await {
            Ok(listener) => {
                print::note(format_args!("casemate: metrics are at {}/metrics", listener.local_addr()?));
                let (registry, metrics, shutdown) = (registry.clone(), metrics.clone(), shutdown.clone());
                tokio::spawn(async move { endpoint::serve(listener, registry, &metrics, shutdown).await });
                Ok(())
            }
            Err(error) if shared && error.kind() == std::io::ErrorKind::AddrInUse => {
                tracing::warn!(address = %metrics.address, "metrics are not served: another process has the address");
                Ok(())
            }
            Err(error) => Err(Failure::failed(format!("metrics: cannot listen on {}: {error}", metrics.address))),
        }
    }

    /// Send what is left, for a while. What is not sent by then is lost.
    pub(crate) async fn close(&self) {
        let Some(parts) = &self.0 else { return };
        parts.ended.cancel();
        let mut sending = std::mem::take(&mut *parts.sending.lock().unwrap_or_else(PoisonError::into_inner));
        let provider = parts.provider.clone();
        // It reads the instruments for the last time, and waits for what comes of that.
        let read = tokio::task::spawn_blocking(move || drop(provider.shutdown_with_timeout(LAST_WORDS)));
        let sent = async { while sending.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WORDS, async { tokio::join!(read, sent) }).await;
    }
}

/// Whether the collector takes what it would be sent.
///
/// # Errors
/// Why not, for the operator.
pub(crate) async fn reaches(to: &OtlpSettings) -> Result<(), String> {
    let signals = [(Signal::Traces, to.traces), (Signal::Metrics, to.metrics), (Signal::Logs, to.logs)];
    let poster = Poster::open(to)?;
    for (signal, _) in signals.into_iter().filter(|(_, sent)| *sent) {
        poster.try_once(signal).await.map_err(|why| format!("{}: {why}", signal.as_str()))?;
    }
    Ok(())
}

impl Parts {
    fn new(settings: &TelemetrySettings, teller: &Teller) -> Result<Self, String> {
        let attributes = teller.attributes().map(|(name, value)| KeyValue::new(name, value.to_owned()));
        let resource = Resource::builder_empty().with_attributes(attributes).build();
        let mut provider = SdkMeterProvider::builder().with_resource(resource);
        let registry = settings.metrics.as_ref().map(|_| Registry::new());
        if let Some(registry) = &registry {
            // Names are what they are for both readers.
            let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone()).without_units();
            let reader = reader.without_counter_suffixes().without_target_info().scope_info_enabled(false);
            provider = provider.with_reader(reader.build().map_err(|error| error.to_string())?);
        }
        let (mut sending, ended, mut spans) = (JoinSet::new(), CancellationToken::new(), None);
        let losses = Signal::ALL.map(Losses::none);
        let [traces, metrics, logs] = &losses;
        if let Some(otlp) = &settings.otlp {
            let poster = Poster::open(otlp)?;
            if otlp.traces {
                let (outbox, inbox) = Outbox::new(traces.clone());
                let (teller, poster) = (teller.clone(), poster.clone());
                let wrap = move |items| span::wrapped(items, &teller);
                sending.spawn(deliver(inbox, poster, traces.clone(), wrap, ended.clone()));
                spans = Some(outbox);
            }
            if otlp.logs {
                let (outbox, inbox) = Outbox::new(logs.clone());
                let (teller, poster) = (teller.clone(), poster.clone());
                let wrap = move |items| lines::wrapped(items, &teller);
                sending.spawn(deliver(inbox, poster, logs.clone(), wrap, ended.clone()));
                lines::collect(Collected { outbox, principals: otlp.principals });
            }
            if otlp.metrics {
                let to = (poster, metrics.clone());
                provider = provider.with_reader(Readings::every(otlp.interval, to, teller.clone(), Handle::current()));
            }
        }
        let provider = provider.build();
        let meter = provider.meter(SCOPE);
        let instruments = Instruments::new(&meter, losses.to_vec());
        let sending = Mutex::new(sending);
        Ok(Self { settings: settings.clone(), instruments, provider, meter, registry, spans, sending, ended })
    }

    /// What is learned of a call, once it is over.
    fn tell(&self, story: &Story) {
        let (told, subject, seen) = (&self.instruments, &story.known.subject, &story.seen);
        told.call(subject, story.outcome(), story.ended.saturating_duration_since(story.began.0));
        seen.stages.iter().for_each(|(stage, from, to)| told.stage(*stage, to.saturating_duration_since(*from)));
        for exchange in &seen.requests {
            let ended = exchange.ended.unwrap_or(story.ended);
            told.request(subject, exchange, ended.saturating_duration_since(exchange.began));
        }
        seen.denial.iter().for_each(|(layer, reason)| told.denial(layer.clone(), reason.clone()));
        seen.fuel.iter().for_each(|fuel| told.fuel(subject, *fuel));
        seen.flags.iter().for_each(|flag| told.flag(flag.clone()));
        if let Some(spans) = self.spans.as_ref().filter(|_| story.known.lineage.is_sampled()) {
            spans.put(span::spans(story));
        }
    }
}
