//! What a plugin is made of is what was signed, and what is known to be vulnerable is neither installed nor loaded.

use std::{fs, path::Path, process::Command};

use casemate_signing::Digest;
use serde_json::{Value, json};
use toml::toml;

use crate::harness::{Guest, House, LIST, Raw, list, zlib};

/// A version of each crate that nothing is known of.
const SOUND: (&str, &str) = ("1.2.4", "3.0.0");

fn guest() -> Guest {
    Guest::new("empty_answer")
}

/// A house with the database of `tests/advisory-db` beside its configuration.
fn watched(guest: &Guest) -> House {
    let house = House::new(guest).set("advisories.db", "db");
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("advisory-db");
    assert!(Command::new("cp").arg("-R").arg(database).arg(house.folder().join("db")).status().unwrap().success());
    house
}

fn waiver(house: House, id: &str, until: &str) -> House {
    let mut waiver = toml! {
        plugin = "empty-answer"
        reason = "names here have 64 characters at most"
    };
    waiver.insert("id".to_owned(), id.into());
    waiver.insert("until".to_owned(), until.into());
    house.set("advisories.waiver", vec![waiver])
}

/// What a fresh server answers to one call, and what it logs.
fn ping(house: &House) -> (Value, String) {
    let mut raw = Raw::initialized(house.command().arg("serve"));
    let answer = raw.ask(1, "tools/call", json!({ "name": house.served("ping"), "arguments": {} }));
    let remains = raw.stop();
    (answer["result"].clone(), String::from_utf8(remains.stderr).unwrap())
}

#[track_caller]
fn served(house: &House) {
    assert_eq!(ping(house).0["content"][0]["text"], "pong");
}

#[track_caller]
fn not_served(house: &House, parts: &[&str]) {
    let (answer, log) = ping(house);
    assert_eq!(answer["structuredContent"]["decision"], "denied", "{answer}");
    assert!(parts.iter().all(|part| log.contains(part)), "{log}");
}

#[test]
fn what_is_listed_and_stated_installs_and_is_shown() {
    let house = House::new(&guest().made_of(SOUND.0, SOUND.1));
    let file = house.package_file().display().to_string();
    let before = house.casemate(&["--format", "json", "sbom", &file]).done().stdout;
    assert!(!house.folder().join("casemate.lock").exists(), "looking at a file installs nothing");
    house.install().done();
    let after = house.casemate(&["--format", "json", "sbom", "empty-answer"]).done().stdout;
    assert_eq!(before, after);
    let document: Value = serde_json::from_str(&after).unwrap();
    let leaf = document["components"].as_array().unwrap().iter().find(|component| component["name"] == "leaf").unwrap();
    assert_eq!((&leaf["purl"], &leaf["scope"]), (&json!("pkg:cargo/leaf@1.2.4"), &json!("required")));
    assert_eq!(document["metadata"]["component"]["name"], "empty-answer");
    served(&house);
}

#[test]
fn packing_keeps_a_list_states_it_and_makes_none_up() {
    let ours = list(SOUND.0, SOUND.1);
    for (guest, stated) in
        [(guest().made_of(SOUND.0, SOUND.1), json!(Digest::of(ours.as_bytes()).to_hex())), (guest(), Value::Null)]
    {
        let (house, component) = (House::new(&guest), House::new(&guest).package().component.clone());
        let statement = pack(&house, &component).unwrap();
        assert_eq!(statement["predicate"]["sbom"], stated);
        assert!(statement["predicate"]["build"]["packer"].as_str().unwrap().starts_with("casemate "));
        assert_eq!(fs::read(house.folder().join("out/guest-0.1.0.wasm")).unwrap(), component);
    }
    let twice = guest().made_of(SOUND.0, SOUND.1).section(LIST, &zlib(ours.as_bytes()));
    let house = House::new(&twice);
    assert!(pack(&house, &house.package().component).unwrap_err().contains("more than one list"));
    let house = House::new(&guest().section("version", b"9.9.9"));
    assert!(pack(&house, &house.package().component).unwrap_err().contains("the component says `9.9.9` of its version"));
}

/// The statement that `casemate pack` makes of a component, or why it makes none.
fn pack(house: &House, component: &[u8]) -> Result<Value, String> {
    let folder = house.folder().join("plugin");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("plugin.toml"), include_str!("../guests/plugin.toml")).unwrap();
    fs::write(folder.join("guest.wasm"), component).unwrap();
    let path = |path: &Path| path.display().to_string();
    let out = house.folder().join("out");
    let ran = house.casemate(&["pack", &path(&folder), "--component", &path(&folder.join("guest.wasm")), "--out", &path(&out)]);
    match ran.code {
        0 => Ok(serde_json::from_slice(&fs::read(out.join("guest-0.1.0.wasm.statement.json")).unwrap()).unwrap()),
        _ => Err(ran.faulty(&["help: "]).stderr),
    }
}

#[test]
fn a_list_that_is_not_the_stated_one_is_refused() {
    let (ours, fewer) = (list(SOUND.0, SOUND.1), list(SOUND.0, "9.9.9"));
    let data = zlib(ours.as_bytes());
    for (guest, code) in [
        (guest().stating(&ours), "sbom-missing"),
        (guest().section(LIST, &data), "sbom-unstated"),
        (guest().section(LIST, &zlib(fewer.as_bytes())).stating(&ours), "sbom-differs"),
        (guest().section(LIST, &data).section(LIST, &data).stating(&ours), "sbom-repeated"),
        (guest().section(LIST, &data[..data.len() / 2]).stating(&ours), "sbom-unreadable"),
        (guest().section(LIST, ours.as_bytes()).stating(&ours), "sbom-unreadable"),
        (guest().section(LIST, &zlib(b"{\"packages\":[]}")).stating("{\"packages\":[]}"), "sbom-unreadable"),
        (guest().section(LIST, &zlib(&vec![b' '; 128 << 20])).stating(&ours), "sbom-too-large"),
        (guest().section("version", b"9.9.9"), "metadata-differs"),
    ] {
        let house = House::new(&guest);
        house.install().refused(&[code, "help: "]);
        assert!(!house.folder().join("casemate.lock").exists(), "{code}: it is installed");
        house.casemate(&["sbom", &house.package_file().display().to_string()]).refused(&[code]);
    }
}

#[test]
fn nothing_of_a_file_is_read_before_it_is_verified() {
    let house = House::new(&guest().section(LIST, b"no list"));
    let file = house.package_file().display().to_string();
    house.casemate(&["sbom", &file]).refused(&["sbom-unreadable"]);
    let stranger = House::new(&guest().section(LIST, b"no list"));
    house.write_package(stranger.package());
    let ran = house.casemate(&["sbom", &file]).refused(&["key-unknown"]);
    assert_eq!(ran.code, 2);
    assert!(!ran.stderr.contains("sbom-"), "it was parsed: {ran:#?}");
}

#[test]
fn what_is_known_to_be_vulnerable_is_not_installed() {
    let parts = &["vulnerable: ", "leaf 1.2.3 has RUSTSEC-2026-9001 (high)", "patched in >=1.2.4", "help: "];
    let house = watched(&guest().made_of("1.2.3", SOUND.1));
    let ran = house.install().refused(parts);
    assert_eq!(ran.code, 2);
    assert!(!house.folder().join("casemate.lock").exists());
    let worse = house.set("advisories.deny", "critical");
    let ran = worse.install().done();
    assert!(ran.stderr.contains("RUSTSEC-2026-9001"), "what is let pass is said: {ran:#?}");
    // A severity that nobody stated counts as the worst.
    watched(&guest().made_of(SOUND.0, "2.9.9"))
        .set("advisories.deny", "critical")
        .install()
        .refused(&["RUSTSEC-2026-9003 (unknown)"]);
    watched(&guest().made_of("0.8.9", SOUND.1)).install().done();
}

#[test]
fn what_becomes_known_later_is_not_loaded() {
    let house = watched(&guest().made_of("1.2.4", SOUND.1));
    house.install().done();
    served(&house);
    let advisory = house.folder().join("db/crates/leaf/RUSTSEC-2026-9001.md");
    let text = fs::read_to_string(&advisory).unwrap();
    fs::write(&advisory, text.replace(">= 1.2.4", ">= 1.2.5")).unwrap();
    not_served(&house, &["vulnerable: ", "RUSTSEC-2026-9001"]);
    let records = house.audit();
    let refused = records.iter().rfind(|record| record["event_type"] == "plugin.load-failed").unwrap();
    assert!(refused.to_string().contains("RUSTSEC-2026-9001"), "{refused}");
    fs::write(&advisory, text).unwrap();
    served(&house);
}

#[test]
fn a_waiver_lets_it_pass_until_its_day_and_is_on_record() {
    let house = waiver(watched(&guest().made_of("1.2.3", SOUND.1)), "RUSTSEC-2026-9001", "2999-12-31");
    house.install().done();
    served(&house);
    let records = house.audit();
    for event in ["plugin.installed", "plugin.loaded"] {
        let record = records.iter().find(|record| record["event_type"] == event).unwrap().to_string();
        for part in ["RUSTSEC-2026-9001", "2999-12-31", "names here have 64 characters"] {
            assert!(record.contains(part), "`{part}` is not in {record}");
        }
    }
    let ended = waiver(house, "RUSTSEC-2026-9001", "2020-01-01");
    not_served(&ended, &["vulnerable: ", "its waiver ended with 2020-01-01"]);
    let check = ended.casemate(&["check"]);
    assert!(
        check.code == 1 && check.stdout.contains("RUSTSEC-2026-9001 in empty-answer until 2020-01-01: it has ended"),
        "{check:#?}"
    );
    not_served(&waiver(ended, "RUSTSEC-2026-9003", "2999-12-31"), &["vulnerable: "]);
}

#[test]
fn a_plugin_that_lists_nothing_is_refused_where_there_is_a_database() {
    let house = watched(&guest());
    house.install().refused(&["sbom-required", "require_sbom = false"]);
    let lenient = house.set("advisories.require_sbom", false);
    lenient.install().done();
    served(&lenient);
    let house = House::new(&guest()).set("advisories.require_sbom", true);
    house.install().refused(&["sbom-required"]);
}

#[test]
fn a_database_that_cannot_be_read_opens_nothing() {
    let house = watched(&guest().made_of(SOUND.0, SOUND.1));
    house.install().done();
    let database = house.folder().join("db");
    let broken = database.join("crates/leaf/RUSTSEC-2026-9999.md");
    fs::write(&broken, "not an advisory").unwrap();
    for command in [&["check"] as &[&str], &["advisories"], &["call", "empty-answer_ping"]] {
        house.casemate(command).faulty(&["RUSTSEC-2026-9999.md", "is no advisory", "help: "]);
    }
    assert!(house.install().code != 0);
    fs::remove_file(&broken).unwrap();
    house.casemate(&["check"]).done();
    fs::remove_dir_all(database.join("crates")).unwrap();
    house.casemate(&["check"]).faulty(&["cannot be read"]);
    fs::create_dir(database.join("crates")).unwrap();
    house.casemate(&["check"]).faulty(&["there are no advisories"]);
    fs::remove_dir_all(&database).unwrap();
    house.casemate(&["check"]).faulty(&["cannot be read"]);
}
