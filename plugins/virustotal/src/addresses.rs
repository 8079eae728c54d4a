//! IP addresses.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::IpAddress,
    path,
    tolerant::{Few, Number, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope},
    disclosure,
    verdict::{Detection, Detections, Stats, Verdict, detection_lines},
};

/// Arguments of `ip_report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A public IPv4 or IPv6 address
    ip: IpAddress,
}

/// What VirusTotal knows about an address.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    verdict: Verdict,
    ip: IpAddress,
    /// Who runs the network
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Number of the autonomous system
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    /// The network it is in
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// ISO 3166 code
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// The regional registry
    #[serde(skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    as_owner: Text<120>,
    asn: Number,
    network: Text<49>,
    country: Text<2>,
    regional_internet_registry: Text<20>,
    last_analysis_date: Number,
    reputation: Number,
    tags: Few<Text<60>, 20>,
    last_analysis_stats: Object<Stats>,
    last_analysis_results: Detections,
}

pub(crate) fn report(Arguments { ip }: Arguments, cx: &Context) -> Result<Report, Failure> {
    disclosure::address(ip)?;
    let Envelope { data, .. } = api::get::<Attributes>(cx, path!("/api/v3/ip_addresses/{}", ip), "address")?;
    let it = data.attributes.0;
    Ok(Report {
        verdict: it.last_analysis_stats.0.into(),
        ip,
        owner: it.as_owner.0,
        asn: it.asn.count(),
        network: it.network.0,
        country: it.country.0,
        registry: it.regional_internet_registry.0,
        last_analysed: it.last_analysis_date.time(),
        reputation: it.reputation.0,
        tags: it.tags.texts(),
        detections: it.last_analysis_results.into_list(),
        link: format!("https://www.virustotal.com/gui/ip-address/{ip}"),
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = self.verdict.line(self.last_analysed);
        if let Some(asn) = self.asn {
            let _ = write!(text, "\nnetwork: AS{asn} {}", self.owner.as_deref().unwrap_or_default());
        }
        if let Some(network) = &self.network {
            let _ = write!(text, "\nrange: {network}");
        }
        if let Some(country) = &self.country {
            let _ = write!(text, "\ncountry: {country}");
        }
        if let Some(reputation) = self.reputation {
            let _ = write!(text, "\nreputation: {reputation}");
        }
        text.push_str(&detection_lines(&self.detections));
        let _ = write!(text, "\n{}", self.link);
        text
    }
}
