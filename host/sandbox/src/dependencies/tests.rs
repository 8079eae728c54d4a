//! Lists that are read, and every list that is not.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::str::FromStr;

use serde_json::{Value, json};

use super::*;

/// The smallest component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const LIST: &str = r#"{"packages":[{"name":"leaf","version":"1.2.3","source":"crates.io"},{"name":"plugin","version":"0.1.0","source":"local","dependencies":[0],"root":true}]}"#;

fn list() -> VersionInfo {
    VersionInfo::from_str(LIST).unwrap()
}

/// Bytes with a custom section after them.
fn with(bytes: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let section = CustomSection { name: name.into(), data: data.into() };
    bytes.push(section.id());
    section.encode(&mut bytes);
    bytes
}

/// A component with a module inside.
fn around(module: &[u8]) -> Vec<u8> {
    let mut bytes = COMPONENT.to_vec();
    bytes.push(1);
    module.len().encode(&mut bytes);
    bytes.extend(module);
    bytes
}

fn manifest(changes: &[(&str, Value)]) -> Manifest {
    let mut manifest: Value = serde_json::from_str(include_str!("../../../../signing/tests/data/manifest.json")).unwrap();
    for (place, value) in changes {
        let (parent, name) = place.rsplit_once('/').unwrap();
        manifest.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    serde_json::from_value(manifest).unwrap()
}

#[track_caller]
fn refused(component: &[u8], code: &str) {
    assert_eq!(dependencies_of(component).map_err(|error| error.code()).err(), Some(code));
}

#[test]
fn what_is_embedded_is_read_back_and_the_same_every_time() {
    let component = embed(COMPONENT.to_vec(), &list()).unwrap();
    assert_eq!(component, embed(COMPONENT.to_vec(), &list()).unwrap());
    assert_eq!(&component[..COMPONENT.len()], COMPONENT, "the component itself is as it was");
    let read = dependencies_of(&component).unwrap().unwrap();
    assert_eq!(read.packages(), list().packages);
    assert_eq!(*read.digest(), Digest::of(LIST.as_bytes()));
    assert!(crate::imports_of(&component).is_ok(), "it still validates");
}

#[test]
fn others_read_what_is_embedded() {
    let component = embed(COMPONENT.to_vec(), &list()).unwrap();
    let read = auditable_info::audit_info_from_slice(&component, MAX_LIST).unwrap();
    assert_eq!(read, list());
}

#[test]
fn a_component_without_a_list_has_none() {
    assert_eq!(dependencies_of(COMPONENT), Ok(None));
    assert_eq!(dependencies_of(&with(COMPONENT, "producers", b"x")), Ok(None));
}

#[test]
fn the_list_of_a_module_inside_is_found() {
    let inside = around(&with(MODULE, SECTION, &pack(LIST.as_bytes()).unwrap()));
    assert_eq!(dependencies_of(&inside).unwrap().unwrap().packages(), list().packages);
}

#[test]
fn two_lists_are_refused_wherever_they_are() {
    let data = pack(LIST.as_bytes()).unwrap();
    refused(&with(&with(COMPONENT, SECTION, &data), SECTION, &data), "sbom-repeated");
    refused(&with(&around(&with(MODULE, SECTION, &data)), SECTION, &data), "sbom-repeated");
    refused(&with(&with(COMPONENT, SECTION, &data), SECTION, b"not even a list"), "sbom-repeated");
}

#[test]
fn a_bomb_is_refused_before_it_unpacks() {
    let bomb = pack(&vec![b' '; 200 << 20]).unwrap();
    assert!(bomb.len() <= MAX_SECTION, "the section's own cap would refuse it first: {}", bomb.len());
    refused(&with(COMPONENT, SECTION, &bomb), "sbom-too-large");
    refused(&with(COMPONENT, SECTION, &vec![0; MAX_SECTION + 1]), "sbom-too-large");
    let most = |length: usize| pack(&[LIST.as_bytes(), &vec![b' '; length - LIST.len()]].concat()).unwrap();
    assert!(dependencies_of(&with(COMPONENT, SECTION, &most(MAX_LIST))).is_ok());
    refused(&with(COMPONENT, SECTION, &most(MAX_LIST + 1)), "sbom-too-large");
}

#[test]
fn what_is_no_list_is_refused() {
    let whole = pack(LIST.as_bytes()).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for data in [&[] as &[u8], b"{}", &whole[..whole.len() - 1], &flipped, &[whole.as_slice(), b"x"].concat()] {
        refused(&with(COMPONENT, SECTION, data), "sbom-unreadable");
    }
    let package = |extra: &str| format!(r#"{{"packages":[{{"name":"a","version":"1.0.0","source":"local"{extra}}}]}}"#);
    for text in [
        String::new(),
        "[]".to_owned(),
        r#"{"packages":[]}"#.to_owned(),
        package(""),
        package(r#","root":true,"dependencies":[1]"#),
        package(r#","root":true,"dependencies":[0]"#),
        package(r#","root":true,"root":true"#),
        package(r#","root":true"#).replace("1.0.0", "one"),
        LIST.replace(r#""source":"crates.io""#, r#""source":"crates.io","root":true"#),
        format!("{LIST}{LIST}"),
    ] {
        refused(&with(COMPONENT, SECTION, &pack(text.as_bytes()).unwrap()), "sbom-unreadable");
    }
}

#[test]
fn manifest_and_component_agree_or_the_package_is_refused() {
    let check = |component: &[u8], stated: Option<&Digest>| {
        let manifest = manifest(&stated.map(|digest| ("/sbom", json!(digest.to_hex()))).into_iter().collect::<Vec<_>>());
        check_metadata(component, &manifest).map(|found| found.is_some()).map_err(|error| error.code())
    };
    let listed = embed(COMPONENT.to_vec(), &list()).unwrap();
    let digest = Digest::of(LIST.as_bytes());
    assert_eq!(check(&listed, Some(&digest)), Ok(true));
    assert_eq!(check(COMPONENT, None), Ok(false));
    assert_eq!(check(&listed, None), Err("sbom-unstated"));
    assert_eq!(check(COMPONENT, Some(&digest)), Err("sbom-missing"));
    assert_eq!(check(&listed, Some(&Digest::of(b"another"))), Err("sbom-differs"));
    let mut fewer = list();
    fewer.packages.remove(0);
    fewer.packages[0].dependencies.clear();
    assert_eq!(check(&embed(COMPONENT.to_vec(), &fewer).unwrap(), Some(&digest)), Err("sbom-differs"));
}

#[test]
fn a_changed_byte_never_yields_another_list() {
    let manifest = manifest(&[("/sbom", json!(Digest::of(LIST.as_bytes()).to_hex()))]);
    let whole = embed(COMPONENT.to_vec(), &list()).unwrap();
    let ours = check_metadata(&whole, &manifest).unwrap();
    for at in COMPONENT.len()..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            if let Ok(read) = check_metadata(&changed, &manifest) {
                assert_eq!(read, ours, "byte {at}, bit {bit}");
            }
        }
        assert!(check_metadata(&whole[..at], &manifest).is_err(), "cut at {at}");
    }
}

#[test]
fn other_words_of_the_component_agree_too() {
    let manifest = manifest(&[]);
    let check = |component: &[u8]| check_metadata(component, &manifest).map_err(|error| error.code());
    let version = manifest.plugin.version.to_string();
    assert_eq!(check(&with(COMPONENT, "version", version.as_bytes())), Ok(None));
    for section in ["version", "licenses", "source", "description"] {
        assert_eq!(check(&with(COMPONENT, section, b"9.9.9")), Err("metadata-differs"), "{section}");
        assert_eq!(check(&around(&with(MODULE, section, b"9.9.9"))), Ok(None), "{section} of a module inside");
    }
}

#[test]
fn a_list_that_no_loader_reads_is_not_embedded() {
    let mut rootless = list();
    rootless.packages[1].root = false;
    assert_eq!(embed(COMPONENT.to_vec(), &rootless).map_err(|error| error.code()), Err("sbom-unreadable"));
}
