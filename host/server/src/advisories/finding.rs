//! One advisory on one crate of a plugin, and what it comes to.

use std::{collections::BTreeSet, fmt};

use auditable_serde::{DependencyKind, Package};
use rustsec::advisory::Severity;
use serde_json::{Value, json};

use super::database::Advisory;

/// One advisory on one crate of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `RUSTSEC-2026-0001`
    pub id: String,
    /// The crate's name.
    pub package: String,
    /// The version that the plugin has.
    pub version: semver::Version,
    /// Whether it only built the plugin.
    pub build: bool,
    /// How bad it is, where the advisory says.
    pub severity: Option<Severity>,
    /// Why it is no vulnerability here: `unmaintained`, `unsound`, `notice`, `other platforms`.
    pub remark: Option<String>,
    /// The advisory's own words.
    pub title: String,
    /// Versions without the fault.
    pub patched: Vec<String>,
    /// What it comes to.
    pub standing: Standing,
}

/// What a finding comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It refuses the plugin.
    Denied {
        /// A waiver that has ended.
        waived_until: Option<String>,
    },
    /// The operator lets it pass for now.
    Waived {
        /// The last day, in UTC.
        until: String,
        /// Why.
        reason: String,
    },
    /// It is shown, and refuses nothing.
    Reported,
}

impl Finding {
    pub(super) fn new(package: &Package, advisory: &Advisory, standing: Standing) -> Self {
        Self {
            id: advisory.id.clone(),
            package: package.name.clone(),
            version: package.version.clone(),
            build: package.kind == DependencyKind::Build,
            severity: advisory.severity,
            remark: advisory.remark.clone(),
            title: advisory.title.clone(),
            patched: advisory.patched.clone(),
            standing,
        }
    }

    /// How bad, in a word: the severity, or why it is no vulnerability.
    pub fn weight(&self) -> &str {
        self.remark.as_deref().unwrap_or_else(|| severity_of(self.severity))
    }

    /// Which versions are without the fault, for a person.
    pub fn remedy(&self) -> String {
        if self.patched.is_empty() {
            "no version is patched".to_owned()
        } else {
            format!("patched in {}", self.patched.join(" or "))
        }
    }

    /// What it comes to, for a person.
    pub fn verdict(&self) -> String {
        match &self.standing {
            Standing::Denied { waived_until: None } => "denied".to_owned(),
            Standing::Denied { waived_until: Some(until) } => format!("denied: its waiver ended with {until}"),
            Standing::Waived { until, reason } => format!("waived until {until}: {reason}"),
            Standing::Reported => "reported".to_owned(),
        }
    }

    /// For programs, and for the audit log.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "advisory": self.id, "package": self.package, "version": self.version, "kind": if self.build { "build" } else { "runtime" },
            "severity": self.severity.map(Severity::as_str), "informational": self.remark, "title": self.title, "patched": self.patched,
        });
        let (verdict, until, reason) = match &self.standing {
            Standing::Denied { waived_until } => ("denied", waived_until.as_ref(), None),
            Standing::Waived { until, reason } => ("waived", Some(until), Some(reason)),
            Standing::Reported => ("reported", None, None),
        };
        if let Some(object) = value.as_object_mut() {
            object.insert("verdict".to_owned(), json!(verdict));
            object.extend(until.map(|until| ("waived_until".to_owned(), json!(until))));
            object.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
        }
        value
    }
}

/// What is known of a plugin and was let pass stands in the log beside it, until when, and why: one entry for each waiver, however many
/// versions of a crate the plugin lists.
pub(crate) fn waived<'a>(fields: &mut Value, findings: impl Iterator<Item = &'a Finding>) {
    let mut seen = BTreeSet::new();
    let waived: Vec<Value> = findings
        .filter(|finding| matches!(finding.standing, Standing::Waived { .. }) && seen.insert(&finding.id))
        .map(Finding::to_json)
        .collect();
    if let Some(fields) = fields.as_object_mut().filter(|_| !waived.is_empty()) {
        fields.insert("waived".to_owned(), waived.into());
    }
}

/// A severity in a word.
pub fn severity_of(severity: Option<Severity>) -> &'static str {
    severity.map_or("unknown", Severity::as_str)
}

/// `leaf 1.2.3 has RUSTSEC-2026-0001 (high): Leaf falls off (patched in >=1.2.4)`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, version, id, title, .. } = self;
        write!(f, "{package} {version} has {id} ({}): {title} ({})", self.weight(), self.remedy())?;
        match &self.standing {
            Standing::Denied { waived_until: Some(until) } => write!(f, ", its waiver ended with {until}"),
            _ => Ok(()),
        }
    }
}
