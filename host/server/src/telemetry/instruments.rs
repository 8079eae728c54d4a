//! The instruments: what is counted and timed. `docs/telemetry.md` lists them, and a test holds the two together.
//!
//! A label is a name of a signed manifest or of the configuration, or a word of an enumeration: nothing that a caller, a plugin or an
//! upstream can choose.

use std::{borrow::Cow, time::Duration};

use casemate_sandbox::{Exchange, ExchangeStatus};
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Counter, Histogram, Meter},
};

use super::{outbox::Losses, stage::Stage, subject::Subject};

/// Upper bounds of durations in seconds: from what a stage takes to the longest that a call may.
const SECONDS: [f64; 18] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Everything that is measured as it happens.
#[derive(Debug)]
pub(super) struct Instruments {
    calls: Counter<u64>,
    denials: Counter<u64>,
    duration: Histogram<f64>,
    stages: Histogram<f64>,
    upstreams: Histogram<f64>,
    fuel: Counter<u64>,
    flags: Counter<u64>,
}

impl Instruments {
    pub(super) fn new(meter: &Meter, losses: Vec<Losses>) -> Self {
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let seconds = |name: &'static str, what: &'static str| {
            meter.f64_histogram(name).with_description(what).with_unit("s").with_boundaries(SECONDS.to_vec()).build()
        };
        // Observed, not counted: what is lost may be the instruments' own readings.
        let lost = move |it: &dyn AsyncInstrument<u64>| {
            for (signal, count) in losses.iter().map(Losses::counted) {
                it.observe(count, &[KeyValue::new("signal", signal.as_str())]);
            }
        };
        let dropped = "casemate_telemetry_dropped_total";
        let what = "Telemetry that did not reach the collector.";
        meter.u64_observable_counter(dropped).with_description(what).with_callback(lost).build();
        Self {
            calls: counter("casemate_calls_total", "Calls, by how they ended."),
            denials: counter("casemate_denials_total", "Calls that were refused, by what refused them and why."),
            duration: seconds("casemate_call_duration_seconds", "How long calls took, from the request to the answer."),
            stages: seconds("casemate_stage_duration_seconds", "How long each stage of a call took."),
            upstreams: seconds("casemate_upstream_duration_seconds", "How long requests to upstreams took."),
            fuel: counter("casemate_fuel_total", "Fuel that plugins burned."),
            flags: counter("casemate_output_flags_total", "What was noticed in results."),
        }
    }

    pub(super) fn call(&self, subject: &Subject, outcome: Cow<'static, str>, took: Duration) {
        let of = [KeyValue::new("plugin", subject.plugin.clone()), KeyValue::new("tool", subject.tool.clone())];
        self.duration.record(took.as_secs_f64(), &of);
        let [plugin, tool] = of;
        self.calls.add(1, &[plugin, tool, KeyValue::new("effect", subject.effect), KeyValue::new("outcome", outcome)]);
    }

    pub(super) fn denial(&self, layer: Cow<'static, str>, reason: Cow<'static, str>) {
        self.denials.add(1, &[KeyValue::new("layer", layer), KeyValue::new("reason", reason)]);
    }

    pub(super) fn stage(&self, stage: Stage, took: Duration) {
        self.stages.record(took.as_secs_f64(), &[KeyValue::new("stage", stage.as_str())]);
    }

    pub(super) fn fuel(&self, subject: &Subject, units: u64) {
        self.fuel.add(units, &[KeyValue::new("plugin", subject.plugin.clone())]);
    }

    pub(super) fn request(&self, subject: &Subject, exchange: &Exchange, took: Duration) {
        let of = [
            KeyValue::new("plugin", subject.plugin.clone()),
            KeyValue::new("upstream", exchange.upstream.to_string()),
            KeyValue::new("status_class", status_class(&exchange.status)),
        ];
        self.upstreams.record(took.as_secs_f64(), &of);
    }

    pub(super) fn flag(&self, flag: String) {
        self.flags.add(1, &[KeyValue::new("flag", flag)]);
    }
}

/// What came of a request, coarsely.
pub(super) fn status_class(status: &ExchangeStatus) -> &'static str {
    match status {
        ExchangeStatus::Answered { status: 200..=299, .. } => "2xx",
        ExchangeStatus::Answered { status: 300..=399, .. } => "3xx",
        ExchangeStatus::Answered { status: 400..=499, .. } => "4xx",
        ExchangeStatus::Answered { status: 500..=599, .. } => "5xx",
        ExchangeStatus::Answered { .. } => "other",
        ExchangeStatus::NotSent { .. } => "not-sent",
        ExchangeStatus::Broken { .. } | ExchangeStatus::Pending => "broken",
    }
}
