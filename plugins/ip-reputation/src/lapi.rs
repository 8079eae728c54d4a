//! CrowdSec's local API: what is decided here about an address, and which alerts led to it.

use casemate_crowdsec::{Decision, Network, decisions, failure};
use casemate_plugin::{
    Context, Failure,
    field::IpAddress,
    path,
    tolerant::{Number, Object, Text},
};
use serde::Deserialize;

use crate::{
    report::{CATEGORIES, DECISIONS, EVENTS, Event, InForce, Reputation, Scan},
    source::{Depth, Source},
};

/// Read by a bouncer's key.
const DECIDED: &str = "crowdsec";
/// Read by a machine.
const HISTORY: &str = "crowdsec-history";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Alert {
    created_at: Text<40>,
    scenario: Text<120>,
    events_count: Number,
    source: Object<Whence>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Whence {
    as_name: Text<120>,
    cn: Text<2>,
    range: Text<49>,
}

pub(crate) fn look(ip: IpAddress, depth: Depth, has_machine: bool, cx: &Context) -> Result<Scan, Failure> {
    if depth.history() && !has_machine {
        return Err(Failure::invalid_arguments(
            "past alerts are not read here: the operator has not set `history`; call without include_history",
        ));
    }
    let answer = cx.upstream(DECIDED).get(path!("/v1/decisions")).query("ip", ip).send()?;
    let found = decisions(answer)?;
    if found.iter().any(|decision| !is_about(decision, ip)) {
        return Err(Failure::upstream("CrowdSec answered with decisions about another address than the one that was asked for"));
    }
    let reputation = if found.iter().any(|decision| decision.kind == "ban") {
        Reputation::Malicious
    } else if found.is_empty() {
        Reputation::Unknown
    } else {
        Reputation::Suspicious
    };
    let mut scan = Scan::new(ip, reputation, Source::Crowdsec);
    for Decision { id, origin, scenario, kind, value, left, .. } in found {
        if !scan.categories.contains(&scenario) && !scenario.is_empty() && scan.categories.len() < CATEGORIES {
            scan.categories.push(scenario.clone());
        }
        if scan.decisions.len() < DECISIONS {
            scan.decisions.push(InForce { id, kind, value, scenario, origin, seconds_left: left });
        }
    }
    if depth.history() {
        past(&mut scan, ip, cx)?;
    }
    Ok(scan)
}

/// An address is in what is decided about.
fn is_about(decision: &Decision, ip: IpAddress) -> bool {
    decision.network().is_some_and(|network| network.covers(Network::from(ip.address())))
}

fn past(scan: &mut Scan, ip: IpAddress, cx: &Context) -> Result<(), Failure> {
    let request = cx.upstream(HISTORY).get(path!("/v1/alerts")).query("ip", ip).query("limit", EVENTS);
    let answer = request.send()?;
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    // `null` where there are none.
    let alerts: Option<Vec<Object<Alert>>> = answer.json()?;
    for Object(alert) in alerts.unwrap_or_default() {
        let Whence { as_name, cn, range } = alert.source.0;
        if scan.facts.is_empty() {
            scan.fact("network", range.0);
            scan.fact("owner", as_name.0);
            scan.fact("country", cn.0);
        }
        let Some(at) = alert.created_at.0.filter(|_| scan.history.len() < EVENTS) else { continue };
        let what = alert.scenario.0.unwrap_or_else(|| "an alert without a name".to_owned());
        let events = alert.events_count.count().map(|count| format!(", {count} events")).unwrap_or_default();
        scan.history.push(Event { at, what: format!("{what}{events}"), note: None });
    }
    scan.history.sort_by(|a, b| b.at.cmp(&a.at));
    scan.last_seen = scan.history.first().map(|event| event.at.clone());
    Ok(())
}
