//! What refuses a plugin and what does not, and every folder that is no database.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    str::FromStr,
};

use casemate_sandbox::{dependencies_of, embed};
use rustsec::advisory::Severity;
use tempfile::TempDir;

use super::*;
use crate::config::Config;

const DAY: &str = "2026-06-30T12:00:00Z";
/// 9.8 critical, and 3.1 low.
const CRITICAL: &str = "cvss = \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"\n";
const LOW: &str = "cvss = \"CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N\"\n";

fn advisory(package: &str, number: u32, lines: &str) -> String {
    format!(
        "```toml\n[advisory]\nid = \"RUSTSEC-2026-{number:04}\"\npackage = \"{package}\"\ndate = \"2026-05-{number:02}\"\n{lines}\n\
         [versions]\npatched = [\">=1.2.4\", \">=1.1.9, <1.2.0\"]\nunaffected = [\"<1.0.0\"]\n```\n\n# {package} falls off\n\nIt does.\n"
    )
}

/// A database with these advisories: crate, number, lines of its head.
fn database(advisories: &[(&str, u32, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (package, number, lines) in advisories {
        write(&folder, package, &format!("RUSTSEC-2026-{number:04}.md"), &advisory(package, *number, lines));
    }
    folder
}

fn write(folder: &TempDir, package: &str, name: &str, text: &str) {
    let of_crate = folder.path().join("crates").join(package);
    fs::create_dir_all(&of_crate).unwrap();
    fs::write(of_crate.join(name), text).unwrap();
}

fn rules(folder: &TempDir, lines: &str) -> AdvisoryRules {
    let text = format!("environment = \"dev\"\n[advisories]\ndb = \"{}\"\n{lines}", folder.path().display());
    Config::parse(Path::new("casemate.toml"), &text).unwrap().advisories
}

/// A plugin made of one crate, and what builds it of another.
fn dependencies(leaf: &str) -> Dependencies {
    let list = auditable_serde::VersionInfo::from_str(&format!(
        r#"{{"packages":[{{"name":"leaf","version":"{leaf}","source":"crates.io"}},{{"name":"maker","version":"1.0.0","source":"git","kind":"build"}},
            {{"name":"plugin","version":"1.0.0","source":"local","dependencies":[0,1],"root":true}}]}}"#
    ));
    dependencies_of(&embed(b"\0asm\x0d\0\x01\0".to_vec(), &list.unwrap()).unwrap()).unwrap().unwrap()
}

fn plugin() -> PluginId {
    "acme/plugin".parse().unwrap()
}

/// What a database and rules come to for a plugin with this version of `leaf`.
fn admit(advisories: &[(&str, u32, &str)], lines: &str, leaf: &str) -> Result<Vec<String>, String> {
    let folder = database(advisories);
    let advisories = Advisories::open(rules(&folder, lines)).unwrap();
    let admitted = advisories.admit(&plugin(), Some(&dependencies(leaf)), DAY.parse().unwrap());
    admitted
        .map(|passed| passed.iter().map(|finding| format!("{} {}", finding.id, finding.verdict())).collect())
        .map_err(|error| error.to_string())
}

#[track_caller]
fn denied(result: Result<Vec<String>, String>, parts: &[&str]) {
    let error = result.err().unwrap_or_default();
    assert!(error.starts_with("vulnerable: ") && parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn only_versions_with_the_fault_are_refused() {
    let known = [("leaf", 1, CRITICAL)];
    for version in ["1.0.0", "1.1.8", "1.2.0", "1.2.3", "1.2.4-rc.1", "1.2.3+build"] {
        denied(
            admit(&known, "", version),
            &["RUSTSEC-2026-0001", "leaf falls off", "critical", ">=1.2.4 or >=1.1.9, <1.2.0", "help: "],
        );
    }
    for version in ["0.9.9", "1.1.9", "1.2.4", "2.0.0"] {
        assert_eq!(admit(&known, "", version), Ok(vec![]), "{version}");
    }
    assert_eq!(admit(&[("leaves", 1, CRITICAL)], "", "1.2.3"), Ok(vec![]));
}

#[test]
fn severity_decides_and_none_at_all_counts_as_the_worst() {
    let reported = Ok(vec!["RUSTSEC-2026-0001 reported".to_owned()]);
    for (deny, refused) in [("none", false), ("low", true), ("medium", false), ("high", false), ("critical", false)] {
        let result = admit(&[("leaf", 1, LOW)], &format!("deny = \"{deny}\""), "1.2.3");
        if refused { denied(result, &["(low)"]) } else { assert_eq!(result, reported, "{deny}") }
    }
    for deny in ["low", "medium", "high", "critical"] {
        denied(admit(&[("leaf", 1, "")], &format!("deny = \"{deny}\""), "1.2.3"), &["(unknown)"]);
        denied(admit(&[("leaf", 1, CRITICAL)], &format!("deny = \"{deny}\""), "1.2.3"), &["(critical)"]);
    }
    assert_eq!(admit(&[("leaf", 1, "")], "deny = \"none\"", "1.2.3"), reported);
}

#[test]
fn what_builds_a_plugin_counts_and_its_own_crate_does_not() {
    denied(admit(&[("maker", 1, CRITICAL)], "", "1.2.4"), &["maker 1.0.0"]);
    assert_eq!(admit(&[("plugin", 1, CRITICAL)], "", "1.2.4"), Ok(vec![]), "a plugin may have the name of somebody's crate");
}

#[test]
fn what_is_no_vulnerability_is_reported() {
    for kind in ["unmaintained", "unsound", "notice"] {
        let line = format!("informational = \"{kind}\"\n{CRITICAL}");
        assert_eq!(admit(&[("leaf", 1, &line)], "", "1.2.3"), Ok(vec!["RUSTSEC-2026-0001 reported".to_owned()]));
    }
    for platform in ["os = [\"windows\"]", "arch = [\"x86_64\"]", "os = [\"linux\", \"macos\"]\narch = [\"wasm32\"]"] {
        let line = format!("{CRITICAL}\n[affected]\n{platform}");
        assert_eq!(admit(&[("leaf", 1, &line)], "", "1.2.3"), Ok(vec!["RUSTSEC-2026-0001 reported".to_owned()]), "{platform}");
    }
    let here = format!("{CRITICAL}\n[affected]\nos = [\"windows\", \"wasi\"]\narch = [\"wasm32\"]");
    denied(admit(&[("leaf", 1, &here)], "", "1.2.3"), &["critical"]);
    assert_eq!(admit(&[("leaf", 1, "withdrawn = \"2026-06-01\"\n")], "", "1.2.3"), Ok(vec![]));
}

fn waiver(id: &str, plugin: &str, until: &str) -> String {
    format!("[[advisories.waiver]]\nid = \"{id}\"\nplugin = \"{plugin}\"\nuntil = \"{until}\"\nreason = \"never called\"\n")
}

#[test]
fn a_waiver_lets_one_advisory_pass_for_one_plugin_until_its_day_is_over() {
    let known = [("leaf", 1, CRITICAL), ("maker", 2, CRITICAL)];
    let one = waiver("RUSTSEC-2026-0001", "plugin", "2026-06-30");
    denied(admit(&known, &one, "1.2.3"), &["RUSTSEC-2026-0002"]);
    let both = format!("{one}{}", waiver("RUSTSEC-2026-0002", "plugin", "2026-07-01"));
    let passed = admit(&known, &both, "1.2.3").unwrap();
    assert_eq!(passed[0], "RUSTSEC-2026-0001 waived until 2026-06-30: never called");
    denied(admit(&known[..1], &waiver("RUSTSEC-2026-0001", "other", "2026-12-31"), "1.2.3"), &["RUSTSEC-2026-0001"]);
    denied(admit(&known[..1], &waiver("RUSTSEC-2026-0002", "plugin", "2026-12-31"), "1.2.3"), &["RUSTSEC-2026-0001"]);
    let ended = waiver("RUSTSEC-2026-0001", "plugin", "2026-06-29");
    denied(admit(&known[..1], &ended, "1.2.3"), &["its waiver ended with 2026-06-29"]);
    assert!(admit(&known[..1], &format!("{one}{ended}"), "1.2.3").is_ok(), "the later of two counts");
}

#[test]
fn waivers_that_do_nothing_are_named() {
    let folder = database(&[("leaf", 1, CRITICAL)]);
    let lines = [("RUSTSEC-2026-0001", "2026-12-31"), ("RUSTSEC-2026-0001", "2026-01-01"), ("RUSTSEC-2026-0009", "2026-12-31")]
        .map(|(id, until)| waiver(id, "plugin", until))
        .concat();
    let (advisories, now) = (Advisories::open(rules(&folder, &lines)).unwrap(), DAY.parse().unwrap());
    let found = advisories.admit(&plugin(), Some(&dependencies("1.2.3")), now).unwrap();
    let found: Vec<(PluginId, Finding)> = found.into_iter().map(|finding| (plugin(), finding)).collect();
    let idle: Vec<(&str, bool)> =
        advisories.idle(&found, now).map(|(waiver, ended)| (waiver.value.until.as_str(), ended)).collect();
    assert_eq!(idle, [("2026-01-01", true), ("2026-12-31", false)]);
}

#[test]
fn a_plugin_that_lists_nothing_is_refused_where_it_has_to() {
    let folder = database(&[("leaf", 1, CRITICAL)]);
    let now = DAY.parse().unwrap();
    let admit = |lines: &str| {
        Advisories::open(rules(&folder, lines)).unwrap().admit(&plugin(), None, now).map_err(|error| error.to_string())
    };
    assert!(admit("").is_err_and(|error| error.starts_with("sbom-required: `acme/plugin`")));
    assert_eq!(admit("require_sbom = false"), Ok(vec![]));
    let nothing = Advisories::open(AdvisoryRules::default()).unwrap();
    assert!(nothing.admit(&plugin(), None, now).is_ok(), "nothing is demanded where nothing is configured");
}

#[track_caller]
fn no_database(folder: &Path, part: &str) {
    let error = Database::read(folder).map(|database| database.count()).map_err(|error| error.to_string());
    assert!(error.as_ref().is_err_and(|error| error.contains(part)), "{error:?} is not `{part}`");
}

#[test]
fn a_whole_database_says_how_new_it_is() {
    let folder = database(&[("leaf", 1, CRITICAL), ("leaf", 2, ""), ("maker", 3, "")]);
    fs::write(folder.path().join("README.md"), "not looked at").unwrap();
    fs::write(folder.path().join("crates/.keep"), "nor this").unwrap();
    let database = Database::read(folder.path()).unwrap();
    assert_eq!((database.count(), database.newest()), (3, "2026-05-03"));
    assert_eq!(database.on("leaf", &semver::Version::new(1, 2, 3)).map(|known| known.severity).collect::<Vec<_>>().len(), 2);
    assert!(database.on("leaf", &semver::Version::new(1, 2, 3)).any(|known| known.severity == Some(Severity::Critical)));
}

#[test]
fn half_a_database_is_none() {
    no_database(&PathBuf::from("/nonexistent"), "cannot be read");
    let empty = tempfile::tempdir().unwrap();
    no_database(empty.path(), "cannot be read");
    fs::create_dir(empty.path().join("crates")).unwrap();
    no_database(empty.path(), "there are no advisories");
    fs::create_dir(empty.path().join("crates/leaf")).unwrap();
    no_database(empty.path(), "there are no advisories");
    let whole = advisory("leaf", 1, CRITICAL);
    let kept = |name: &str, text: &str| {
        let folder = database(&[("maker", 3, "")]);
        write(&folder, "leaf", name, text);
        folder
    };
    assert!(Database::read(kept("RUSTSEC-2026-0001.md", &whole).path()).is_ok());
    for (name, text, part) in [
        ("RUSTSEC-2026-0002.md", whole.as_str(), "it is `RUSTSEC-2026-0001` on `leaf`"),
        ("RUSTSEC-2026-0001.txt", &whole, "it is `RUSTSEC-2026-0001` on `leaf`"),
        ("RUSTSEC-2026-0001.md", &whole.replace("\"leaf\"", "\"leaves\""), "on `leaves`"),
        ("RUSTSEC-2026-0001.md", "", "does not begin"),
        ("RUSTSEC-2026-0001.md", "äöüäöüäöüäöüäöüäöüäöü", "does not begin"),
        ("RUSTSEC-2026-0001.md", &whole[..60], "is no advisory"),
        ("RUSTSEC-2026-0001.md", &whole.replace("patched = ", "mended = "), "is no advisory"),
        ("RUSTSEC-2026-0001.md", &whole.replace(">=1.2.4", ">=one"), "is no advisory"),
        ("RUSTSEC-2026-0001.md", &whole.replace("CVSS:3.1", "CVSS:9.9"), "is no advisory"),
        ("RUSTSEC-2026-0001.md", &whole.replace("# leaf", "leaf"), "is no advisory"),
        ("RUSTSEC-2026-0001.md", &format!("{whole}{}", " ".repeat(300 << 10)), "more than 256 KiB"),
    ] {
        no_database(kept(name, text).path(), part);
    }
    let linked = database(&[("maker", 3, "")]);
    symlink("/etc", linked.path().join("crates/etc")).unwrap();
    no_database(linked.path(), "it is not a folder");
    let linked = database(&[("maker", 3, "")]);
    symlink("/etc/hostname", linked.path().join("crates/maker/RUSTSEC-2026-0004.md")).unwrap();
    no_database(linked.path(), "it is not a regular file");
}
