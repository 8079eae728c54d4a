//! CrowdSec's CTI: what all CrowdSecs together know of an address. <https://docs.crowdsec.net/u/cti_api/taxonomy/cti_object>

use casemate_plugin::{
    Context, Failure, Response,
    field::IpAddress,
    path,
    tolerant::{Few, Number, Object, Text},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    report::{CATEGORIES, Event, Reputation, Scan},
    source::{Depth, Source},
};

const UPSTREAM: &str = "crowdsec-cti";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Smoke {
    ip: Text<45>,
    reputation: Text<20>,
    confidence: Text<20>,
    background_noise_score: Number,
    ip_range: Text<49>,
    ip_range_24_reputation: Text<20>,
    as_name: Text<120>,
    as_num: Number,
    reverse_dns: Text<253>,
    location: Object<Location>,
    behaviors: Few<Object<Named>, CATEGORIES>,
    classifications: Object<Classes>,
    cves: Few<Text<20>, 20>,
    history: Object<History>,
    scores: Object<Scores>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    country: Text<2>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Text<80>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Classes {
    classifications: Few<Object<Named>, CATEGORIES>,
    false_positives: Few<Object<Named>, CATEGORIES>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct History {
    first_seen: Text<40>,
    last_seen: Text<40>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scores {
    overall: Object<Score>,
}

/// Each from 0 to 5.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Score {
    total: Number,
}

pub(crate) fn look(ip: IpAddress, depth: Depth, cx: &Context) -> Result<Scan, Failure> {
    let answer = cx.upstream(UPSTREAM).get(path!("/v2/smoke/{}", ip)).send()?;
    // An address of which nobody has reported anything; some other server's page is no such word.
    if answer.status() == 404 && serde_json::from_slice::<IgnoredAny>(answer.bytes()).is_ok() {
        return Ok(Scan::new(ip, Reputation::Unknown, Source::CrowdsecCti));
    }
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    let Object(smoke): Object<Smoke> = answer.json()?;
    if smoke.ip.0.as_deref().and_then(|text| text.parse::<IpAddress>().ok()) != Some(ip) {
        return Err(Failure::upstream("CrowdSec's CTI answered with another address than the one that was asked for"));
    }
    let Classes { classifications, false_positives } = smoke.classifications.0;
    let innocent = names(false_positives);
    let mut scan = Scan::new(ip, reputation(smoke.reputation.0.as_deref(), !innocent.is_empty()), Source::CrowdsecCti);
    let History { first_seen, last_seen } = smoke.history.0;
    scan.categories = names(smoke.behaviors);
    scan.last_seen = last_seen.0.clone();
    scan.fact("possibly innocent, as one of", Some(innocent.join(", ")));
    scan.fact("confidence", smoke.confidence.0);
    scan.fact("score", smoke.scores.0.overall.0.total.count().map(|score| format!("{score} of 5")));
    scan.fact("background noise", smoke.background_noise_score.count().map(|score| format!("{score} of 10")));
    scan.fact("classes", Some(names(classifications).join(", ")));
    scan.fact("vulnerabilities it tries", Some(smoke.cves.texts().join(", ")));
    scan.fact("network", smoke.ip_range.0);
    scan.fact("its neighbours are", smoke.ip_range_24_reputation.0);
    scan.fact("owner", smoke.as_name.0);
    scan.fact("AS", smoke.as_num.count().filter(|number| *number > 0).map(|number| number.to_string()));
    scan.fact("country", smoke.location.0.country.0);
    scan.fact("name", smoke.reverse_dns.0);
    if depth.history() {
        let seen = [(last_seen.0, "last reported"), (first_seen.0, "first reported")];
        scan.history =
            seen.into_iter().filter_map(|(at, what)| Some(Event { at: at?, what: what.to_owned(), note: None })).collect();
    }
    Ok(scan)
}

/// In our words. What CrowdSec calls a false positive is, by its documentation, not to be taken for malicious.
fn reputation(said: Option<&str>, innocent: bool) -> Reputation {
    match said {
        Some("malicious") if innocent => Reputation::Suspicious,
        Some("malicious") => Reputation::Malicious,
        // `known` has been reported, and not by enough.
        Some("suspicious" | "known") => Reputation::Suspicious,
        Some("safe" | "benign") => Reputation::Clean,
        _ => Reputation::Unknown,
    }
}

fn names(named: Few<Object<Named>, CATEGORIES>) -> Vec<String> {
    named.0.into_iter().filter_map(|Object(named)| named.name.0).collect()
}

/// A status that is no success, in words.
fn failure(answer: &Response) -> Failure {
    match answer.status() {
        401 | 403 => Failure::unauthorized("CrowdSec's CTI refused the API key; the operator has to set a valid one"),
        400 => Failure::invalid_arguments("CrowdSec's CTI does not accept this address"),
        429 => Failure::rate_limited("the API key's requests are used up at CrowdSec's CTI"),
        500..=599 => Failure::unavailable(format!("CrowdSec's CTI is out of order (status {})", answer.status())),
        status => Failure::upstream(format!("CrowdSec's CTI answered with status {status}")),
    }
    .with_retry_after(answer.retry_after())
}
