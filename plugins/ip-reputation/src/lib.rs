//! Reputation of addresses: what one service, which the operator chose, knows of a public address.
//!
//! The tools are glue; each module holds one service. A service that knows nothing is no witness for anything: an address is clean only
//! where somebody vouches for it.

mod abuseipdb;
mod cti;
mod lapi;
mod report;
mod source;

use casemate_plugin::{Context, Failure, field::IpAddress, plugin, public, tool};
use schemars::JsonSchema;
use serde::Deserialize;

use report::{Check, Scan};
use source::{Depth, Settings, Source};

/// Arguments of `check_ip_reputation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// A public IPv4 or IPv6 address
    ip_address: IpAddress,
}

/// Arguments of `scan_ip_reputation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closer {
    /// A public IPv4 or IPv6 address
    ip_address: IpAddress,
    /// Whether to list what happened in the past, too; not where it is left out
    #[serde(default)]
    include_history: bool,
}

/// Say what the chosen service thinks of a public address: malicious, suspicious, clean or unknown, and why. Nothing is sent to the
/// address. Unknown means that the service knows nothing bad, not that there is nothing.
#[tool(effect = read, idempotent, title = "Reputation of an address")]
pub fn check_ip_reputation(args: Address, cx: &Context) -> Result<Check, Failure> {
    look(args.ip_address, Depth::Glance, cx).map(Check::from)
}

/// Show all that the chosen service knows of a public address: its reputation, scores, network and decisions in force; with
/// include_history, also what was reported of it. Nothing is sent to the address.
#[tool(effect = read, idempotent, title = "Everything known of an address")]
pub fn scan_ip_reputation(args: Closer, cx: &Context) -> Result<Scan, Failure> {
    look(args.ip_address, Depth::Whole { history: args.include_history }, cx)
}

fn look(ip: IpAddress, depth: Depth, cx: &Context) -> Result<Scan, Failure> {
    public::address(ip.address()).map_err(|why| {
        Failure::invalid_arguments(format!("`{ip}` is not asked about: it is {why}, and reputation is of the public Internet"))
    })?;
    let Settings { source, history } = cx.settings()?;
    match source {
        Source::Crowdsec => lapi::look(ip, depth, history, cx),
        Source::Abuseipdb => abuseipdb::look(ip, depth, cx),
        Source::CrowdsecCti => cti::look(ip, depth, cx),
    }
}

plugin!(check_ip_reputation, scan_ip_reputation);
