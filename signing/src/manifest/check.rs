//! The rules of the loader: what the fields of a manifest must obey together.
//!
//! The types already refuse unknown keys and malformed names. Here is everything that takes more than one field, or a
//! judgement, to decide. All findings are returned, so that an author fixes them in one go; one is enough to refuse.

mod contract;
mod credential;
mod established;
mod identity;
mod overlap;
mod picture;
mod place;
mod planned;
mod prompt;
mod rule;
mod tool;
mod upstream;

use std::collections::BTreeMap;

pub(crate) use contract::{FORM, JSON};
pub(crate) use picture::pictures;
pub use prompt::MAX_PROMPTS;
pub use rule::{PathFault, Rule, RuleError};

use super::{ContractName, DimensionName, Manifest, RequestContract, Requirement, UpstreamName, schema, text};

/// The largest component, in bytes.
pub const MAX_COMPONENT: u64 = 32 * 1024 * 1024;
/// Tools of one plugin; more than a model can choose between.
pub const MAX_TOOLS: usize = 128;
/// Request contracts of one upstream; overlap is looked for in every pair.
pub const MAX_CONTRACTS: usize = 256;
/// Characters of a served tool name (`^[a-zA-Z0-9_-]{1,64}$` is what every client accepts).
pub const MAX_SERVED_NAME: usize = 64;

/// The most any host gives, whatever a manifest asks for.
pub mod hard_cap {
    /// MiB of memory.
    pub const MEMORY_MIB: u64 = 1024;
    /// Ten minutes.
    pub const DEADLINE_MS: u64 = 600_000;
    /// Million units of fuel.
    pub const FUEL_MILLIONS: u64 = 1_000_000;
    /// KiB of output: 16 MiB.
    pub const OUTPUT_KIB: u64 = 16 * 1024;
    /// Requests in one call.
    pub const REQUESTS: u64 = 256;
    /// KiB of one request's body: 64 MiB.
    pub const REQUEST_KIB: u64 = 64 * 1024;
    /// KiB of one response: 64 MiB.
    pub const RESPONSE_KIB: u64 = 64 * 1024;
}

/// Characters of a tool's title.
const MAX_TITLE: usize = 100;
/// Characters of a line that describes something.
const MAX_LINE: usize = 300;
/// Characters of a tool's description.
const MAX_DESCRIPTION: usize = 2_000;

/// Check every rule.
pub fn check(manifest: &Manifest) -> Result<(), Vec<RuleError>> {
    let mut findings = Findings::default();
    identity::check(manifest, &mut findings);
    let contracts = upstream::check(manifest, &mut findings);
    tool::check(manifest, &contracts, &mut findings);
    prompt::check(manifest, &mut findings);
    picture::check(manifest, &mut findings);
    unused(manifest, &contracts, &mut findings);
    // Every other number has a bound of its own.
    exact("upstream", &serde_json::json!(manifest.upstream), &mut findings);
    exact("tool", &serde_json::json!(manifest.tool), &mut findings);
    exact("settings", &serde_json::json!(manifest.settings), &mut findings);
    if findings.errors.is_empty() { Ok(()) } else { Err(findings.errors) }
}

/// What has been found so far.
#[derive(Default)]
struct Findings {
    errors: Vec<RuleError>,
}

impl Findings {
    fn add(&mut self, at: impl Into<String>, rule: impl Into<Rule>) {
        self.errors.push(RuleError { at: at.into(), rule: rule.into() });
    }

    fn line(&mut self, at: impl Into<String>, line: &str, max: usize) {
        if let Err(error) = text::line(line, max) {
            self.add(at, error);
        }
    }
}

/// A contract, with where it stands.
struct Placed<'a> {
    at: String,
    contract: &'a RequestContract,
}

/// Every contract of the plugin by its name, which is unique in the plugin.
type Contracts<'a> = BTreeMap<&'a ContractName, Placed<'a>>;

/// The largest integer that canonical JSON (RFC 8785) writes as itself: above, two numbers have one digest.
const MAX_EXACT: u64 = (1 << 53) - 1;

/// What a person agrees to is a digest over canonical JSON, so every number has to have a digest of its own.
fn exact(at: &str, value: &serde_json::Value, findings: &mut Findings) {
    match value {
        serde_json::Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_some_and(|size| size > MAX_EXACT) {
                findings.add(at, Rule::InexactNumber(number.to_string()));
            }
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| exact(&format!("{at}[{number}]"), item, findings));
        }
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| exact(&format!("{at}.{name}"), field, findings))
        }
        _ => {}
    }
}

/// What is declared and used by nothing: an operator would be asked for it, or could grant it.
fn unused(manifest: &Manifest, contracts: &Contracts<'_>, findings: &mut Findings) {
    for (name, placed) in contracts {
        if !manifest.tool.values().any(|tool| tool.requests.contains(*name)) {
            findings.add(&placed.at, Rule::UnusedContract((*name).clone()));
        }
    }
    for name in manifest.scope.keys() {
        let in_contracts = contracts.values().any(|placed| placed.contract.dimensions().any(|dimension| dimension == name));
        if !in_contracts && !manifest.tool.values().any(|tool| tool.scope.contains_key(name)) {
            findings.add(format!("scope.{name}"), Rule::UnusedDimension(name.clone()));
        }
    }
    for name in manifest.secrets.keys() {
        let credentials = manifest.upstream.values().filter_map(|upstream| upstream.credential.as_ref());
        if !credentials.flat_map(|credential| credential.secrets()).any(|secret| secret == name) {
            findings.add(format!("secrets.{name}"), Rule::UnusedSecret(name.clone()));
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
