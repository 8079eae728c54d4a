//! Domains.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::DomainName,
    path,
    tolerant::{Entries, Few, Number, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope},
    disclosure,
    urls::categories,
    verdict::{Detection, Detections, Stats, Verdict, detection_lines},
};

/// Arguments of `domain_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A public domain, such as example.com; international ones in xn-- form
    domain: DomainName,
}

/// What VirusTotal knows about a domain.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    verdict: Verdict,
    domain: DomainName,
    #[serde(skip_serializing_if = "Option::is_none")]
    registrar: Option<String>,
    /// When it was registered
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    /// When its registration last changed
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<Timestamp>,
    /// What kind of site it is, each with who says so
    categories: Vec<String>,
    /// The last DNS records seen
    dns: Vec<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_analysed: Option<Timestamp>,
    /// What VirusTotal's community thinks; below zero is bad
    #[serde(skip_serializing_if = "Option::is_none")]
    reputation: Option<i64>,
    tags: Vec<String>,
    /// The first engines that object, by name
    detections: Vec<Detection>,
    /// The report for people
    link: String,
}

/// A DNS record.
#[derive(Debug, Serialize, JsonSchema)]
struct Record {
    /// Such as A, MX or TXT
    kind: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    registrar: Text<120>,
    creation_date: Number,
    last_update_date: Number,
    categories: Entries<Text<80>, 10>,
    last_dns_records: Few<Object<DnsRecord>, 20>,
    last_analysis_date: Number,
    reputation: Number,
    tags: Few<Text<60>, 20>,
    last_analysis_stats: Object<Stats>,
    last_analysis_results: Detections,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DnsRecord {
    r#type: Text<10>,
    value: Text<200>,
}

pub(crate) fn report(Arguments { domain }: Arguments, cx: &Context) -> Result<Report, Failure> {
    disclosure::domain(&domain, cx)?;
    let Envelope { data, .. } = api::get::<Attributes>(cx, path!("/api/v3/domains/{}", domain), "domain")?;
    let it = data.attributes.0;
    let record = |Object(record): Object<DnsRecord>| Some(Record { kind: record.r#type.0?, value: record.value.0? });
    Ok(Report {
        verdict: it.last_analysis_stats.0.into(),
        registrar: it.registrar.0,
        created: it.creation_date.time(),
        updated: it.last_update_date.time(),
        categories: categories(it.categories),
        dns: it.last_dns_records.0.into_iter().filter_map(record).collect(),
        last_analysed: it.last_analysis_date.time(),
        reputation: it.reputation.0,
        tags: it.tags.texts(),
        detections: it.last_analysis_results.into_list(),
        link: format!("https://www.virustotal.com/gui/domain/{domain}"),
        domain,
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = self.verdict.line(self.last_analysed);
        if let Some(registrar) = &self.registrar {
            let _ = write!(text, "\nregistrar: {registrar}");
        }
        if let Some(created) = self.created {
            let _ = write!(text, "\ncreated: {created}");
        }
        if !self.categories.is_empty() {
            let _ = write!(text, "\ncategories: {}", self.categories.join(", "));
        }
        for Record { kind, value } in self.dns.iter().take(5) {
            let _ = write!(text, "\ndns: {kind} {value}");
        }
        text.push_str(&detection_lines(&self.detections));
        let _ = write!(text, "\n{}", self.link);
        text
    }
}
