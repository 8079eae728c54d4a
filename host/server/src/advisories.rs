//! Known vulnerabilities: the operator's folder of advisories, held against what a plugin says it is made of.
//!
//! Every crate in the list counts, wherever it came from and whatever it is for: a fork or a copy keeps a fault until its version says
//! otherwise, and what builds a plugin could have put something into it. The one exception is the plugin's own crate.

mod database;
mod finding;

use casemate_policy::Timestamp;
use casemate_sandbox::Dependencies;
use casemate_signing::manifest::PluginId;

pub use database::{Database, DatabaseError};
pub(crate) use finding::waived;
pub use finding::{Finding, Standing, severity_of};

use crate::config::{AdvisoryRules, Located, Waiver};

/// Why a plugin is refused for what it is made of.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Nothing can be looked up.
    #[error(
        "sbom-required: `{plugin}` does not list its dependencies, so nothing is known of their faults\nhelp: ask the publisher to pack it from its source, or set require_sbom = false under [advisories]"
    )]
    NoList {
        /// Which plugin.
        plugin: PluginId,
    },
    /// Something in it is known to be vulnerable.
    #[error(
        "vulnerable: `{plugin}` is made of what is known to be vulnerable: {}\nhelp: ask the publisher for a release without it; [[advisories.waiver]] takes an id, the plugin, a date and a reason",
        listed(.findings)
    )]
    Vulnerable {
        /// Which plugin.
        plugin: PluginId,
        /// What refuses it.
        findings: Vec<Finding>,
    },
}

/// Of more than this, a refusal shows only how many there are.
const SHOWN: usize = 5;

fn listed(findings: &[Finding]) -> String {
    let mut text = findings.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if findings.len() > SHOWN {
        text.push_str(&format!("; and {} more", findings.len() - SHOWN));
    }
    text
}

/// The database, read once, and the operator's rules about it.
pub struct Advisories {
    database: Option<Database>,
    rules: AdvisoryRules,
}

impl Advisories {
    /// Read the database that the rules name, if they name one.
    ///
    /// # Errors
    /// When it is not there, has nothing in it, or has anything in it that cannot be read: half a database would let through what the
    /// other half names.
    pub fn open(rules: AdvisoryRules) -> Result<Self, DatabaseError> {
        let database = rules.db.as_deref().map(Database::read).transpose()?;
        Ok(Self { database, rules })
    }

    /// The database, where there is one.
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Everything the database has on a plugin, and what it comes to.
    pub fn review(&self, plugin: &PluginId, dependencies: Option<&Dependencies>, now: Timestamp) -> Vec<Finding> {
        let (Some(database), Some(dependencies)) = (&self.database, dependencies) else { return Vec::new() };
        let mut findings: Vec<Finding> = dependencies
            .packages()
            .iter()
            .filter(|package| !package.root)
            .flat_map(|package| database.on(&package.name, &package.version).map(move |advisory| (package, advisory)))
            .map(|(package, advisory)| Finding::new(package, advisory, self.standing(plugin, advisory, now)))
            .collect();
        findings.sort_by(|a, b| (&a.package, &a.version, &a.id).cmp(&(&b.package, &b.version, &b.id)));
        // A list may name a crate more than once, and is as long as its publisher likes.
        findings.dedup_by(|a, b| (&a.package, &a.version, &a.id) == (&b.package, &b.version, &b.id));
        findings
    }

    /// Whether a plugin may be installed and loaded. What was found and lets it pass is handed back.
    ///
    /// # Errors
    /// When it must list its dependencies and does not, or one of them is known to be vulnerable and nobody waived that.
    pub fn admit(
        &self,
        plugin: &PluginId,
        dependencies: Option<&Dependencies>,
        now: Timestamp,
    ) -> Result<Vec<Finding>, AdmissionError> {
        if self.rules.require_sbom && dependencies.is_none() {
            return Err(AdmissionError::NoList { plugin: plugin.clone() });
        }
        let (denied, passed): (Vec<Finding>, Vec<Finding>) = self
            .review(plugin, dependencies, now)
            .into_iter()
            .partition(|finding| matches!(finding.standing, Standing::Denied { .. }));
        if denied.is_empty() { Ok(passed) } else { Err(AdmissionError::Vulnerable { plugin: plugin.clone(), findings: denied }) }
    }

    /// Waivers that let nothing pass: ended ones, and those that none of these findings needed.
    pub fn idle<'a>(
        &'a self,
        findings: &'a [(PluginId, Finding)],
        now: Timestamp,
    ) -> impl Iterator<Item = (&'a Located<Waiver>, bool)> {
        self.rules.waivers.iter().filter_map(move |waiver| {
            let ended = !waiver.value.holds(now);
            let used = findings.iter().any(|(plugin, finding)| {
                matches!(finding.standing, Standing::Waived { .. }) && waiver.value.is_for(plugin, &finding.id)
            });
            (ended || !used).then_some((waiver, ended))
        })
    }

    fn standing(&self, plugin: &PluginId, advisory: &database::Advisory, now: Timestamp) -> Standing {
        // An advisory without a severity could be of any: it counts as the worst.
        let counts = self.rules.deny.is_some_and(|deny| advisory.severity.is_none_or(|severity| severity >= deny));
        if advisory.remark.is_some() || !counts {
            return Standing::Reported;
        }
        let waivers =
            || self.rules.waivers.iter().map(|waiver| &waiver.value).filter(|waiver| waiver.is_for(plugin, &advisory.id));
        match waivers().max_by_key(|waiver| waiver.ends) {
            Some(waiver) if waiver.holds(now) => Standing::Waived { until: waiver.until.clone(), reason: waiver.reason.clone() },
            last => Standing::Denied { waived_until: last.map(|waiver| waiver.until.clone()) },
        }
    }
}

#[cfg(test)]
mod tests;
