//! Verdicts: what the engines say, counted, and the first of those that object.

use std::{collections::BTreeMap, fmt::Write as _};

use casemate_plugin::{
    Timestamp,
    tolerant::{Number, Object, Take, Text, take},
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::MapAccess};

/// Engines that are named.
const DETECTIONS: usize = 20;

/// What the engines say, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Verdict {
    /// The worst that any engine says
    summary: Summary,
    /// Engines that call it malicious
    malicious: u32,
    /// Engines that call it suspicious
    suspicious: u32,
    /// Engines that call it harmless
    harmless: u32,
    /// Engines that found nothing
    undetected: u32,
    /// Engines that did not finish
    timeout: u32,
}

/// The worst that any engine says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Summary {
    /// At least one engine calls it malicious.
    Malicious,
    /// None calls it malicious, at least one suspicious.
    Suspicious,
    /// Engines looked at it, and none objects.
    Clean,
    /// No engine has looked at it.
    Unknown,
}

/// `last_analysis_stats` of an object, `stats` of an analysis.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Stats {
    malicious: Number,
    suspicious: Number,
    harmless: Number,
    undetected: Number,
    timeout: Number,
}

impl From<Stats> for Verdict {
    fn from(stats: Stats) -> Self {
        let count = |number: Number| number.count().unwrap_or_default();
        let (malicious, suspicious) = (count(stats.malicious), count(stats.suspicious));
        let (harmless, undetected) = (count(stats.harmless), count(stats.undetected));
        let summary = match (malicious, suspicious, harmless, undetected) {
            (1.., ..) => Summary::Malicious,
            (_, 1.., ..) => Summary::Suspicious,
            (_, _, 0, 0) => Summary::Unknown,
            _ => Summary::Clean,
        };
        Self { summary, malicious, suspicious, harmless, undetected, timeout: count(stats.timeout) }
    }
}

impl Verdict {
    /// `malicious: 61 of 70 engines call it malicious, 0 suspicious (analysed 2024-…)`
    pub(crate) fn line(&self, analysed: Option<Timestamp>) -> String {
        let Self { summary, malicious, suspicious, harmless, undetected, .. } = self;
        let total = u64::from(*malicious) + u64::from(*suspicious) + u64::from(*harmless) + u64::from(*undetected);
        let mut line = match summary {
            Summary::Unknown => return "unknown: no engine has looked at it".to_owned(),
            Summary::Clean => format!("clean: none of {total} engines objects"),
            Summary::Suspicious => format!("suspicious: {suspicious} of {total} engines call it suspicious, none malicious"),
            Summary::Malicious => format!("malicious: {malicious} of {total} engines call it malicious, {suspicious} suspicious"),
        };
        if let Some(analysed) = analysed {
            let _ = write!(line, " (analysed {analysed})");
        }
        line
    }
}

/// One engine that objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Detection {
    /// The engine
    engine: String,
    /// `malicious` or `suspicious`
    category: &'static str,
    /// What the engine calls it
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
}

/// `last_analysis_results`: of any number of engines, the first that object, by category and name.
#[derive(Debug, Default)]
pub(crate) struct Detections(BTreeMap<(&'static str, String), Option<String>>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Engine {
    category: Text<20>,
    result: Text<120>,
}

impl Detections {
    pub(crate) fn into_list(self) -> Vec<Detection> {
        self.0.into_iter().map(|((category, engine), result)| Detection { engine, category, result }).collect()
    }
}

impl<'de> Take<'de> for Detections {
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut found = BTreeMap::new();
        while let Some((Text(name), Object(engine))) = map.next_entry::<Text<60>, Object<Engine>>()? {
            let category = match engine.category.0.as_deref() {
                Some("malicious") => "malicious",
                Some("suspicious") => "suspicious",
                _ => continue,
            };
            found.insert((category, name.unwrap_or_default()), engine.result.0);
            if found.len() > DETECTIONS {
                found.pop_last();
            }
        }
        Ok(Self(found))
    }
}

impl<'de> Deserialize<'de> for Detections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

/// `engine: result` of each, for a text.
pub(crate) fn detection_lines(detections: &[Detection]) -> String {
    let mut text = String::new();
    for Detection { engine, category, result } in detections {
        let _ = write!(text, "\n- {engine}: {}", result.as_deref().unwrap_or(category));
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(stats: serde_json::Value) -> Summary {
        Verdict::from(serde_json::from_value::<Stats>(stats).unwrap()).summary
    }

    #[test]
    fn the_worst_counts() {
        assert_eq!(summary(json!({})), Summary::Unknown);
        assert_eq!(summary(json!({ "timeout": 9, "type-unsupported": 9 })), Summary::Unknown);
        assert_eq!(summary(json!({ "undetected": 70 })), Summary::Clean);
        assert_eq!(summary(json!({ "suspicious": 1, "harmless": 60 })), Summary::Suspicious);
        assert_eq!(summary(json!({ "malicious": 1, "suspicious": 1, "harmless": 60 })), Summary::Malicious);
        assert_eq!(summary(json!({ "malicious": "many", "harmless": -1, "undetected": null })), Summary::Unknown);
    }

    #[test]
    fn only_so_many_engines_are_named() {
        let engines: serde_json::Map<_, _> = (0..50_000)
            .map(|it| {
                (
                    format!("engine {it:05}"),
                    json!({ "category": if it % 2 == 0 { "suspicious" } else { "malicious" }, "result": "x" }),
                )
            })
            .collect();
        let list = serde_json::from_value::<Detections>(engines.into()).unwrap().into_list();
        assert_eq!(list.len(), DETECTIONS);
        assert!(list.iter().all(|it| it.category == "malicious"));
        assert_eq!(list.first().unwrap().engine, "engine 00001");
    }
}
