//! Blocking an address.

use casemate_crowdsec::{Decision, Network, failure};
use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, Whole},
    path,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use crate::{
    api::{self, BLOCK, NOT_IN_FORCE},
    field::Target,
    rules::{self, Settings},
};

/// Seconds that make no difference: what is left is less than what was asked for as soon as it is read.
const SLACK: i64 = 60;

/// Arguments of `create_firewall_block`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A public IPv4 or IPv6 address; a network, at most a /24 or a /48, only where the operator allows networks
    ip: Target,
    /// For how long, in minutes
    ttl_minutes: Whole<1, 240>,
    /// Why, for the people who will find the block
    reason: Line<200>,
}

/// A block that is in force.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The address or network
    ip: Target,
    /// CrowdSec's number of the block
    decision_id: i64,
    /// As CrowdSec counts them
    seconds_left: i64,
}

pub(crate) fn create(Arguments { ip, ttl_minutes, reason }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let settings: Settings = cx.settings()?;
    let target = ip.network().map_err(|error| Failure::invalid_arguments(error.to_string()))?;
    settings.allow(target)?;
    rules::allow_reason(reason.as_str())?;
    let asked = ttl_minutes.number() * 60;

    let before = api::blocks(cx)?;
    if let Some(left) = api::on(&before, target).filter_map(|it| it.left).max().filter(|left| *left >= asked - SLACK) {
        return Err(Failure::invalid_arguments(format!("`{ip}` is blocked already, for {left} seconds more; nothing was sent")));
    }
    if before.len() >= settings.max_active {
        let most = settings.max_active;
        return Err(Failure::invalid_arguments(format!(
            "{most} blocks are in force, and the operator allows no more at once (`max_active`): lift one with remove_firewall_block, or wait"
        ))
        .with_code("too-many-blocks"));
    }

    let request = cx.upstream(api::MACHINE).post(path!("/v1/alerts")).json(&alert(target, ttl_minutes.number(), reason.as_str()));
    // A list of numbers, of alerts and not of decisions: nothing in it is worth knowing.
    let said = BLOCK.send::<Vec<IgnoredAny>>(request, failure);
    match said {
        Err(refused) if refused.code() != Some("outcome-unknown") => Err(refused),
        said => {
            let after = api::blocks(cx);
            let new =
                |after: Vec<Decision>| api::on(&after, target).find(|it| !before.iter().any(|old| old.id == it.id)).cloned();
            match (said, after.map(new)) {
                // It is there, whatever was said.
                (_, Ok(Some(block))) => in_force(ip, &block, asked),
                (Err(unknown), _) => Err(unknown),
                (Ok(_), Err(_)) => Err(BLOCK.unknown("CrowdSec said yes, and then not what is in force")),
                (Ok(numbers), Ok(None)) => Err(not_there(&ip, numbers.is_empty())),
            }
        }
    }
}

/// One alert with one decision. There is no time in it, so that it is the same when a person has agreed to it.
fn alert(target: Network, minutes: i64, reason: &str) -> Value {
    let (value, scope) = (target.to_string(), if target.is_address() { "Ip" } else { "Range" });
    let why = format!("casemate: {reason}");
    json!([{
        "capacity": 0,
        "decisions": [{
            "duration": format!("{minutes}m"), "origin": api::ORIGIN, "scenario": why, "scope": scope, "type": "ban", "value": value,
        }],
        "events": [],
        "events_count": 1,
        "leakspeed": "0",
        "message": why,
        "scenario": why,
        "scenario_hash": "",
        "scenario_version": "",
        "simulated": false,
        "source": { "scope": scope, "value": value },
        "start_at": "now",
        "stop_at": "now",
    }])
}

fn in_force(ip: Target, block: &Decision, asked: i64) -> Result<Report, Failure> {
    match block.left {
        Some(seconds_left) if (asked - SLACK..=asked).contains(&seconds_left) => {
            Ok(Report { ip, decision_id: block.id, seconds_left })
        }
        left => {
            let left = left.map_or_else(|| "for a time that it does not say".to_owned(), |left| format!("for {left} seconds"));
            Err(Failure::upstream(format!(
                "`{ip}` is blocked, and not as asked: CrowdSec holds the block {left}, and {asked} were asked for; lift it with remove_firewall_block"
            ))
            .with_code("not-as-asked"))
        }
    }
}

/// CrowdSec said yes, and there is no block. It may have a list of its own of what it never blocks.
fn not_there(ip: &Target, took_nothing: bool) -> Failure {
    let why = if took_nothing {
        "it took no alert, so the address may be on its allowlist"
    } else {
        "it took the alert, and decided nothing"
    };
    Failure::upstream(format!("`{ip}` is not blocked: CrowdSec said yes and does not list the block; {why}"))
        .with_code(NOT_IN_FORCE)
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { ip, decision_id, seconds_left } = self;
        format!(
            "{ip} is blocked for {seconds_left} seconds (decision {decision_id}); bouncers take it when they next ask CrowdSec"
        )
    }
}
