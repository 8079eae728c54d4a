//! The pages of the plugins in this repository, and what their manifests say.

use std::{env, fs, process::Command};

use casemate_pages::{of, to_copy};

use crate::harness::{House, Ran, packages, plugins, program, wasm};

/// Around what `casemate inspect --never` says, in a plugin's README.
const BEGIN: &str = "<!-- casemate inspect --never -->\n";
const END: &str = "<!-- end -->\n";

/// Every page says what the plugin can never do as its manifest has it. `PAGES=overwrite` writes it.
#[test]
fn a_page_says_what_the_manifest_says() {
    let packages = tempfile::tempdir().unwrap();
    let mut stale = Vec::new();
    for name in plugins() {
        let casemate =
            |arguments: &[&str]| Ran::of(Command::new(program("casemate")).current_dir(&packages).args(arguments)).done();
        let component = wasm(&format!("casemate_{name}"));
        casemate(&["pack", of(&name, "").to_str().unwrap(), "--component", component.to_str().unwrap(), "--out", "."]);
        let never = casemate(&["inspect", "--package", &format!("{name}-0.1.0.wasm"), "--never"]).stdout;
        let (page, expected) = (of(&name, "README.md"), format!("{BEGIN}{never}{END}"));
        let text = fs::read_to_string(&page).unwrap();
        if text.contains(&expected) {
            continue;
        }
        let (before, rest) = text.split_once(BEGIN).unwrap_or_else(|| panic!("{name}'s page has no place for it: {BEGIN}{END}"));
        let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{name}'s page has no {END}"));
        if env::var_os("PAGES").is_some_and(|value| value == "overwrite") {
            fs::write(&page, format!("{before}{expected}{after}")).unwrap();
        } else {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "the pages of {stale:?} say something else than their manifests; PAGES=overwrite writes them");
}

/// Nobody downloads more than this for one plugin.
#[test]
fn a_component_is_small() {
    const MOST: u64 = 600 << 10;
    for plugin in plugins() {
        let package = packages().join(format!("{plugin}-0.1.0.wasm"));
        let size = fs::metadata(&package).unwrap().len();
        assert!(size < MOST, "{}: {size} bytes, {MOST} at most", package.display());
    }
}

/// What a page has to be copied is a configuration that the host takes, in which the plugin is served.
#[test]
fn what_a_page_has_to_copy_works() {
    for name in plugins() {
        let house = House::of_plugin(&name, |_| to_copy(&fs::read_to_string(of(&name, "README.md")).unwrap()).unwrap());
        house.install().done();
        let checked = house.casemate(&["check"]);
        assert_eq!(checked.code, 0, "{name}: {checked:#?}");
        let house = house.open();
        let tools = house.runtime().block_on(house.server().tools());
        let served = tools.iter().filter(|tool| tool["name"].as_str().unwrap().starts_with(&format!("{name}_"))).count();
        assert!(served > 0, "{name}: {tools:?}");
    }
}
