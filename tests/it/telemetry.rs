//! Telemetry, from where it arrives: what Prometheus reads and what a collector is sent, of calls that the built program served.

mod collector;
mod endpoint;
mod metrics;
mod propagation;
mod reference;
mod traces;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::harness::{House, until};

/// Where the metrics of a house are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metrics(u16);

/// One reading: each series by its name and labels, as they are written.
#[derive(Debug)]
pub(crate) struct Reading(BTreeMap<String, f64>, String);

/// What was answered to one request.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Metrics {
    /// A port that nobody has.
    fn somewhere() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
    }

    fn address(self) -> String {
        format!("127.0.0.1:{}", self.0)
    }

    /// A house that serves them there.
    fn of(self, house: House) -> House {
        house.set("telemetry.metrics", self.address())
    }

    fn ask(self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    #[track_caller]
    fn read(self) -> Reading {
        let answer = self.ask("GET", "/metrics", &[("host", &self.address())]);
        assert_eq!(answer.status, 200, "{answer:?}");
        let series = answer.body.lines().filter(|line| !line.starts_with('#'));
        let series = series.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        Reading(series.collect(), answer.body.clone())
    }
}

impl Reading {
    /// The sum of the series of this name that have all of these labels; zero where there is none.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |series: &str| labels.iter().all(|(label, value)| series.contains(&format!("{label}=\"{value}\"")));
        let named = |series: &str| series.split('{').next() == Some(name);
        // Not `sum`, whose zero has a sign.
        self.0.iter().filter(|(series, _)| named(series) && has(series)).fold(0.0, |all, (_, value)| all + value)
    }

    #[track_caller]
    fn is(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        let sum = self.sum(name, labels);
        assert!((sum - expected).abs() < f64::EPSILON, "{name} {labels:?} is {sum}, not {expected}:\n{}", self.1);
    }

    #[track_caller]
    fn has_more_than(&self, name: &str, labels: &[(&str, &str)], least: f64) {
        let sum = self.sum(name, labels);
        assert!(sum > least, "{name} {labels:?} is {sum}:\n{}", self.1);
    }
}

/// A house whose collector is sent what the piece of configuration says.
fn collected(house: House, settings: &str) -> House {
    let endpoint = house.upstreams().origin("collector").to_owned();
    house.with(&format!("[telemetry.otlp]\nendpoint = \"{endpoint}\"\n{settings}"))
}

/// The bodies that the collector was sent under a path.
fn bodies(house: &House, path: &str) -> Vec<String> {
    let received = house.upstreams().received_by("collector");
    let under = received.iter().filter(|request| request.target() == path);
    let decoded = under.filter_map(|request| STANDARD.decode(request.0["body_base64"].as_str()?).ok());
    decoded.map(|body| String::from_utf8(body).unwrap()).collect()
}

/// What the collector was sent of a signal, flat: `resourceX`, `scopeX`, and the items' name.
fn sent(house: &House, path: &str, [resources, scopes, items]: [&str; 3]) -> Vec<Value> {
    let requests = bodies(house, path).into_iter().map(|body| serde_json::from_str::<Value>(&body).unwrap());
    let list = |value: Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let resources = requests.flat_map(|request| list(request, resources));
    let scopes = resources.flat_map(|resource| {
        assert_eq!(attribute(&resource["resource"], "service.name"), "casemate");
        list(resource, scopes)
    });
    scopes.flat_map(|scope| list(scope, items)).collect()
}

/// Every span that the collector was sent.
fn spans(house: &House) -> Vec<Value> {
    sent(house, "/v1/traces", ["resourceSpans", "scopeSpans", "spans"])
}

/// The spans, once there are calls of so many.
#[track_caller]
fn spans_of(house: &House, calls: usize) -> Vec<Value> {
    until("the collector is sent the calls", || called(&spans(house)).len() >= calls);
    spans(house)
}

/// The spans of calls.
fn called(spans: &[Value]) -> Vec<&Value> {
    spans.iter().filter(|span| span["name"] == "call").collect()
}

/// The names of every metric that the collector was sent.
fn sent_metrics(house: &House) -> Vec<String> {
    let metrics = sent(house, "/v1/metrics", ["resourceMetrics", "scopeMetrics", "metrics"]);
    metrics.iter().map(|metric| metric["name"].as_str().unwrap().to_owned()).collect()
}

/// Every log line that the collector was sent: its sentence, and the line.
fn sent_lines(house: &House) -> Vec<(String, Value)> {
    let lines = sent(house, "/v1/logs", ["resourceLogs", "scopeLogs", "logRecords"]);
    lines.into_iter().map(|line| (line["body"]["stringValue"].as_str().unwrap().to_owned(), line)).collect()
}

/// An attribute as text; empty where there is none.
fn attribute(of: &Value, name: &str) -> String {
    let found = of["attributes"].as_array().into_iter().flatten().find(|attribute| attribute["key"] == name);
    let value = found.map(|found| found["value"].clone()).unwrap_or_default();
    value["stringValue"].as_str().or(value["intValue"].as_str()).unwrap_or_default().to_owned()
}

/// The text is in nothing that was sent or read, not even as a part.
#[track_caller]
fn untold(house: &House, metrics: Option<Metrics>, canary: &str) {
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        for body in bodies(house, path) {
            assert!(!body.contains(canary), "`{canary}` was sent to {path}: {body}");
        }
    }
    if let Some(metrics) = metrics {
        assert!(!metrics.read().1.contains(canary), "`{canary}` is in the metrics");
    }
}
