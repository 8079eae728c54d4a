//! Analyses, which submissions start.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::Sha256,
    path,
    tolerant::{Number, Object, Text},
    word,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope},
    files, urls,
    verdict::{Detection, Detections, Stats, Verdict, detection_lines},
};

word! {
    /// An analysis' id: base64 of a hash and a time for files, `u-…-…` for URLs.
    pub(crate) AnalysisId, "the id of an analysis: 1 to 128 letters, digits and _-=:", 1..=128, "^[A-Za-z0-9_=:-]{1,128}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-=:".contains(&byte)),
    str::to_owned
}

/// Arguments of `analysis`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that submit_file returned
    analysis_id: AnalysisId,
}

/// How far an analysis is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    status: Status,
    /// Final only when the status is completed
    verdict: Verdict,
    /// When it started
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    /// SHA-256 of the file, where it is one
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256>,
    /// Bytes of the file, where it is one
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
    /// The URL, where it is one
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The first engines that object, by name
    detections: Vec<Detection>,
    /// What was analysed, for people
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Queued,
    InProgress,
    Completed,
    /// VirusTotal said something else
    Unknown,
}

impl Status {
    fn read(text: Option<&str>) -> Self {
        match text {
            Some("queued") => Self::Queued,
            Some("in-progress") => Self::InProgress,
            Some("completed") => Self::Completed,
            _ => Self::Unknown,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Queued => "queued; ask again in a minute",
            Self::InProgress => "in progress; ask again in a minute",
            Self::Completed => "completed",
            Self::Unknown => "in a state that is not known",
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    status: Text<20>,
    date: Number,
    stats: Object<Stats>,
    results: Detections,
}

pub(crate) fn report(Arguments { analysis_id }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Envelope { data, meta } = api::get::<Attributes>(cx, path!("/api/v3/analyses/{}", analysis_id), "analysis")?;
    let it = data.attributes.0;
    let digest = |text: Text<64>| text.0.and_then(|text| text.parse::<Sha256>().ok());
    let (file, address) = (meta.0.file_info.0, meta.0.url_info.0);
    let (sha256, url_id) = (digest(file.sha256), digest(address.id));
    Ok(Report {
        status: Status::read(it.status.0.as_deref()),
        verdict: it.stats.0.into(),
        started: it.date.time(),
        size: file.size.count(),
        url: address.url.0,
        detections: it.results.into_list(),
        link: sha256.as_ref().map(|hash| files::link(hash.as_str())).or_else(|| url_id.map(|id| urls::link(id.as_str()))),
        sha256,
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("the analysis is {}", self.status.words());
        if self.status == Status::Completed {
            let _ = write!(text, "\n{}", self.verdict.line(self.started));
        }
        if let Some(sha256) = &self.sha256 {
            let _ = write!(text, "\nsha256: {sha256}");
        }
        if let Some(url) = &self.url {
            let _ = write!(text, "\nurl: {url}");
        }
        text.push_str(&detection_lines(&self.detections));
        if let Some(link) = &self.link {
            let _ = write!(text, "\n{link}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn analysis_ids() {
        casemate_plugin::testing::check_field::<AnalysisId>(
            &["NDRkODg2MTJmZWE4YThmMzZkZTgyZTEyNzhhYmIwMmY6MTcwMDAwMDAwMA==", "u-275a021b-1700000000", "a:b"],
            &["", "a/b", "a b", "..", "a?b", "é", &"x".repeat(129)],
            true,
        );
    }
}
