//! One layer wide open by mistake, through MCP with the real program: a dangerous call is still stopped, by each of the others.
//!
//! Every house here has read something untrusted and was refused once, so that the layers which look at the past have one to look at.

use serde_json::{Value, json};

use crate::harness::{Guest, House, Reply, said};

/// A layer's name, its configuration as a careful operator writes it, and as a careless one does. The input layer's is the plugin's.
const LAYERS: [(&str, &str, &str); 11] = [
    ("identity", "[grants.tester]\nexpires = 2020-01-01T00:00:00Z", "[grants.tester]\nexpires = 2099-01-01T00:00:00Z"),
    ("catalog", "[grants.tester]\ntools = ['@_hosts', '@_look']", "[grants.tester]\ntools = ['*']"),
    ("enable", "[plugins.@.tools.wipe]\nenabled = false", "[plugins.@.tools.wipe]\nenabled = true"),
    ("effect", "[grants.tester]\nmax_effect = 'read'", "[grants.tester]\nmax_effect = 'destructive'"),
    ("input", "", ""),
    ("scope", "[grants.tester]\nscope.group = ['lab']", "[grants.tester]\nscope.group = ['lab', 'prod']"),
    (
        "flow",
        "without_flows = []",
        "without_flows = ['untrusted-then-execute', 'secret-then-write', 'untrusted-value-into-write']",
    ),
    ("budget", "[grants.tester]\nbudget = [{ calls = 0, per = '1h' }]", "[grants.tester]\nbudget = []"),
    ("breaker", "[breaker]\ndenials = { count = 1, per = '1h' }", "[breaker]\ndenials = false\nvariants = false\nburst = false"),
    ("approval", "[plugins.@.tools.wipe]\napproval = 'operator'", "[plugins.@.tools.wipe]\napproval = 'none'"),
    ("dry-run", "[plugins.@.tools.wipe]\ndry_run = true", "[plugins.@.tools.wipe]\ndry_run = false"),
];
const FORBIDDEN: &str = "@id(\"no-wiping\") @message(\"nothing is wiped\") @remedy(\"leave it\")\nforbid(principal, action == Action::\"errands_wipe\", resource);";
const ALLOWED: &str = "permit(principal, action, resource);";

/// Who objects when all are careful, in the order in which they are asked. The catalog's careful answer hides the tool from all
/// others, and a dry run leaves nothing to agree to: those two are held alone, below.
const OBJECTORS: [&str; 10] =
    ["identity", "enable", "effect", "input", "scope", "flow", "budget", "breaker", "cedar", "approval"];

/// The guest, and the same whose author took every argument that a schema may take.
fn guest(lax: bool) -> Guest {
    let guest = Guest::new("errands");
    let force = "\"force\": { \"type\": \"boolean\" },\n        \"group\": {";
    if lax { guest.saying("\"group\": {", force) } else { guest }
}

fn configured(house: House, careful: impl Fn(&str) -> bool) -> House {
    let house = LAYERS.iter().fold(house, |house, (layer, closed, open)| house.with(if careful(layer) { closed } else { open }));
    house.policy("wiping.cedar", if careful("cedar") { FORBIDDEN } else { ALLOWED })
}

/// A house that has a past: something untrusted was read, and a call was refused.
fn past(lax: bool) -> House {
    let house = configured(House::new(&guest(lax)), |layer| layer == "breaker").serve();
    house.call("hosts", json!({})).done(&["200"]);
    house.call("wipe", json!({ "group": "moon" })).ended("denied", "out-of-scope", &[]);
    house
}

/// The same with only these layers careful, and everything else as wide as it can be written.
fn only(house: House, careful: &[&str]) -> House {
    let house = configured(house, |layer| careful.contains(&layer));
    house.reload();
    house
}

/// Who objects to a call, by the audit log; and that the caller, the log and the upstream are told what they should.
#[track_caller]
fn objectors(house: &House, arguments: Value) -> Vec<String> {
    let reply = house.call("wipe", arguments);
    assert!(["denied", "deferred"].contains(&reply.decision()), "{reply:?}");
    house.changed_nothing();
    told(house, &reply);
    let record = house.record(&reply);
    let verdicts = said(&record, "verdicts").as_array().unwrap().iter();
    let objecting = verdicts.filter(|verdict| verdict["outcome"] == "deny" || verdict["outcome"] == "defer");
    objecting.map(|verdict| verdict["layer"].as_str().unwrap().to_owned()).collect()
}

/// The caller has a reason, something to do and an audit id; the log has the same reason, the layer and what the operator would change,
/// which the caller is not told.
#[track_caller]
fn told(house: &House, reply: &Reply) {
    let record = house.record(reply);
    assert_eq!(said(&record, "reason"), reply.reason(), "{record}");
    let remedy = reply.structured()["remedy"].as_str().unwrap();
    assert!(!remedy.is_empty() && reply.text().contains(remedy) && reply.text().contains(reply.audit_id()), "{reply:?}");
    let operator = said(&record, "operator").as_str().unwrap();
    assert!(!operator.is_empty() && !reply.0.to_string().contains(operator), "{operator}: {reply:?}");
}

/// With this one layer wide open and the others careful, each of the others objects to what is dangerous.
#[track_caller]
fn check(open: &str) {
    let mut house = past(open == "input");
    house.close();
    let house = configured(house, |layer| ![open, "catalog", "dry-run"].contains(&layer)).open();
    let others: Vec<&str> = OBJECTORS.into_iter().filter(|layer| *layer != open).collect();
    assert_eq!(objectors(&house, json!({ "group": "prod", "force": true })), others);
    // What is asked for is in order this time, and what the plugin would send is not.
    let others: Vec<&str> = others.into_iter().filter(|layer| !["input", "scope"].contains(layer)).collect();
    assert_eq!(objectors(&house, json!({ "group": "lab", "instead": "prod" })), others);
}

#[test]
fn identity_wide_open_is_not_enough() {
    check("identity");
}

#[test]
fn catalog_wide_open_is_not_enough() {
    check("catalog");
}

#[test]
fn enable_wide_open_is_not_enough() {
    check("enable");
}

#[test]
fn effect_wide_open_is_not_enough() {
    check("effect");
}

#[test]
fn input_wide_open_is_not_enough() {
    check("input");
}

#[test]
fn scope_wide_open_is_not_enough() {
    check("scope");
}

#[test]
fn flow_wide_open_is_not_enough() {
    check("flow");
}

#[test]
fn budget_wide_open_is_not_enough() {
    check("budget");
}

#[test]
fn breaker_wide_open_is_not_enough() {
    check("breaker");
}

#[test]
fn cedar_wide_open_is_not_enough() {
    check("cedar");
}

#[test]
fn approval_wide_open_is_not_enough() {
    check("approval");
}

#[test]
fn dry_run_wide_open_is_not_enough() {
    check("dry-run");
}

/// The same the other way round: everything wide open but one layer, which stops the call alone.
#[test]
fn each_layer_alone_is_enough() {
    // The breaker's answer is for good, so it is the last.
    let order = ["identity", "enable", "effect", "input", "scope", "flow", "budget", "cedar", "approval", "breaker"];
    let mut house = past(false);
    for alone in order {
        house = only(house, &[alone]);
        let arguments = match alone {
            "input" => json!({ "group": "lab", "force": true }),
            "scope" => json!({ "group": "prod" }),
            _ => json!({ "group": "lab" }),
        };
        assert_eq!(objectors(&house, arguments), [alone]);
    }
}

#[test]
fn a_dry_run_alone_is_enough() {
    let house = only(past(false), &["dry-run"]);
    let reply = house.call("wipe", json!({ "group": "prod" })).done(&["POST", "/wipes", "Nothing above read was sent"]);
    assert_eq!(reply.decision(), "planned");
    house.changed_nothing();
}

/// Nothing tells a caller whether a tool is there and not granted, or not there.
#[test]
fn the_catalog_alone_is_enough() {
    let house = only(past(false), &["catalog"]);
    let refused = |tool: &str| {
        let reply = house.call(tool, json!({ "group": "lab" })).ended("denied", "unknown-tool", &[]);
        told(&house, &reply);
        let said = said(&house.record(&reply), "operator").as_str().unwrap().to_owned();
        (reply.text().replace(tool, "‹tool›").replace(reply.audit_id(), "‹id›"), said)
    };
    let ((hidden, there), (absent, not_there)) = (refused("wipe"), refused("nothing"));
    assert_eq!(hidden, absent);
    assert!(there.contains("is installed: add it to `tools` of a grant") && not_there.contains("no installed tool"), "{there}");
    house.changed_nothing();
}

/// The gate is behind all layers: with every one of them wide open, a plugin still reaches only what its grant and this call name.
#[test]
fn the_gate_holds_when_every_layer_is_wide_open() {
    let house = only(past(false), &[]);
    house.refused("wipe", json!({ "group": "lab", "instead": "moon" }), "out-of-scope");
    house.refused("wipe", json!({ "group": "lab", "instead": "prod" }), "target-not-named");
    house.changed_nothing();
    house.call("wipe", json!({ "group": "prod" })).done(&["200"]);
}

/// What a caller can write in a frame, but no client library would: no spelling of it is another call for the layers than for the plugin.
#[test]
fn no_spelling_of_the_arguments_gets_past_the_layers() {
    let mut house = configured(House::new(&guest(false)), |layer| layer == "scope");
    house.install().done();
    let mut raw = crate::harness::Raw::initialized(house.command().arg("serve"));
    let served = house.served("wipe");
    for (id, arguments) in (1..).zip([
        r#"{"group":"lab","group":"prod"}"#,
        r#"{"group":"lab","gr\u006fup":"prod"}"#,
        r#"{"group":"\u0070rod"}"#,
        r#"{"group":"lab","Group":"prod"}"#,
        r#"{"group":"lab","group\u0000":"prod"}"#,
        r#"{"group":["lab","prod"]}"#,
        r#"{"group":{"lab":"prod"}}"#,
        r#"{"group":"lab,prod"}"#,
        r#"{"group":"lab\u0000prod"}"#,
        r#"{"group":"\uff4c\uff41\uff42"}"#,
        r#"{"group":"la\u200bb"}"#,
        r#"{"group":"LAB"}"#,
        r#"{"group":" lab"}"#,
        r#"{"group":"lab\n"}"#,
        r#"{"group":"l\u0430b"}"#,
        r#"{"group":"../prod"}"#,
        r#"{"group":"*"}"#,
        r#"{"group":null}"#,
        r#"{"group":""}"#,
        r#"{"__proto__":{"group":"lab"},"group":"prod"}"#,
        r#"{"group":"lab","details":{"group":"prod"}}"#,
        r#"{"group":"lab","port":80.5}"#,
        r#"{"group":"lab","port":1e400}"#,
        "{}",
        "null",
        "[]",
        "\"lab\"",
    ]) {
        let frame = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{served}","arguments":{arguments}}}}}"#
        );
        raw.write(format!("{frame}\n").as_bytes());
        let answer = raw.receive();
        let refused = answer["error"].is_object() || answer["result"]["structuredContent"]["decision"] == "denied";
        assert!(refused, "{arguments}: {answer}");
    }
    // The first of two names is not another call either.
    raw.write(
        format!(
            r#"{{"jsonrpc":"2.0","id":90,"method":"tools/call","params":{{"name":"{}","name":"{served}","arguments":{{"group":"lab"}}}}}}"#,
            house.served("hosts")
        )
        .as_bytes(),
    );
    raw.write(b"\n");
    let answer = raw.receive();
    assert!(answer["error"].is_object() || answer["result"]["structuredContent"]["decision"] == "denied", "{answer}");
    house.changed_nothing();
    assert!(house.received().is_empty());
    assert!(raw.stop().status.success());
    house.close();
}
