//! What the operator decided about known vulnerabilities: which refuse a plugin, and which are let pass until when.

use std::path::{Path, PathBuf};

use casemate_policy::Timestamp;
use casemate_signing::manifest::{PluginId, PluginName};
use rustsec::advisory::{Id, Severity};

use super::{Located, Resolver, file};

/// Characters of a waiver's reason.
const MAX_REASON: usize = 300;

/// `[advisories]`, resolved.
#[derive(Debug, Clone, Default)]
pub struct AdvisoryRules {
    /// The folder of the database.
    pub db: Option<PathBuf>,
    /// From which severity on a vulnerability refuses a plugin; `None` only reports.
    pub deny: Option<Severity>,
    /// Whether a plugin that does not list its dependencies is refused.
    pub require_sbom: bool,
    /// What is let pass.
    pub waivers: Vec<Located<Waiver>>,
}

/// One advisory that does not refuse one plugin, for a time.
#[derive(Debug, Clone)]
pub struct Waiver {
    /// `RUSTSEC-2026-0001`
    pub id: String,
    /// The plugin's short name.
    pub plugin: PluginName,
    /// The last day, in UTC, as it was written.
    pub until: String,
    /// The last millisecond of that day.
    pub ends: Timestamp,
    /// Why; goes on record whenever it lets something pass.
    pub reason: String,
}

impl Waiver {
    /// Whether it still counts.
    pub fn holds(&self, now: Timestamp) -> bool {
        now <= self.ends
    }

    /// Whether it is about this advisory in this plugin.
    pub fn is_for(&self, plugin: &PluginId, id: &str) -> bool {
        self.plugin == plugin.name && self.id == id
    }
}

impl Resolver<'_> {
    pub(super) fn advisories(&mut self, file: file::Advisories) -> AdvisoryRules {
        let db = file.db.map(|folder| self.path.parent().unwrap_or(Path::new("")).join(folder));
        let unused = file.deny.as_ref().map(toml::Spanned::span).or_else(|| file.waiver.first().map(|waiver| waiver.id.span()));
        if let (None, Some(span)) = (&db, unused) {
            self.faults.push(format!(
                "{}: there is no advisory database to look anything up in\nhelp: under [advisories], db = \"FOLDER\" names a copy of https://github.com/rustsec/advisory-db",
                self.place(span)
            ));
        }
        AdvisoryRules {
            deny: file.deny.map_or(Some(Severity::Low), |deny| severity(deny.into_inner())),
            // Where there is a database, a plugin that says nothing would pass it unseen.
            require_sbom: file.require_sbom.unwrap_or(db.is_some()),
            waivers: file.waiver.into_iter().filter_map(|waiver| self.waiver(waiver)).collect(),
            db,
        }
    }

    fn waiver(&mut self, file: file::Waiver) -> Option<Located<Waiver>> {
        let place = self.place(file.id.span());
        let id: Option<Id> = self.form_of(&file.id, "an advisory", "write it as RUSTSEC-2026-0001");
        if id.as_ref().is_some_and(|id| !id.is_rustsec()) {
            self.faults.push(format!("{place}: `{}` is not an advisory\nhelp: write it as RUSTSEC-2026-0001", file.id.get_ref()));
        }
        let plugin: Option<PluginName> = self.form(&file.plugin);
        let day = toml::Spanned::new(file.until.span(), format!("{}T23:59:59.999Z", file.until.get_ref()));
        let ends: Option<Timestamp> = day.get_ref().parse().ok();
        if ends.is_none() {
            self.faults.push(format!(
                "{}: `{}` is not a day\nhelp: write it as 2026-12-31; the waiver holds to its end, in UTC",
                self.place(day.span()),
                file.until.get_ref()
            ));
        }
        let reason = file.reason.get_ref().trim();
        if reason.is_empty() || reason.chars().count() > MAX_REASON {
            self.faults.push(format!(
                "{}: a waiver's reason has 1 to {MAX_REASON} characters\nhelp: say why the fault does no harm here; it goes on record",
                self.place(file.reason.span())
            ));
        }
        let waiver = Waiver {
            id: id?.as_str().to_owned(),
            plugin: plugin?,
            until: file.until.into_inner(),
            ends: ends?,
            reason: reason.to_owned(),
        };
        Some(Located::new(place, waiver))
    }
}

fn severity(deny: file::Deny) -> Option<Severity> {
    match deny {
        file::Deny::None => None,
        file::Deny::Low => Some(Severity::Low),
        file::Deny::Medium => Some(Severity::Medium),
        file::Deny::High => Some(Severity::High),
        file::Deny::Critical => Some(Severity::Critical),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::Config;

    const WAIVER: &str = "[[advisories.waiver]]\nid = \"RUSTSEC-2026-0001\"\nplugin = \"caldera\"\nuntil = \"2026-12-31\"\nreason = \"never called\"\n";

    fn parse(text: &str) -> Result<AdvisoryRules, String> {
        Config::parse(Path::new("/etc/casemate.toml"), &format!("environment = \"dev\"\n{text}"))
            .map(|config| config.advisories)
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(text: &str, expected: &[&str]) {
        let error = parse(text).err().unwrap_or_default();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    }

    #[test]
    fn a_database_makes_the_rest_strict_unless_it_says_otherwise() {
        let rules = parse("[advisories]\ndb = \"db\"").unwrap();
        assert_eq!(rules.db.as_deref(), Some(Path::new("/etc/db")), "beside the configuration");
        assert_eq!((rules.deny, rules.require_sbom), (Some(Severity::Low), true));
        let rules = parse("[advisories]\ndb = \"/db\"\ndeny = \"none\"\nrequire_sbom = false").unwrap();
        assert_eq!((rules.deny, rules.require_sbom), (None, false));
        assert!(!parse("").unwrap().require_sbom);
        assert!(parse("[advisories]\nrequire_sbom = true").unwrap().require_sbom, "a list can be demanded without a database");
    }

    #[test]
    fn what_would_decide_nothing_is_refused() {
        refused("[advisories]\ndeny = \"high\"", &["casemate.toml:3", "no advisory database", "help"]);
        refused(WAIVER, &["casemate.toml:3", "no advisory database"]);
        refused("[advisories]\ndb = \"db\"\ndeny = \"severe\"", &["casemate.toml:4", "severe"]);
        refused("[advisories]\ndb = \"db\"\nseverity = \"high\"", &["casemate.toml:4", "unknown field"]);
    }

    #[test]
    fn a_waiver_holds_to_the_end_of_its_day() {
        let rules = parse(&format!("[advisories]\ndb = \"db\"\n{WAIVER}")).unwrap();
        let waiver = &rules.waivers[0].value;
        assert!(waiver.holds("2026-12-31T23:59:59.999Z".parse().unwrap()));
        assert!(!waiver.holds("2027-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_waiver_needs_all_four_words_in_their_form() {
        let with = |from: &str, to: &str| {
            assert!(WAIVER.contains(from));
            format!("[advisories]\ndb = \"db\"\n{}", WAIVER.replace(from, to))
        };
        for word in ["id", "plugin", "until", "reason"] {
            refused(&with(&format!("{word} ="), &format!("# {word} =")), &["missing field", word]);
        }
        refused(&with("RUSTSEC-2026-0001", "GHSA-1"), &["casemate.toml:5", "`GHSA-1`"]);
        refused(&with("RUSTSEC-2026-0001", "everything"), &["casemate.toml:5", "`everything`"]);
        refused(&with("\"caldera\"", "\"*\""), &["casemate.toml:6", "`*`"]);
        for day in ["2026-13-01", "2026-02-30", "forever", "", "2026-12-31T00:00:00Z", "31.12.2026"] {
            refused(&with("2026-12-31", day), &["casemate.toml:7", "is not a day"]);
        }
        refused(&with("never called", " "), &["casemate.toml:8", "reason"]);
        refused(&with("reason =", "because ="), &["because"]);
    }
}
