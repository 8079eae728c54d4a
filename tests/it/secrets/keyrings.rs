//! The keyring of a desktop: a real one, that is asked and never opened.

use super::{house, last_key, soon};
use crate::harness::{Desktop, House, Ran};

const NAMED: [&str; 4] = ["service", "casemate", "account", "lab"];

/// The house with its secret in the keyring of this desktop.
fn house_on(desktop: &Desktop) -> House {
    let (name, address) = desktop.environment();
    house()
        .without("plugins.@.secret.api_key")
        .with(
            "plugins.@.secret.api_key = { keyring = { service = 'casemate', account = 'lab' }, refresh = '200ms', stale = '1h' }",
        )
        .environment(name, address)
}

fn checked(desktop: &Desktop) -> Ran {
    house_on(desktop).casemate(&["secret", "check"])
}

#[test]
fn an_entry_is_sent_and_asked_for_anew() {
    let desktop = Desktop::start();
    desktop.store(&NAMED, "first-value-in-the-keyring");
    let mut house = house_on(&desktop);
    house.keeps("first-value-in-the-keyring");
    house.keeps("second-value-in-the-keyring");
    house = house.serve();
    assert_eq!(last_key(&house).as_deref(), Some("first-value-in-the-keyring"));
    desktop.store(&NAMED, "second-value-in-the-keyring");
    soon("the new value is sent", || last_key(&house).as_deref() == Some("second-value-in-the-keyring"));
    // One that is locked says nothing, and so the last known value is sent on.
    desktop.lock();
    soon("that is on record", || house.records("config.secrets-kept").len() == 1);
    assert!(house.records("config.secrets-kept").pop().unwrap().to_string().contains("is locked"));
    assert_eq!(last_key(&house).as_deref(), Some("second-value-in-the-keyring"));
    assert!(house.records("config.secrets-lost").is_empty());
}

#[test]
fn what_libraries_call_a_username_is_an_account() {
    let desktop = Desktop::start();
    desktop.store(&["service", "casemate", "username", "lab", "application", "python"], "stored-by-a-library");
    let fine = checked(&desktop).done().stdout;
    assert!(fine.contains("keyring, account lab of service casemate") && !fine.contains("stored-by"), "{fine}");
    // One entry with both names is one.
    let desktop = Desktop::start();
    desktop.store(&["service", "casemate", "username", "lab", "account", "lab"], "stored-by-somebody");
    checked(&desktop).done();
}

#[test]
fn what_a_keyring_does_not_say_is_explained() {
    #[track_caller]
    fn refused(desktop: &Desktop, parts: &[&str]) {
        let ran = checked(desktop);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 1, "{ran:?}");
        for part in ["the keyring, asked for account `lab` of service `casemate`, ", "help: "].iter().chain(parts) {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
        assert!(!said.contains("value-"), "{said}");
    }
    let desktop = Desktop::bare();
    refused(&desktop, &["cannot be asked: no keyring answers", "on a server, take file, credential or vault"]);
    let desktop = Desktop::start();
    refused(&desktop, &["has no such entry", "secret-tool store"]);
    desktop.store(&["service", "casemate", "account", "another"], "value-of-another");
    desktop.store(&["service", "another", "account", "lab"], "value-of-another");
    refused(&desktop, &["has no such entry"]);
    desktop.store(&NAMED, "value-one");
    checked(&desktop).done();
    desktop.store(&["service", "casemate", "account", "lab", "more", "1"], "value-two");
    refused(&desktop, &["has 2 entries of that name"]);
    let desktop = Desktop::start();
    desktop.store(&NAMED, "value-locked");
    desktop.lock();
    refused(&desktop, &["is locked", "casemate never asks for its password"]);
}

#[test]
fn without_a_session_there_is_no_keyring() {
    let desktop = Desktop::bare();
    let house = house_on(&desktop).environment("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus");
    let ran = house.casemate(&["secret", "check"]);
    assert!(ran.code == 1 && ran.stdout.contains("cannot be asked"), "{ran:?}");
}
