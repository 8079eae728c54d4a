//! A short name is one publisher's: another's plugin of that name gets nothing that was meant for the first, unless a person says so.

use std::{fs, path::PathBuf};

use casemate_signing::key::PrivateKey;

use crate::harness::{Guest, House, Package, Ran};

const NAME: &str = "empty-answer";

/// A house with `fortress/empty-answer` installed, and a second publisher who is trusted, with a plugin of the same short name.
struct Two {
    house: House,
    key: PrivateKey,
}

impl Two {
    fn new() -> Self {
        let house = House::new(&Guest::new("empty_answer"));
        house.install().done();
        let key = PrivateKey::generate().unwrap();
        let file = house.folder().join("mirage.pub");
        fs::write(&file, key.public_key().to_pem().unwrap()).unwrap();
        let (file, fingerprint) = (file.display().to_string(), key.public_key().fingerprint().to_string());
        house.casemate(&["trust", "add", "mirage", "--key", &file, "--fingerprint", &fingerprint, "--environment", "dev"]).done();
        Self { house, key }
    }

    /// The second publisher's package, of some release, in a file.
    fn offer(&self, number: i64) -> (PathBuf, Package) {
        let version = format!("0.{number}.0");
        let guest = Guest::new("empty_answer").with("plugin", "publisher", "mirage").with("plugin", "release", number);
        let package = guest.with("plugin", "version", version.as_str()).package(&self.key);
        let file = self.house.folder().join(format!("mirage/{NAME}-{version}.wasm"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &package.component).unwrap();
        fs::write(file.with_extension("wasm.sigstore.json"), &package.bundle).unwrap();
        (file, package)
    }

    fn install(&self, more: &[&str]) -> Ran {
        let (file, package) = self.offer(1);
        let (file, approve) = (file.display().to_string(), package.approval.to_string());
        self.house.casemate(&[&["install", &file, "--yes", "--approve", &approve], more].concat())
    }

    fn remove(&self) {
        self.house.casemate(&["remove", NAME]).done();
    }
}

#[test]
fn a_plugin_of_another_publisher_does_not_inherit_what_a_removed_one_had() {
    let two = Two::new();
    two.install(&[]).refused(&["name-taken: ", "which is installed"]);
    two.install(&["--replaces", "fortress/empty-answer"]).refused(&["name-taken: ", "casemate remove"]);
    two.remove();
    let ran = two.install(&[]).refused(&["name-taken: ", "fortress/empty-answer", "--replaces"]);
    // What it would get is told: section, secrets, grants.
    for part in ["[plugins.empty-answer] (", "`api_key`", "the grants `tester`"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
    }
    assert_eq!(two.install(&["--allow-similar"]).code, 2, "and another permission is not this one");
    let listed = two.house.casemate(&["list", "--format", "json"]).done();
    assert_eq!(listed.stdout.trim(), "[]");
    // Whoever had the name may have it back without a word.
    two.house.install().done();
}

#[test]
fn who_may_inherit_is_said_by_name_and_goes_on_record() {
    let two = Two::new();
    two.remove();
    let ran = two.install(&["--replaces", "mirage/empty-answer"]);
    assert!(ran.code == 3 && ran.stderr.contains("cannot take the place of"), "{ran:#?}");
    assert_eq!(two.install(&["--replaces", "fortress/other"]).code, 3);
    let ran = two.install(&["--replaces", "fortress/empty-answer"]).done();
    assert!(ran.stderr.contains("takes the place of `fortress/empty-answer`") && ran.stderr.contains("`api_key`"), "{ran:#?}");
    let records = two.house.audit();
    let record = records.iter().map(ToString::to_string).find(|record| record.contains("\"replaces\"")).unwrap();
    assert!(record.contains("plugin.installed") && record.contains("[\"fortress/empty-answer\"]"), "{record}");
    // It is that publisher's from now on: with every update, and against the one before.
    two.offer(2);
    two.house.casemate(&["update"]).done();
    two.remove();
    two.house.install().refused(&["name-taken: ", "mirage/empty-answer"]);
}

#[test]
fn what_was_agreed_to_does_not_come_back_with_an_old_lock_file_once_it_is_replaced() {
    let two = Two::new();
    let lock = two.house.folder().join("casemate.lock");
    let before = fs::read_to_string(&lock).unwrap();
    // Taken out of the lock file by hand: what was agreed to is still known.
    fs::write(&lock, "version = 1\n").unwrap();
    two.install(&[]).refused(&["name-taken: "]);
    two.install(&["--replaces", "fortress/empty-answer"]).done();
    fs::write(&lock, before).unwrap();
    let ran = two.house.casemate(&["lock", "--check"]);
    assert!(ran.code == 2 && ran.stdout.contains("not-approved: "), "{ran:#?}");
    // Nor with a lock file that names the other one, which nobody agreed to here.
    let other = Two::new();
    fs::copy(two.house.folder().join("trust.toml"), other.house.folder().join("trust.toml")).unwrap();
    let (file, package) = two.offer(1);
    let fresh = House::new(&Guest::new("empty_answer"));
    fs::copy(two.house.folder().join("trust.toml"), fresh.folder().join("trust.toml")).unwrap();
    let (file, approve) = (file.display().to_string(), package.approval.to_string());
    fresh.casemate(&["install", &file, "--yes", "--approve", &approve]).done();
    fs::copy(fresh.folder().join("casemate.lock"), other.house.folder().join("casemate.lock")).unwrap();
    for more in [&["--locked"][..], &[]] {
        other.house.casemate(&[&["install", &file, "--yes", "--approve", &approve], more].concat()).refused(&["name-taken: "]);
    }
    other.house.casemate(&["update", "--from", &file, NAME, "--yes", "--approve", &approve]).refused(&["name-taken: "]);
}
