//! The engines, and spreading a few written verdicts over all of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::catalog::Kind;

/// Engines that look at files.
const FILE_ENGINES: &[&str] = &[
    "Bkav",
    "Lionic",
    "Elastic",
    "MicroWorld-eScan",
    "CMC",
    "CAT-QuickHeal",
    "Skyhigh",
    "ALYac",
    "Malwarebytes",
    "Zillya",
    "Sangfor",
    "K7AntiVirus",
    "Alibaba",
    "K7GW",
    "Cybereason",
    "Arcabit",
    "Baidu",
    "VirIT",
    "Symantec",
    "tehtris",
    "ESET-NOD32",
    "APEX",
    "TrendMicro-HouseCall",
    "Paloalto",
    "ClamAV",
    "Kaspersky",
    "BitDefender",
    "NANO-Antivirus",
    "SUPERAntiSpyware",
    "Avast",
    "Rising",
    "Trustlook",
    "Emsisoft",
    "F-Secure",
    "DrWeb",
    "VIPRE",
    "TrendMicro",
    "McAfeeD",
    "Trapmine",
    "CTX",
    "Sophos",
    "Ikarus",
    "SentinelOne",
    "GData",
    "Jiangmin",
    "Webroot",
    "Google",
    "Avira",
    "Antiy-AVL",
    "Kingsoft",
    "Gridinsoft",
    "Xcitium",
    "ViRobot",
    "ZoneAlarm",
    "Microsoft",
    "Cynet",
    "AhnLab-V3",
    "Acronis",
    "McAfee",
    "TACHYON",
    "VBA32",
    "Cylance",
    "Panda",
    "Zoner",
    "Tencent",
    "Yandex",
    "MaxSecure",
    "Fortinet",
    "AVG",
    "DeepInstinct",
    "CrowdStrike",
    "alibabacloud",
];

/// Engines that look at URLs, domains and addresses.
const WEB_ENGINES: &[&str] = &[
    "Acronis",
    "0xSI_f33d",
    "Abusix",
    "ADMINUSLabs",
    "Axur",
    "AILabs (MONITORAPP)",
    "AlienVault",
    "alphaMountain.ai",
    "AlphaSOC",
    "Antiy-AVL",
    "ArcSight Threat Intelligence",
    "AutoShun",
    "benkow.cc",
    "Bfore.Ai PreCrime",
    "BitDefender",
    "Bkav",
    "Blueliv",
    "Certego",
    "Chong Lua Dao",
    "CINS Army",
    "CMC Threat Intelligence",
    "CRDF",
    "Criminal IP",
    "CSIS Security Group",
    "Snort IP sample list",
    "Cyan",
    "Cyble",
    "CyRadar",
    "desenmascara.me",
    "DNS8",
    "Dr.Web",
    "EmergingThreats",
    "Emsisoft",
    "Ermes",
    "ESET",
    "ESTsecurity",
    "Forcepoint ThreatSeeker",
    "Fortinet",
    "G-Data",
    "GCP Abuse Intelligence",
    "Google Safebrowsing",
    "GreenSnow",
    "Gridinsoft",
    "Heimdal Security",
    "Hunt.io Intelligence",
    "IPsum",
    "Juniper Networks",
    "K7AntiVirus",
    "Kaspersky",
    "Lionic",
    "Lumu",
    "MalwarePatrol",
    "MalwareURL",
    "Malwared",
    "Netcraft",
    "OpenPhish",
    "Phishing Database",
    "PhishFort",
    "PhishLabs",
    "Phishtank",
    "PREBYTES",
    "PrecisionSec",
    "Quick Heal",
    "Quttera",
    "Rising",
    "Sangfor",
    "Sansec eComscan",
    "Scantitan",
    "SCUMWARE.org",
    "Seclookup",
    "SecureBrain",
    "Segasec",
    "SOCRadar",
    "Sophos",
    "Spam404",
    "StopForumSpam",
    "Sucuri SiteCheck",
    "ThreatHive",
    "Threatsourcing",
    "Trustwave",
    "Underworld",
    "URLhaus",
    "URLQuery",
    "Viettel Threat Intelligence",
    "VIPRE",
    "ViriBack",
    "VX Vault",
    "Webroot",
    "Xcitium Verdict Cloud",
    "Yandex Safebrowsing",
    "ZeroCERT",
    "ZeroFox",
];

/// Verdicts as an object's file writes them: what most engines say, and by category those that differ, each with its label.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdicts {
    otherwise: Verdict,
    but: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    category: String,
    result: Option<String>,
}

/// Nothing found: the usual answer for what no engine has an opinion about.
pub(super) fn clean(kind: Kind) -> Verdicts {
    let (category, result) = match kind {
        Kind::File => ("undetected", None),
        _ => ("undetected", Some("unrated".to_owned())),
    };
    Verdicts { otherwise: Verdict { category: category.to_owned(), result }, but: BTreeMap::new() }
}

/// Every engine finds the same.
pub(super) fn all_malicious(label: &str) -> Verdicts {
    Verdicts { otherwise: Verdict { category: "malicious".into(), result: Some(label.into()) }, but: BTreeMap::new() }
}

/// Statistics with nothing in them: those of an analysis that has not finished.
pub(super) fn no_stats(kind: Kind) -> Value {
    Value::Object(categories(kind).iter().map(|category| ((*category).to_owned(), json!(0))).collect())
}

/// `last_analysis_stats` and `last_analysis_results`.
pub(super) fn spread(kind: Kind, verdicts: &Verdicts) -> (Value, Value) {
    let mut stats: BTreeMap<&str, u32> = categories(kind).iter().map(|category| (*category, 0)).collect();
    let mut results = Map::new();
    let engines = if kind == Kind::File { FILE_ENGINES } else { WEB_ENGINES };
    for (n, engine) in engines.iter().enumerate() {
        let other = verdicts.but.iter().find_map(|(category, engines)| Some((category, engines.get(*engine)?)));
        let (category, result) = other.unwrap_or((&verdicts.otherwise.category, &verdicts.otherwise.result));
        if let Some(count) = stats.get_mut(category.as_str()) {
            *count += 1;
        }
        let mut entry = json!({ "method": "blacklist", "engine_name": engine, "category": category, "result": result });
        if let Some(fields) = entry.as_object_mut().filter(|_| kind == Kind::File) {
            fields.insert("engine_version".into(), json!(format!("{}.{}.{}.0", 1 + n % 24, n * 7 % 100, n * 31 % 50)));
            fields.insert("engine_update".into(), json!("20250904"));
        }
        results.insert((*engine).to_owned(), entry);
    }
    let stats =
        categories(kind).iter().filter_map(|category| Some(((*category).to_owned(), json!(stats.get(category)?)))).collect();
    (Value::Object(stats), Value::Object(results))
}

/// In the order the service gives them.
fn categories(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::File => {
            &["malicious", "suspicious", "undetected", "harmless", "timeout", "confirmed-timeout", "failure", "type-unsupported"]
        }
        _ => &["malicious", "suspicious", "undetected", "harmless", "timeout"],
    }
}
