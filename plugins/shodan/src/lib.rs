//! Shodan: what is known of hosts on the Internet, without touching them.
//!
//! The tools are glue; each module holds one kind of question. Nothing here starts a scan, and only public names and addresses are asked
//! about.

mod api;
mod counts;
mod field;
mod hosts;
mod names;
mod plan;
mod searches;
mod service;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Show what Shodan knows of a public address: network, names, open ports, what answers there, and known vulnerabilities. The address
/// is looked up, and nothing is sent to it.
#[tool(effect = read, idempotent, title = "Shodan host")]
pub fn host(args: hosts::Arguments, cx: &Context) -> Result<hosts::Report, Failure> {
    hosts::report(args, cx)
}

/// Search Shodan's banners, such as product:nginx country:DE, 100 a page of which 50 are shown. A query with filters, and each page
/// after the first, costs a query credit; count costs none.
#[tool(effect = read, idempotent, title = "Shodan search")]
pub fn search(args: searches::Arguments, cx: &Context) -> Result<searches::Report, Failure> {
    searches::search(args, cx)
}

/// Count what a search would find, and its most frequent countries, organisations, ports or the like. It costs no query credit.
#[tool(effect = read, idempotent, title = "Shodan count")]
pub fn count(args: counts::Arguments, cx: &Context) -> Result<counts::Report, Failure> {
    counts::count(args, cx)
}

/// Look up the addresses of up to 20 public host names.
#[tool(effect = read, idempotent, title = "Shodan DNS lookup")]
pub fn dns_resolve(args: names::Names, cx: &Context) -> Result<names::Resolved, Failure> {
    names::resolve(args, cx)
}

/// Look up the host names of up to 20 public addresses.
#[tool(effect = read, idempotent, title = "Shodan reverse DNS lookup")]
pub fn dns_reverse(args: names::Addresses, cx: &Context) -> Result<names::Named, Failure> {
    names::reverse(args, cx)
}

/// Show the plan of the API key and how many query credits are left.
#[tool(effect = read, idempotent, title = "Shodan account")]
pub fn account(args: plan::Arguments, cx: &Context) -> Result<plan::Report, Failure> {
    plan::report(args, cx)
}

plugin!(host, search, count, dns_resolve, dns_reverse, account);
