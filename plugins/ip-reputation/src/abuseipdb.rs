//! AbuseIPDB: what people report of an address. <https://docs.abuseipdb.com/#check-endpoint>

use casemate_plugin::{
    Context, Failure, Response,
    field::IpAddress,
    path,
    tolerant::{Few, Flag, Number, Object, Text},
};
use serde::Deserialize;

use crate::{
    report::{CATEGORIES, EVENTS, Event, Reputation, Scan},
    source::{Depth, Source},
};

const UPSTREAM: &str = "abuseipdb";

/// From this confidence on, which is a percentage, AbuseIPDB advises to block.
const MALICIOUS: u32 = 75;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    data: Object<Data>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data {
    ip_address: Text<45>,
    is_whitelisted: Flag,
    abuse_confidence_score: Number,
    country_code: Text<2>,
    usage_type: Text<80>,
    isp: Text<120>,
    domain: Text<120>,
    hostnames: Few<Text<253>, 10>,
    is_tor: Flag,
    total_reports: Number,
    num_distinct_users: Number,
    last_reported_at: Text<40>,
    reports: Few<Object<Reported>, EVENTS>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reported {
    reported_at: Text<40>,
    comment: Text<200>,
    categories: Few<Number, 10>,
}

pub(crate) fn look(ip: IpAddress, depth: Depth, cx: &Context) -> Result<Scan, Failure> {
    let request = cx.upstream(UPSTREAM).get(path!("/api/v2/check")).header("accept", "application/json");
    let request = request.query("ipAddress", ip);
    let request = match depth {
        Depth::Glance => request.query("maxAgeInDays", 90),
        // What it is reported for is said by the reports only.
        Depth::Whole { .. } => request.query("maxAgeInDays", 365).query("verbose", true),
    };
    let answer = request.send()?;
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    let Answer { data: Object(data) } = answer.json()?;
    if data.ip_address.0.as_deref().and_then(|text| text.parse::<IpAddress>().ok()) != Some(ip) {
        return Err(Failure::upstream("AbuseIPDB answered with another address than the one that was asked for"));
    }
    // A score and a count that are not there are not zero.
    let (Some(score), Some(reports)) = (data.abuse_confidence_score.count(), data.total_reports.count()) else {
        return Err(Failure::upstream("AbuseIPDB's answer lacks the score or the count of reports"));
    };
    let reputation = match score {
        _ if data.is_whitelisted.0 == Some(true) => Reputation::Clean,
        MALICIOUS.. => Reputation::Malicious,
        1.. => Reputation::Suspicious,
        0 => Reputation::Unknown,
    };
    let mut scan = Scan::new(ip, reputation, Source::Abuseipdb);
    scan.last_seen = data.last_reported_at.0;
    let reported = data.reports.0;
    let kinds = reported.iter().flat_map(|Object(report)| &report.categories.0);
    let kinds = kinds.filter_map(|number| number.count()).map(category);
    for kind in kinds.chain((data.is_tor.0 == Some(true)).then_some("Tor exit node")) {
        if !scan.categories.iter().any(|known| known == kind) && scan.categories.len() < CATEGORIES {
            scan.categories.push(kind.to_owned());
        }
    }
    scan.fact("confidence of abuse", Some(format!("{score} of 100")));
    let people = data.num_distinct_users.count().map(|people| format!(" by {people} reporters")).unwrap_or_default();
    scan.fact("reports", Some(format!("{reports}{people}")));
    scan.fact("vouched for", (data.is_whitelisted.0 == Some(true)).then(|| "it is on AbuseIPDB's whitelist".to_owned()));
    scan.fact("country", data.country_code.0);
    scan.fact("owner", data.isp.0);
    scan.fact("used for", data.usage_type.0);
    scan.fact("domain", data.domain.0);
    scan.fact("names", Some(data.hostnames.texts().join(", ")));
    if depth.history() {
        scan.history = reported.into_iter().filter_map(|Object(report)| report.event()).collect();
    }
    Ok(scan)
}

impl Reported {
    fn event(self) -> Option<Event> {
        let kinds: Vec<&str> = self.categories.0.into_iter().filter_map(Number::count).map(category).collect();
        let what = if kinds.is_empty() { "a report".to_owned() } else { kinds.join(", ") };
        Some(Event { at: self.reported_at.0?, what, note: self.comment.0 })
    }
}

/// The names of <https://www.abuseipdb.com/categories>.
fn category(number: u32) -> &'static str {
    match number {
        1 => "DNS compromise",
        2 => "DNS poisoning",
        3 => "fraudulent orders",
        4 => "DDoS attack",
        5 => "FTP brute force",
        6 => "ping of death",
        7 => "phishing",
        8 => "fraudulent VoIP",
        9 => "open proxy",
        10 => "web spam",
        11 => "email spam",
        12 => "blog spam",
        13 => "VPN address",
        14 => "port scan",
        15 => "hacking",
        16 => "SQL injection",
        17 => "spoofing",
        18 => "brute force",
        19 => "bad web bot",
        20 => "exploited host",
        21 => "web application attack",
        22 => "SSH",
        23 => "attack on IoT",
        _ => "another category",
    }
}

/// A status that is no success, in words. `{"errors": [{"detail": …}]}` is prose, and not for us to pass on.
fn failure(answer: &Response) -> Failure {
    match answer.status() {
        401 | 403 => Failure::unauthorized("AbuseIPDB refused the API key; the operator has to set a valid one"),
        422 => Failure::invalid_arguments("AbuseIPDB does not accept this address"),
        429 => Failure::rate_limited("the API key's requests of the day are used up at AbuseIPDB"),
        500..=599 => Failure::unavailable(format!("AbuseIPDB is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("AbuseIPDB answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}
