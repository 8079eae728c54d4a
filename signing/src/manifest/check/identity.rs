//! Who the plugin is, what it is made of, and what it asks for beyond the defaults.

use url::Url;

use super::{Findings, MAX_COMPONENT, MAX_LINE, MAX_TOOLS, Manifest, Rule, hard_cap, schema};
use crate::digest::Digest;

/// The WIT package every plugin is built for.
const WIT_PACKAGE: &str = "casemate:plugin@";
/// Interfaces a component may import.
const MAX_IMPORTS: usize = 128;
/// Characters of a build tool's name with its version; `rustc --version` has some fifty.
const MAX_TOOL_NAME: usize = 100;
/// The greatest integer that every JSON reader keeps exactly (RFC 8259, section 6).
const MAX_RELEASE: u64 = (1 << 53) - 1;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let identity = &manifest.plugin;
    if identity.release == 0 {
        findings.add("plugin.release", Rule::ReleaseZero);
    }
    if identity.release > MAX_RELEASE {
        findings.add("plugin.release", Rule::ReleaseTooHigh { release: identity.release, max: MAX_RELEASE });
    }
    findings.line("plugin.description", &identity.description, MAX_LINE);
    if !is_license(&identity.license) {
        findings.add("plugin.license", Rule::License(shorten(&identity.license)));
    }
    let source =
        Url::parse(&identity.source).ok().filter(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty());
    if source.is_none() || identity.source.len() > MAX_LINE || identity.source.bytes().any(|b| !b.is_ascii_graphic()) {
        findings.add("plugin.source", Rule::Source(shorten(&identity.source)));
    }
    if manifest.wit.strip_prefix(WIT_PACKAGE).and_then(|version| semver::Version::parse(version).ok()).is_none() {
        findings.add("wit", Rule::Wit(shorten(&manifest.wit)));
    }
    if Digest::from_hex(&manifest.component.sha256).is_err() {
        findings.add("component.sha256", Rule::ComponentDigest);
    }
    if !(1..=MAX_COMPONENT).contains(&manifest.component.size) {
        findings.add("component.size", Rule::ComponentSize { size: manifest.component.size, max: MAX_COMPONENT });
    }
    if manifest.sbom.as_ref().is_some_and(|digest| Digest::from_hex(digest).is_err()) {
        findings.add("sbom", Rule::SbomDigest);
    }
    if let Some(build) = &manifest.build {
        findings.line("build.packer", &build.packer, MAX_TOOL_NAME);
        if let Some(rustc) = &build.rustc {
            findings.line("build.rustc", rustc, MAX_TOOL_NAME);
        }
    }
    for import in manifest.imports.iter().filter(|import| !is_interface(import)) {
        findings.add("imports", Rule::Import(shorten(import)));
    }
    if manifest.tool.is_empty() {
        findings.add("tool", Rule::NoTools);
    }
    for (what, count, max) in [("tools", manifest.tool.len(), MAX_TOOLS), ("imports", manifest.imports.len(), MAX_IMPORTS)] {
        if count > max {
            findings.add("", Rule::TooMany { what, count, max });
        }
    }
    limits(manifest, findings);
    described(manifest, findings);
    if let Some(settings) = &manifest.settings {
        for error in schema::settings(settings).err().unwrap_or_default() {
            findings.add("settings", Rule::Settings(error));
        }
    }
}

fn limits(manifest: &Manifest, findings: &mut Findings) {
    let limits = &manifest.limits;
    for (name, value, max) in [
        ("memory_mib", limits.memory_mib, hard_cap::MEMORY_MIB),
        ("deadline_ms", limits.deadline_ms, hard_cap::DEADLINE_MS),
        ("fuel_millions", limits.fuel_millions, hard_cap::FUEL_MILLIONS),
        ("output_kib", limits.output_kib, hard_cap::OUTPUT_KIB),
        ("requests", limits.requests, hard_cap::REQUESTS),
        ("request_kib", limits.request_kib, hard_cap::REQUEST_KIB),
        ("response_kib", limits.response_kib, hard_cap::RESPONSE_KIB),
    ] {
        match value {
            Some(0) => findings.add(format!("limits.{name}"), Rule::LimitZero(name)),
            Some(value) if value > max => findings.add(format!("limits.{name}"), Rule::LimitTooHigh { name, value, max }),
            _ => {}
        }
    }
}

/// Every declaration the operator is shown.
fn described(manifest: &Manifest, findings: &mut Findings) {
    for (name, secret) in &manifest.secrets {
        findings.line(format!("secrets.{name}"), &secret.description, MAX_LINE);
    }
    for (name, source) in &manifest.sources {
        findings.line(format!("sources.{name}"), &source.description, MAX_LINE);
    }
    let many = manifest.sources.values().filter(|source| source.many).count();
    if many > 1 {
        // Of which of them a name of the operator's is, nobody could say.
        findings.add("sources", Rule::TooMany { what: "sources with `many`", count: many, max: 1 });
    }
    for (name, dimension) in &manifest.scope {
        findings.line(format!("scope.{name}"), &dimension.description, MAX_LINE);
    }
}

/// The characters of an SPDX expression; which licences exist is not ours to know.
fn is_license(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '(')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+' | b'(' | b')' | b' ' | b':'))
}

/// `package:name/interface@version`
fn is_interface(text: &str) -> bool {
    let word = |text: &str| {
        (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let parts = || {
        let (package, rest) = text.split_once(':')?;
        let (name, rest) = rest.split_once('/')?;
        let (interface, version) = rest.split_once('@')?;
        Some(word(package) && word(name) && word(interface) && semver::Version::parse(version).is_ok())
    };
    parts().unwrap_or(false)
}

/// As much of a refused text as an error shows.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
