//! URLs.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::{HttpUrl, Sha256},
    path,
    tolerant::{Entries, Few, Number, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope},
    disclosure,
    verdict::{Detection, Detections, Stats, Verdict, detection_lines},
};

/// Arguments of `url_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The http or https URL, in ASCII (percent-encoded, hosts in xn-- form), without user name and password
    url: HttpUrl,
}

/// What VirusTotal knows about a URL.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    verdict: Verdict,
    /// The URL as VirusTotal keeps it
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Where it led when it was last analysed
    #[serde(skip_serializing_if = "Option::is_none")]
    final_url: Option<String>,
    /// Title of the page
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// HTTP status of the page
    #[serde(skip_serializing_if = "Option::is_none")]
    response_code: Option<u32>,
    /// What kind of site it is, each with who says so
    categories: Vec<String>,
    /// Names of the threat
    threats: Vec<String>,
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
    url: Text<2048>,
    last_final_url: Text<2048>,
    title: Text<200>,
    last_http_response_code: Number,
    categories: Entries<Text<80>, 10>,
    threat_names: Few<Text<80>, 10>,
    first_submission_date: Number,
    last_submission_date: Number,
    last_analysis_date: Number,
    times_submitted: Number,
    reputation: Number,
    tags: Few<Text<60>, 20>,
    last_analysis_stats: Object<Stats>,
    last_analysis_results: Detections,
}

pub(crate) fn report(Arguments { url }: Arguments, cx: &Context) -> Result<Report, Failure> {
    disclosure::url(&url, cx)?;
    // "URL identifiers", https://docs.virustotal.com/reference/url
    let id = URL_SAFE_NO_PAD.encode(url.as_str());
    let Envelope { data, .. } = api::get::<Attributes>(cx, path!("/api/v3/urls/{}", id), "URL")?;
    let known_id = data.id.0.and_then(|text| text.parse::<Sha256>().ok());
    let it = data.attributes.0;
    Ok(Report {
        verdict: it.last_analysis_stats.0.into(),
        url: it.url.0,
        final_url: it.last_final_url.0,
        title: it.title.0,
        response_code: it.last_http_response_code.count(),
        categories: categories(it.categories),
        threats: it.threat_names.texts(),
        first_submitted: it.first_submission_date.time(),
        last_submitted: it.last_submission_date.time(),
        last_analysed: it.last_analysis_date.time(),
        times_submitted: it.times_submitted.count(),
        reputation: it.reputation.0,
        tags: it.tags.texts(),
        detections: it.last_analysis_results.into_list(),
        link: link(known_id.as_ref().map_or(&id, |id| id.as_str())),
    })
}

/// Where people read about a URL.
pub(crate) fn link(id: &str) -> String {
    format!("https://www.virustotal.com/gui/url/{id}")
}

/// `phishing (Engine)` of each.
pub(crate) fn categories<const MAX: usize>(categories: Entries<Text<80>, MAX>) -> Vec<String> {
    categories.0.into_iter().filter_map(|(who, what)| what.0.map(|what| format!("{what} ({who})"))).collect()
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = self.verdict.line(self.last_analysed);
        for (name, value) in [("url", &self.url), ("leads to", &self.final_url), ("title", &self.title)] {
            if let Some(value) = value {
                let _ = write!(text, "\n{name}: {value}");
            }
        }
        for (name, list) in [("categories", &self.categories), ("threats", &self.threats)] {
            if !list.is_empty() {
                let _ = write!(text, "\n{name}: {}", list.join(", "));
            }
        }
        text.push_str(&detection_lines(&self.detections));
        let _ = write!(text, "\n{}", self.link);
        text
    }
}
