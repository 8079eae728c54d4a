//! Three lists of metrics that are one: what is served, what docs/telemetry.md says, and what the dashboard asks for.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::Metrics;
use crate::harness::{Guest, House};

fn repository(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Every name that begins as a metric's does, without what Prometheus adds to a histogram's.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !word(c)).filter(|name| name.starts_with("casemate_"));
    let bare = |name: &str| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end).map(str::to_owned));
    words.map(|name| bare(name).unwrap_or_else(|| name.to_owned())).collect()
}

/// A house of which everything there is to measure was measured.
fn measured(metrics: Metrics) -> House {
    let house = metrics.of(House::new(&Guest::new("plain_request"))).serve();
    house.upstreams().script(json!({ "misbehave": { "kind": "hostile-text" } }));
    house.run("one").done(&[]);
    house.call("target", json!({ "group": "elsewhere" })).ended("denied", "out-of-scope", &[]);
    house
}

#[test]
fn the_reference_lists_what_is_served_and_nothing_else() {
    let metrics = Metrics::somewhere();
    let _house = measured(metrics);
    let text = metrics.read().1;
    let served: BTreeSet<String> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)).collect();
    assert_eq!(names(&text), served, "every series has a type");
    let rows = repository("docs/telemetry.md");
    let rows: String = rows.lines().filter(|line| line.starts_with("| `casemate_")).collect::<Vec<_>>().join("\n");
    assert_eq!(names(&rows), served);
    let helps = text.lines().filter(|line| line.starts_with("# HELP ")).count();
    assert_eq!(helps, served.len(), "each says what it is");
}

#[test]
fn the_dashboard_asks_for_every_metric_and_for_no_other() {
    let metrics = Metrics::somewhere();
    let _house = measured(metrics);
    let served = names(&metrics.read().1);
    let text = repository("docs/grafana/casemate.json");
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let asked: BTreeSet<String> = expressions(&dashboard).iter().flat_map(|expression| names(expression)).collect();
    assert_eq!(asked, served);
    // Importable anywhere: the data source is asked for, and no panel has another's.
    assert!(dashboard["id"].is_null() && dashboard["uid"] == "casemate", "{}", dashboard["uid"]);
    let sources: BTreeSet<String> = sources(&dashboard["panels"]).into_iter().collect();
    assert_eq!(sources.into_iter().collect::<Vec<_>>(), ["${datasource}"]);
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
}

/// Every query in it.
fn expressions(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("expr").or_else(|| map.get("query")).and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(expressions)).collect()
        }
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

fn sources(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("datasource").and_then(|source| source["uid"].as_str()).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(sources)).collect()
        }
        Value::Array(items) => items.iter().flat_map(sources).collect(),
        _ => Vec::new(),
    }
}
