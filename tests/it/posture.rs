//! `casemate check`: each risky setting is found, weighed, and fails the check where it is asked to.

use serde_json::Value;

use crate::harness::{Guest, House};

/// Nothing risky, for a guest whose upstream is on this machine.
const SOUND: &str = "
    [grants.tester]
    max_effect = 'read'
    expires = 2099-01-01T00:00:00Z
    scope.group = ['10.1.0.0/24']
    budget = [{ calls = 100, per = '1h' }]";

fn house() -> House {
    // A kind of target of which a grant may name all.
    let networks: toml::Table = "kind = 'cidr'\ndescription = 'Networks'".parse().unwrap();
    let house = House::new(&Guest::new("errands").with("scope", "group", networks)).with(SOUND);
    house.install().done();
    house
}

/// The findings of the configuration as it is, each as `severity code`, with the place and the safer value.
fn findings(house: &House) -> Vec<String> {
    let shown = house.casemate(&["check", "--format", "json"]).done().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let found = shown["posture"].as_array().unwrap().iter();
    let found = found.map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        assert!(!text("what").is_empty() && !text("safer").is_empty(), "{finding}");
        assert!(text("place").contains("casemate.toml") || text("place") == "casemate token list", "{finding}");
        format!("{} {}", text("severity"), text("code"))
    });
    found.collect()
}

/// The check fails exactly where it is told that such a setting is too risky.
#[track_caller]
fn weighed(house: &House, what: &str, finding: &str) {
    let found = findings(house);
    assert!(found.iter().any(|each| each == finding), "{what}: `{finding}` is not among {found:?}");
    let rank = |finding: &str| ["low", "medium", "high"].iter().position(|severity| finding.starts_with(severity)).unwrap();
    let worst = found.iter().map(|finding| rank(finding)).max().unwrap();
    for (least, severity) in ["low", "medium", "high"].into_iter().enumerate().filter(|(least, _)| worst.abs_diff(*least) < 2) {
        let ran = house.casemate(&["check", "--deny", severity]);
        assert_eq!(ran.code, i32::from(worst >= least), "{what} at {severity}: {found:?}");
        assert!(ran.stdout.contains(finding.split_once(' ').unwrap().1), "{ran:#?}");
    }
}

#[test]
fn a_sound_configuration_passes_at_every_severity() {
    let house = house();
    assert!(findings(&house).is_empty(), "{:?}", findings(&house));
    for severity in ["low", "medium", "high"] {
        house.casemate(&["check", "--deny", severity]).done();
    }
    assert_eq!(house.casemate(&["check", "--deny", "severe"]).code, 3);
}

#[test]
fn every_risky_setting_is_found_at_its_weight() {
    let wipe = |more: &str| {
        format!("[plugins.@.tools.wipe]\nenabled = true\ndry_run = false\n{more}\n[grants.tester]\nmax_effect = 'destructive'")
    };
    let cases: [(&str, String); 20] = [
        ("low grant-wildcard", "[grants.tester]\ntools = ['*']".to_owned()),
        ("high grant-wildcard", "[grants.tester]\ntools = ['*']\nmax_effect = 'write'".to_owned()),
        ("medium grant-without-budget", "[grants.tester]\nmax_effect = 'write'\nbudget = []".to_owned()),
        ("medium scope-wildcard", "[grants.tester]\nscope.group = ['0.0.0.0/0']".to_owned()),
        ("high scope-wildcard", "[grants.tester]\nmax_effect = 'write'\nscope.group = ['::/0']".to_owned()),
        ("low grant-unused", "[plugins.@.tools.post]\nenabled = true".to_owned()),
        (
            "low real-without-approval",
            "[plugins.@.tools.post]\nenabled = true\ndry_run = false\n[grants.tester]\nmax_effect = 'write'".to_owned(),
        ),
        ("high real-without-approval", wipe("approval = 'none'")),
        ("high client-approves", wipe("approval = 'in-band'")),
        ("low destructive-without-quorum", wipe("approval = 'operator'")),
        ("medium nobody-can-approve", wipe("approval = { mode = 'operator', quorum = 2 }")),
        ("medium cleartext-upstream", "[plugins.@]\nupstream.echo.origin = 'http://upstream.example'".to_owned()),
        ("medium wide-private-network", "[plugins.@]\nupstream.echo.allow_private = ['10.0.0.0/8', '127.0.0.1/32']".to_owned()),
        ("high flow-off", "without_flows = ['secret-then-write']".to_owned()),
        ("medium breaker-off", "breaker.denials = false".to_owned()),
        ("medium breaker-off", "breaker.variants = false".to_owned()),
        ("medium breaker-off", "breaker.burst = false".to_owned()),
        ("low principal-unreachable", "[grants.tester]\nprincipals = ['local', 'oidc:sub:ann']".to_owned()),
        ("low principal-unreachable", "[grants.tester]\nprincipals = ['local', 'role:soc']".to_owned()),
        ("low principal-unreachable", "[grants.tester]\nprincipals = ['local', 'cert:ann']".to_owned()),
    ];
    let house = house();
    let sound = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    let mut house = house;
    for (finding, text) in &cases {
        house = house.with(text);
        weighed(&house, text, finding);
        house = house.restored(&sound);
    }
    house = house.without("grants.tester.expires").with("[grants.tester]\nmax_effect = 'write'");
    weighed(&house, "no end", "medium grant-without-end");
    house = house.restored(&sound).with("[grants.tester]\ntools = ['@_hosts']\n[plugins.@]").without("grants.tester");
    weighed(&house, "no grant", "low plugin-unused");
    house = house.restored(&sound);
    // A role may also be a token's that was made here.
    house = house.with("[grants.tester]\nprincipals = ['local', 'role:soc']");
    house.casemate(&["token", "new", "soc", "--role", "soc", "--expires", "2099-01-01T00:00:00Z"]).done();
    assert!(!house.casemate(&["check"]).done().stdout.contains("principal-unreachable"));
    house = house.restored(&sound);
    // What is risky and is no setting.
    house.casemate(&["token", "new", "ann"]).done();
    weighed(&house, "a token", "medium token-without-expiry");
}

#[test]
fn production_is_weighed_as_production() {
    let house = house().set_environment("prod");
    house.trust_in("prod");
    house.install().done();
    let wipe = "[plugins.@.tools.wipe]\nenabled = true\ndry_run = false\napproval = 'operator'\n[grants.tester]\nmax_effect = 'destructive'";
    weighed(&house, "loopback", "high staging-in-prod");
    let house = house.set("plugins.@.upstream.echo.origin", "https://api.staging.example");
    weighed(&house, "staging", "high staging-in-prod");
    let house = house.set("plugins.@.upstream.echo.origin", "http://api.vendor.example");
    weighed(&house, "cleartext", "high cleartext-upstream");
    let house = house.set("plugins.@.upstream.echo.origin", "https://api.vendor.example");
    house.casemate(&["check", "--deny", "high"]).done();
    weighed(&house.with(wipe), "one person", "high destructive-without-quorum");
}
