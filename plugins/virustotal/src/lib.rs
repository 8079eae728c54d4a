//! VirusTotal: what seventy engines think of a file, a URL, an address or a domain.
//!
//! The tools are glue; each module holds one kind of object: its arguments, its report, and how the one becomes the
//! other. What leaves the organisation is decided in [`disclosure`].

mod addresses;
mod analyses;
mod api;
mod disclosure;
mod domains;
mod files;
mod submission;
mod urls;
mod verdict;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Look up what VirusTotal knows about a file by its MD5, SHA-1 or SHA-256 hash: how many engines call it malicious and
/// what they call it, its names, type, size and dates. Only the hash is sent, never a file.
#[tool(effect = read, idempotent, title = "VirusTotal file report")]
pub fn file_report(args: files::Arguments, cx: &Context) -> Result<files::Report, Failure> {
    files::report(args, cx)
}

/// Look up what VirusTotal knows about a URL: verdict counts, where it finally leads, its title, categories and dates.
/// The whole URL is sent to VirusTotal, so leave out tokens and personal data; URLs of private hosts are refused.
#[tool(effect = read, idempotent, title = "VirusTotal URL report")]
pub fn url_report(args: urls::Arguments, cx: &Context) -> Result<urls::Report, Failure> {
    urls::report(args, cx)
}

/// Look up what VirusTotal knows about a public IPv4 or IPv6 address: verdict counts, network, owner and country.
/// Private and reserved addresses are refused.
#[tool(effect = read, idempotent, title = "VirusTotal IP address report")]
pub fn ip_report(args: addresses::Arguments, cx: &Context) -> Result<addresses::Report, Failure> {
    addresses::report(args, cx)
}

/// Look up what VirusTotal knows about a public domain: verdict counts, registrar, dates, categories and the last DNS
/// records seen. Internal names are refused.
#[tool(effect = read, idempotent, title = "VirusTotal domain report")]
pub fn domain_report(args: domains::Arguments, cx: &Context) -> Result<domains::Report, Failure> {
    domains::report(args, cx)
}

/// See how far an analysis is that a submission started, and its verdict counts once it is completed.
#[tool(effect = read, idempotent, title = "VirusTotal analysis")]
pub fn analysis(args: analyses::Arguments, cx: &Context) -> Result<analyses::Report, Failure> {
    analyses::report(args, cx)
}

/// Submit a file of up to 4 MiB to VirusTotal for analysis. This publishes it: VirusTotal gives submitted files to its
/// partners and customers, and it cannot be taken back. Look its hash up with file_report first, and never submit a
/// confidential document. Returns the id of an analysis, which takes minutes.
#[tool(effect = write, title = "Submit a file to VirusTotal")]
pub fn submit_file(args: submission::Arguments, cx: &Context) -> Result<submission::Report, Failure> {
    submission::submit(args, cx)
}

plugin!(file_report, url_report, ip_report, domain_report, analysis, submit_file);
