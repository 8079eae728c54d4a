//! A change that is stopped halfway, by a crash or a power cut, leaves a house that the next run accepts or makes good.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Package};

const NAME: &str = "empty-answer";
/// A command is stopped so often, each time a little later.
const STOPS: u32 = 16;
const FAR: &str = "2099-01-01T00:00:00Z";

fn release(house: &House, number: i64) -> Package {
    let guest = Guest::new("empty_answer").with("plugin", "release", number).with("plugin", "version", format!("0.{number}.0"));
    // Each asks for something else, so that what was agreed to of one is not enough for another.
    house.sign(&guest.limit("requests", 20 + number))
}

fn offer(house: &House, number: i64) -> (PathBuf, Package) {
    let package = release(house, number);
    let file = house.folder().join(format!("downloads/{NAME}-0.{number}.0.wasm"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, &package.component).unwrap();
    fs::write(file.with_extension("wasm.sigstore.json"), &package.bundle).unwrap();
    (file, package)
}

fn install(house: &House, number: i64) {
    let (file, package) = offer(house, number);
    house.casemate(&["install", &file.display().to_string(), "--yes", "--approve", &package.approval.to_string()]).done();
}

/// The version that is installed. It would be loaded, as it stands there.
#[track_caller]
fn at(house: &House) -> String {
    let listed: Value = serde_json::from_str(&house.casemate(&["list", "--format", "json"]).done().stdout).unwrap();
    assert_eq!(listed[0]["status"], "verified", "{listed}");
    house.casemate(&["lock", "--check"]).done();
    listed[0]["version"].as_str().unwrap().to_owned()
}

/// Lock file, state, and the change of both that is under way.
fn files(house: &House) -> [PathBuf; 3] {
    ["casemate.lock", "state/dev/packages.state", ".pending"].map(|name| house.folder().join(name))
}

fn put(path: &Path, text: Option<&str>) {
    match text {
        Some(text) => fs::write(path, text).unwrap(),
        None => _ = fs::remove_file(path),
    }
}

#[test]
fn a_house_stopped_between_any_two_writes_is_whole() {
    let house = House::new(&Guest::new("empty_answer"));
    install(&house, 1);
    let [lock, state, pending] = files(&house);
    let before = [&lock, &state].map(|path| fs::read_to_string(path).unwrap());
    install(&house, 2);
    let after = [&lock, &state].map(|path| fs::read_to_string(path).unwrap());
    assert!(!pending.exists());
    let whole = json!({ "environment": "dev", "lock": after[0], "packages": after[1] }).to_string();
    let points = [
        // The files of the package are there, and nothing names them.
        (&before[0], &before[1], None, "0.1.0"),
        (&before[0], &before[1], Some(&whole), "0.2.0"),
        (&before[0], &after[1], Some(&whole), "0.2.0"),
        (&after[0], &after[1], Some(&whole), "0.2.0"),
        (&after[0], &after[1], None, "0.2.0"),
    ];
    for (number, (is_lock, is_state, is_pending, version)) in points.into_iter().enumerate() {
        put(&lock, Some(is_lock));
        put(&state, Some(is_state));
        put(&pending, is_pending.map(String::as_str));
        assert_eq!(at(&house), version, "point {number}");
        // The next change of anything finishes it.
        house.casemate(&["pin", NAME]).done();
        assert!(!pending.exists(), "point {number}");
        assert_eq!(at(&house), version, "point {number}");
    }
}

#[test]
fn a_change_that_is_killed_at_any_time_is_made_or_not() {
    let house = House::new(&Guest::new("empty_answer"));
    install(&house, 1);
    install(&house, 2);
    let approve = [1, 2].map(|number| release(&house, number).approval.to_string());
    let mut stopped = 0;
    for stop in 0..STOPS {
        let before = at(&house);
        let mut command = house.command();
        match before.as_str() {
            "0.2.0" => command.args(["rollback", NAME, "--reason", "a test", "--yes", "--approve", &approve[0]]),
            _ => {
                house.casemate(&["pin", "--off", NAME]).done();
                command.args(["update", "--yes", "--approve", &approve[1]])
            }
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(u64::from(stop) * 25));
        child.kill().unwrap();
        stopped += u32::from(!child.wait().unwrap().success());
        assert!(["0.1.0", "0.2.0"].contains(&at(&house).as_str()));
    }
    assert!(stopped > 0, "no command was stopped");
    house.casemate(&["audit", "verify"]).done();
}

/// What cannot be written now, as on a full disk: a folder stands where the file goes.
fn blocked(path: &Path, during: impl FnOnce()) {
    let kept = fs::read(path).ok();
    let _ = fs::remove_file(path);
    fs::create_dir_all(path).unwrap();
    during();
    fs::remove_dir(path).unwrap();
    if let Some(kept) = kept {
        fs::write(path, kept).unwrap();
    }
}

fn list(house: &House, previous: Option<&Path>) -> PathBuf {
    let out = house.folder().join(if previous.is_some() { "2.json" } else { "1.json" });
    let (key, shown) = (house.key_file().display().to_string(), out.display().to_string());
    let previous = previous.map(|path| path.display().to_string());
    let whose = previous.as_ref().map_or(["--publisher", "fortress"], |path| ["--previous", path]);
    house.casemate(&[&["revoke"], &whose[..], &["--expires", FAR, "--key", &key, "--out", &shown]].concat()).done();
    out
}

#[test]
fn a_list_is_there_before_older_ones_are_refused() {
    let house = House::new(&Guest::new("empty_answer"));
    install(&house, 1);
    let first = list(&house, None);
    let watched = house.folder().join("watched.json");
    fs::copy(&first, &watched).unwrap();
    house.casemate(&["trust", "revocations", "fortress", "--from", &watched.display().to_string()]).done();
    fs::copy(list(&house, Some(&first)), &watched).unwrap();
    let kept = house.folder().join("trust/revocations/fortress.json");
    // Stopped before the list is in its place: the one before is as good as it was.
    blocked(&kept, || assert_ne!(house.casemate(&["trust", "refresh"]).code, 0));
    at(&house);
    // Stopped after that: it counts, and the next look at it lets no older one come back.
    fs::copy(&watched, &kept).unwrap();
    at(&house);
    house.casemate(&["trust", "refresh"]).done();
    fs::copy(&first, &kept).unwrap();
    let listed = house.casemate(&["list"]).done();
    assert!(listed.stdout.contains("revocations-older"), "{listed:#?}");
}

#[test]
fn a_list_that_counts_already_is_not_taken_back_by_a_program_that_stopped() {
    let house = House::new(&Guest::new("empty_answer"));
    install(&house, 1);
    let first = list(&house, None);
    house.casemate(&["trust", "revocations", "fortress", "--from", &first.display().to_string()]).done();
    let next = list(&house, Some(&first));
    // It stopped before the mark was raised; no refresh comes, and a package is installed.
    let kept = house.folder().join("trust/revocations/fortress.json");
    fs::copy(&next, &kept).unwrap();
    install(&house, 2);
    fs::copy(&first, &kept).unwrap();
    let listed = house.casemate(&["list"]).done();
    assert!(listed.stdout.contains("revocations-older"), "{listed:#?}");
}
