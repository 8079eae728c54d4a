//! Files, by their hash.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::{FileHash, Md5, Sha1, Sha256},
    path,
    tolerant::{Few, Number, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope},
    verdict::{Detection, Detections, Stats, Verdict, detection_lines},
};

/// Arguments of `file_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The file's MD5, SHA-1 or SHA-256 hash in hexadecimal
    hash: FileHash,
}

/// What VirusTotal knows about a file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    verdict: Verdict,
    /// SHA-256 of the file
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha1: Option<Sha1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<Md5>,
    /// The name and family that most engines agree on
    #[serde(skip_serializing_if = "Option::is_none")]
    threat: Option<String>,
    /// Names under which it was submitted, the usual one first
    names: Vec<String>,
    /// What kind of file it is
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Bytes
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_submitted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_submitted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_analysed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times_submitted: Option<u32>,
    /// What VirusTotal's community thinks; below zero is bad
    #[serde(skip_serializing_if = "Option::is_none")]
    reputation: Option<i64>,
    tags: Vec<String>,
    /// The first engines that object, by name
    detections: Vec<Detection>,
    /// The report for people
    link: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    sha256: Text<65>,
    sha1: Text<41>,
    md5: Text<33>,
    meaningful_name: Text<200>,
    names: Few<Text<200>, 10>,
    type_description: Text<80>,
    size: Number,
    first_submission_date: Number,
    last_submission_date: Number,
    last_analysis_date: Number,
    times_submitted: Number,
    reputation: Number,
    tags: Few<Text<60>, 20>,
    popular_threat_classification: Object<Classification>,
    last_analysis_stats: Object<Stats>,
    last_analysis_results: Detections,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Classification {
    suggested_threat_label: Text<120>,
}

pub(crate) fn report(Arguments { hash }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Envelope { data, .. } = api::get::<Attributes>(cx, path!("/api/v3/files/{}", hash), "file")?;
    let it = data.attributes.0;
    let sha256 = it.sha256.0.and_then(|text| text.parse::<Sha256>().ok());
    let mut names: Vec<String> = it.meaningful_name.0.into_iter().collect();
    names.extend(it.names.texts().into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    names.truncate(10);
    Ok(Report {
        verdict: it.last_analysis_stats.0.into(),
        link: link(sha256.as_ref().map_or(hash.as_str(), Sha256::as_str)),
        sha256,
        sha1: it.sha1.0.and_then(|text| text.parse().ok()),
        md5: it.md5.0.and_then(|text| text.parse().ok()),
        threat: it.popular_threat_classification.0.suggested_threat_label.0,
        names,
        kind: it.type_description.0,
        size: it.size.count(),
        first_submitted: it.first_submission_date.time(),
        last_submitted: it.last_submission_date.time(),
        last_analysed: it.last_analysis_date.time(),
        times_submitted: it.times_submitted.count(),
        reputation: it.reputation.0,
        tags: it.tags.texts(),
        detections: it.last_analysis_results.into_list(),
    })
}

/// Where people read about a file.
pub(crate) fn link(hash: &str) -> String {
    format!("https://www.virustotal.com/gui/file/{hash}")
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = self.verdict.line(self.last_analysed);
        if let Some(threat) = &self.threat {
            let _ = write!(text, "\nthreat: {threat}");
        }
        if !self.names.is_empty() {
            let _ = write!(text, "\nnames: {}", self.names.join(", "));
        }
        if let Some(kind) = &self.kind {
            let _ = write!(text, "\nkind: {kind}");
        }
        if let Some(size) = self.size {
            let _ = write!(text, "\nsize: {size} bytes");
        }
        if let Some(first) = self.first_submitted {
            let _ = write!(text, "\nfirst submitted: {first}");
        }
        if let Some(sha256) = &self.sha256 {
            let _ = write!(text, "\nsha256: {sha256}");
        }
        text.push_str(&detection_lines(&self.detections));
        let _ = write!(text, "\n{}", self.link);
        text
    }
}
