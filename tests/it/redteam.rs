//! `casemate redteam`: what stops every attack under the defaults, and says so where an operator has opened too much.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

use crate::harness::{Guest, House, Ran, program};

fn casemate(folder: &Path, arguments: &[&str]) -> Ran {
    Ran::of(Command::new(program("casemate")).arg("--dir").arg(folder).args(arguments))
}

fn attacked(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The attacks that were not stopped.
fn through(report: &Value) -> BTreeSet<String> {
    let attacks = report["attacks"].as_array().unwrap().iter();
    attacks.filter(|attack| attack["result"] != "stopped").map(|attack| attack["attack"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_attack_is_stopped_by_a_host_that_was_just_begun() {
    let folder = tempfile::tempdir().unwrap();
    casemate(folder.path(), &["init"]).done();
    casemate(folder.path(), &["check"]).done();
    let before = files(folder.path());
    let ran = casemate(folder.path(), &["--format", "json", "redteam"]).done();
    let report = attacked(&ran);
    assert!(report["count"].as_u64().unwrap() >= 40);
    assert_eq!(report["stopped"], report["count"], "{:?}", through(&report));
    let names: BTreeSet<&str> =
        report["attacks"].as_array().unwrap().iter().map(|attack| attack["attack"].as_str().unwrap()).collect();
    assert_eq!(u64::try_from(names.len()).unwrap(), report["count"].as_u64().unwrap(), "every attack has a name of its own");
    for layer in ["identity", "catalog", "enable", "effect", "input", "scope", "flow", "budget", "breaker", "approval", "dry-run"]
    {
        assert!(report["layers"][layer].as_array().is_some_and(|stopped| !stopped.is_empty()), "`{layer}` stops nothing");
    }
    assert!(files(folder.path()) == before, "something was written");
    let shown = casemate(folder.path(), &["redteam", "--verbose"]).done();
    assert!(shown.stdout.contains("stopped  plan-swap"), "{shown:#?}");
    assert!(shown.stdout.contains(" 0 through, 0 not shown"), "{shown:#?}");
}

#[test]
fn an_operator_who_opens_too_much_is_told_what_gets_through() {
    let folder = tempfile::tempdir().unwrap();
    let config = "environment = \"dev\"\nwithout_flows = [\"untrusted-then-execute\", \"secret-then-write\", \"untrusted-value-into-write\"]\n\
                  breaker = { denials = false, variants = false, burst = false }\n";
    casemate(folder.path(), &["init"]).done();
    fs::write(folder.path().join("casemate.toml"), config).unwrap();
    let ran = casemate(folder.path(), &["--format", "json", "redteam"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    let through = through(&attacked(&ran));
    for attack in ["three-safe-tools", "output-injection", "exfiltration", "carried-value", "replays", "guessing", "burst"] {
        assert!(through.contains(attack), "`{attack}` is stopped by nothing that is left: {through:?}");
    }
    assert!(!through.contains("plan-swap") && !through.contains("lateral-movement"), "{through:?}");
    let shown = casemate(folder.path(), &["redteam"]);
    assert!(shown.stdout.contains("THROUGH  three-safe-tools"), "{shown:#?}");
}

/// The operator's own tools and policies are attacked too, and no upstream hears of it.
#[test]
fn the_operators_own_tools_are_attacked_and_no_upstream_is() {
    let house = House::new(&Guest::new("empty_answer"))
        .set("grants.tester.max_effect", "write")
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false);
    house.install().done();
    fs::create_dir(house.folder().join("policies")).unwrap();
    fs::write(
        house.folder().join("policies/own.cedar"),
        "forbid(principal, action == Action::\"empty-answer_change\", resource) when { context.arguments.group == \"prod\" };",
    )
    .unwrap();
    let report = attacked(&house.casemate(&["--format", "json", "redteam"]).done());
    let of = |name: &str| report["attacks"].as_array().unwrap().iter().find(|attack| attack["attack"] == name).cloned().unwrap();
    assert_eq!(of("your-tools-by-a-stranger")["by"], "identity");
    assert_eq!(of("your-tools-after-a-secret")["by"], "flow");
    assert!(house.received().is_empty());

    let config = fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    house.write_whole("casemate.toml", &format!("without_flows = [\"secret-then-write\"]\n{config}"));
    let report = attacked(&house.casemate(&["--format", "json", "redteam"]));
    assert!(through(&report).contains("your-tools-after-a-secret"), "{:#?}", of("your-tools-after-a-secret"));
}

#[test]
fn a_wildcard_grant_with_a_budget_of_targets_and_a_narrow_policy_do_not_stop_the_red_team() {
    let house = House::new(&Guest::new("empty_answer"))
        .set("grants.tester.max_effect", "write")
        .set("grants.tester.tools", vec!["*_change"])
        .set(
            "grants.tester.budget",
            vec![toml::toml! {
                distinct = "group"
                max = 2
                per = "1d"
            }],
        )
        .set("plugins.@.tools.change.enabled", true);
    house.install().done();
    fs::create_dir(house.folder().join("policies")).unwrap();
    let policy = "forbid(principal, action in [Action::\"write\"], resource) when { context.arguments.group == \"x\" };";
    fs::write(house.folder().join("policies/narrow.cedar"), policy).unwrap();
    let ran = house.casemate(&["--format", "json", "redteam"]).done();
    assert!(ran.stderr.contains("your policies fit your own tools only"), "{ran:#?}");
    let report = attacked(&ran);
    assert_eq!(report["stopped"], report["count"], "{:?}", through(&report));
    assert!(report["policies_left_out"].is_string());
}

/// Every file, and what is in it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((path.display().to_string(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
