//! The instruments' readings, sent to a collector now and then, by a thread of their own.

use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{
        PeriodicReader, Temporality,
        data::{AggregatedMetrics, Metric, MetricData, ResourceMetrics},
        exporter::PushMetricExporter,
    },
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::{
    otlp::{nanos, resource, scope, text},
    outbox::{Losses, Signal},
    post::Poster,
    resource::Teller,
};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE` of the protocol: each reading has all since the start.
const CUMULATIVE: u8 = 2;

/// Sends each reading. One that does not arrive is no loss but of itself: the next has all that it had.
pub(super) struct Readings {
    poster: Poster,
    losses: Losses,
    teller: Teller,
    /// Where the thread that reads has its requests made.
    executor: Handle,
}

impl Readings {
    pub(super) fn every(
        interval: Duration,
        (poster, losses): (Poster, Losses),
        teller: Teller,
        executor: Handle,
    ) -> PeriodicReader<Self> {
        PeriodicReader::builder(Self { poster, losses, teller, executor }).with_interval(interval).build()
    }
}

impl PushMetricExporter for Readings {
    async fn export(&self, reading: &ResourceMetrics) -> OTelSdkResult {
        let metrics = reading.scope_metrics().flat_map(|scoped| scoped.metrics()).filter_map(metric);
        let scoped = json!({ "scope": scope(), "metrics": metrics.collect::<Vec<_>>() });
        let body = json!({ "resourceMetrics": [{ "resource": resource(&self.teller), "scopeMetrics": [scoped] }] });
        let poster = self.poster.clone();
        let sent = self.executor.spawn(async move { poster.post(Signal::Metrics, body.to_string().into_bytes()).await }).await;
        self.losses.settle(1, sent.unwrap_or_else(|error| Err(error.to_string())));
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// A metric as it is sent; none of a kind that no instrument here makes.
fn metric(metric: &Metric) -> Option<Value> {
    let (kind, data) = match metric.data() {
        AggregatedMetrics::U64(data) => points(data, |value| json!({ "asInt": value.to_string() }))?,
        AggregatedMetrics::F64(data) => points(data, |value| json!({ "asDouble": value }))?,
        AggregatedMetrics::I64(_) => return None,
    };
    Some(json!({ "name": metric.name(), "description": metric.description(), "unit": metric.unit(), kind: data }))
}

fn points<T: Copy + Into<Sum>>(data: &MetricData<T>, value: impl Fn(T) -> Value) -> Option<(&'static str, Value)> {
    match data {
        MetricData::Gauge(gauge) => {
            let points = gauge
                .data_points()
                .map(|point| stamped(value(point.value()), (gauge.start_time(), gauge.time()), point.attributes()));
            Some(("gauge", json!({ "dataPoints": points.collect::<Vec<_>>() })))
        }
        MetricData::Sum(sum) => {
            let points = sum
                .data_points()
                .map(|point| stamped(value(point.value()), (Some(sum.start_time()), sum.time()), point.attributes()));
            let points: Vec<_> = points.collect();
            Some((
                "sum",
                json!({ "dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": sum.is_monotonic() }),
            ))
        }
        MetricData::Histogram(histogram) => {
            let points = histogram.data_points().map(|point| {
                let Sum(sum) = point.sum().into();
                let counts = json!({
                    "count": point.count().to_string(),
                    "sum": sum,
                    "bucketCounts": point.bucket_counts().map(|count| count.to_string()).collect::<Vec<_>>(),
                    "explicitBounds": point.bounds().collect::<Vec<_>>(),
                });
                stamped(counts, (Some(histogram.start_time()), histogram.time()), point.attributes())
            });
            Some(("histogram", json!({ "dataPoints": points.collect::<Vec<_>>(), "aggregationTemporality": CUMULATIVE })))
        }
        MetricData::ExponentialHistogram(_) => None,
    }
}

/// What a histogram's values add up to.
struct Sum(f64);

impl From<f64> for Sum {
    fn from(sum: f64) -> Self {
        Self(sum)
    }
}

impl From<u64> for Sum {
    #[expect(clippy::cast_precision_loss, reason = "the protocol's sum is a floating-point number")]
    fn from(sum: u64) -> Self {
        Self(sum as f64)
    }
}

/// A point with when it was, and of what.
fn stamped<'a>(
    mut point: Value,
    (start, time): (Option<SystemTime>, SystemTime),
    attributes: impl Iterator<Item = &'a KeyValue>,
) -> Value {
    if let Some(point) = point.as_object_mut() {
        point.extend(start.map(|start| ("startTimeUnixNano".to_owned(), nanos(start).into())));
        point.insert("timeUnixNano".to_owned(), nanos(time).into());
        let attributes = attributes.map(|attribute| text(attribute.key.as_str(), &attribute.value.as_str()));
        point.insert("attributes".to_owned(), attributes.collect());
    }
    point
}
