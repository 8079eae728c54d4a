//! Each layer's no, beside its yes; grants in their order; what a caller learns and what it does not.

use casemate_policy::{ApprovalMode, Decision, Denied, Layer, Mode, Outcome, Timestamp, visible};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::json;

use crate::fixture::{House, NOW, budget, code, good_arguments, grant, principal};

fn denied(decision: Decision) -> Denied {
    match decision {
        Decision::Denied(denied) => denied,
        other => panic!("should be denied: {other:?}"),
    }
}

#[test]
fn an_open_house_permits() {
    let permit = House::open().permit("lab_operate");
    assert_eq!((permit.mode(), permit.ceiling(), permit.effect()), (Mode::Real, Effect::Destructive, Effect::Destructive));
    assert_eq!(permit.grant().as_str(), "a-red-team");
    assert_eq!(permit.arguments(), &json!({"group": "red-lab"}));
    assert_eq!(permit.arguments_digest().len(), 64);
    assert_eq!(permit.verdicts().len(), 12);
    assert!(permit.verdicts().iter().all(|verdict| verdict.outcome == Outcome::Pass));
}

#[test]
fn each_layer_can_say_no() {
    let open = House::open;
    let check = |house: House, tool: &str, layer: Layer, reason: &str, remedy: &str| {
        let denied = denied(house.call(tool));
        assert_eq!((denied.layer(), denied.reason().code()), (layer, reason));
        assert!(denied.for_operator().contains(remedy), "{}", denied.for_operator());
        assert!(!denied.message().is_empty() && !denied.for_model().is_empty());
        let said: Vec<_> =
            denied.verdicts().iter().filter(|verdict| matches!(verdict.outcome, Outcome::Deny(_))).map(|v| v.layer).collect();
        assert_eq!(said, [layer], "the others still looked, and passed");
        assert_eq!(denied.verdicts().len(), 12);
    };
    check(
        open().grant(|g| g.expires = Some(NOW)),
        "lab_read_file",
        Layer::Identity,
        "grant-expired",
        "`expires` under `[grants.a-red-team]`",
    );
    check(open().rule("lab_read_file", |r| r.pinned = false), "lab_read_file", Layer::Catalog, "not-pinned", "casemate install");
    check(
        open().rule("lab_tag", |r| r.enabled = false),
        "lab_tag",
        Layer::Enable,
        "disabled",
        "`enabled = true` under `[plugins.lab.tools.tag]`",
    );
    check(
        open().grant(|g| g.max_effect = Effect::Write),
        "lab_replay",
        Layer::Effect,
        "effect-above-grant",
        "`max_effect = \"execute\"` under `[grants.a-red-team]`",
    );
    let prod = House { environment: Environment::Prod, ..open() };
    let by_the_client = prod.clone().rule("lab_operate", |rule| rule.approval.mode = ApprovalMode::InBand);
    check(by_the_client, "lab_operate", Layer::Effect, "approval-needed-in-prod", "`[plugins.lab.tools.operate]`");
    check(prod, "lab_operate", Layer::Effect, "approval-needed-in-prod", "`[plugins.lab.tools.operate]`");
    let scoped = open().grant(|g| drop(g.scope.insert("group".parse().unwrap(), vec!["blue-lab".to_owned()])));
    check(scoped, "lab_tag", Layer::Scope, "out-of-scope", "`scope.group = [\"red-lab\"]` under `[grants.a-red-team]`");
    let unscoped = open().grant(|g| drop(g.scope.remove(&"group".parse().unwrap())));
    check(unscoped, "lab_tag", Layer::Scope, "out-of-scope", "scope.group");
    let spent = open().grant(|g| g.budgets = vec![budget(&[], 4, "1m")]).spent("lab_read_file", 4, NOW);
    check(spent, "lab_read_file", Layer::Budget, "budget-exhausted", "raise `calls`");
}

#[test]
fn bad_arguments_are_denied_and_said_where() {
    let check = |tool: &str, arguments: serde_json::Value, reason: &str, said: &str| {
        let denied = denied(House::open().ask("local", tool, arguments));
        assert_eq!((denied.layer(), denied.reason().code()), (Layer::Input, reason));
        assert!(denied.message().contains(said), "{}", denied.message());
        assert!(denied.message().len() < 1500);
    };
    check("lab_read_file", json!([]), "arguments-not-object", "not a JSON object");
    check("lab_read_file", json!(null), "arguments-not-object", "not a JSON object");
    check("lab_read_file", json!({}), "arguments-invalid", "`hash` is required");
    check(
        "lab_read_file",
        json!({"hash": "nope"}),
        "arguments-invalid",
        "at `/hash`: expected a text that matches `^[0-9a-f]{32}$`, got `nope`",
    );
    check("lab_read_file", json!({"hash": "0".repeat(32), "x": 1}), "arguments-invalid", "unknown `x`");
    check("lab_read_file", json!({"hash": "x".repeat(100_000)}), "arguments-invalid", "…`");
    check("lab_read_file", json!({"hash": u64::MAX}), "number-out-of-range", "9007199254740991");
    let deep = (0..40).fold(json!({}), |inner, _| json!({ "a": inner }));
    check("lab_read_file", deep, "arguments-too-deep", "32 levels");
    check("lab_tag", json!({"group": "red lab"}), "scope-malformed", "at `/group`: `red lab` is not a name");
    check("lab_replay", json!({"host": "0x7f000001"}), "scope-malformed", "at `/host`");
    check("lab_replay", json!({"host": "web.test\u{200b}"}), "scope-malformed", "\\u{200b}");
}

#[test]
fn a_bound_target_that_is_missing_is_a_violation() {
    let mut house = House::open();
    let rule = house.rules.iter_mut().find(|rule| rule.served.as_str() == "lab_tag").unwrap();
    let mut tool = (*rule.manifest_tool).clone();
    tool.input_schema = json!({"type": "object"});
    rule.manifest_tool = tool.into();
    for arguments in [json!({}), json!({"group": null}), json!({"group": []}), json!({"Group": "red-lab"})] {
        assert_eq!(code(&house.ask("local", "lab_tag", arguments)), Some("scope-missing"));
    }
    for arguments in
        [json!({"group": {"0": "red-lab"}}), json!({"group": [["red-lab"]]}), json!({"group": true}), json!({"group": 1.5})]
    {
        assert_eq!(code(&house.ask("local", "lab_tag", arguments)), Some("scope-malformed"));
    }
    for (arguments, expected) in [
        (json!({"group": ["red-lab", "blue-lab"]}), None),
        (json!({"group": ["red-lab", "prod"]}), Some("out-of-scope")),
        (json!({"group": "prod"}), Some("out-of-scope")),
        (json!({"group": "red-lab"}), None),
    ] {
        assert_eq!(code(&house.ask("local", "lab_tag", arguments)), expected);
    }
}

#[test]
fn a_spent_budget_says_when_to_come_back() {
    let house = House::open().grant(|g| g.budgets = vec![budget(&["lab_read_*"], 4, "1m")]);
    let ago = |millis: i64| Timestamp::from_millis(NOW.as_millis() - millis);
    assert_eq!(house.clone().spent("lab_read_file", 3, ago(1000)).code("lab_read_file"), None);
    let retry =
        |spent, oldest| denied(house.clone().spent("lab_read_file", spent, oldest).call("lab_read_file")).retry_after_ms();
    assert_eq!(retry(4, ago(45_000)), Some(15_000));
    assert_eq!(retry(9, ago(59_999)), Some(1));
    assert_eq!(retry(4, ago(70_000)), Some(1), "a stale reading still says when");
    assert_eq!(retry(4, ago(-5000)), Some(60_000), "nor does a clock that ran back ask for longer than the window");
    let denied = denied(house.spent("lab_read_file", 4, ago(45_500)).call("lab_read_file"));
    assert_eq!(denied.for_model(), "call again in 15 s, not sooner");
    let never = House::open().grant(|g| g.budgets = vec![budget(&[], 0, "1m")]).spent("lab_read_file", 0, NOW);
    assert_eq!(never.code("lab_read_file"), Some("budget-exhausted"));
}

#[test]
fn a_budget_counts_only_what_it_selects() {
    let mut write_only = budget(&[], 1, "1h");
    write_only.effect = Some(Effect::Write);
    let house = House::open().grant(|g| g.budgets = vec![write_only, budget(&["lab_search"], 1, "1h")]);
    assert!(house.permit("lab_read_file").charges().is_empty());
    let permit = house.clone().spent("lab_tag", 0, NOW).permit("lab_tag");
    assert_eq!(permit.charges().iter().map(|charge| charge.key().as_str()).collect::<Vec<_>>(), ["local a-red-team * write 1h"]);
    assert_eq!(permit.charges()[0].measure().limit(), 1);
}

#[test]
fn writing_is_planned_until_the_operator_says_otherwise() {
    let house = House::by_default();
    assert_eq!(house.code("lab_read_file"), None);
    assert_eq!(house.permit("lab_read_file").mode(), Mode::Real);
    for tool in ["lab_tag", "lab_replay", "lab_operate"] {
        assert_eq!(house.code(tool), Some("disabled"));
        let enabled = house.clone().rule(tool, |r| r.enabled = true);
        let permit = enabled.permit(tool);
        assert_eq!((permit.mode(), permit.ceiling()), (Mode::DryRun, Effect::Read));
    }
    let real = |tool: &str| house.clone().rule(tool, |r| (r.enabled, r.dry_run) = (true, false));
    assert_eq!(real("lab_tag").code("lab_tag"), None);
    for tool in ["lab_replay", "lab_operate"] {
        assert_eq!(real(tool).code(tool), Some("approval-required"));
    }
    let reading = House::open().rule("lab_read_file", |r| r.dry_run = true);
    assert_eq!(reading.permit("lab_read_file").mode(), Mode::Real, "there is nothing to plan in a read");
}

#[test]
fn a_deferral_is_no_permit_and_says_what_it_waits_for() {
    let house = House::open().rule("lab_read_file", |r| r.approval.mode = ApprovalMode::Operator);
    let Decision::Deferred(deferred) = house.call("lab_read_file") else { panic!("should wait") };
    assert_eq!(deferred.reason().code(), "approval-required");
    assert!(
        deferred.for_model().contains("waits for approval") && deferred.for_operator().contains("[plugins.lab.tools.read_file]")
    );
    assert_eq!(deferred.verdicts().iter().filter(|v| matches!(v.outcome, Outcome::Defer(_))).count(), 1);
    let worse = house.grant(|g| g.expires = Some(NOW));
    assert_eq!(worse.code("lab_read_file"), Some("grant-expired"), "a no outweighs a wait");
}

#[test]
fn what_is_not_granted_does_not_exist() {
    let house = House::open().grant(|g| g.tools = vec!["lab_read_*".parse().unwrap()]);
    let house = house.grant(|g| g.scope.clear());
    let arguments = [json!({"group": "red-lab"}), json!({}), json!([]), json!({"n": u64::MAX})];
    for arguments in arguments {
        let hidden = denied(house.ask("local", "lab_operate", arguments.clone()));
        let absent = denied(house.ask("local", "lab_nothing", arguments.clone()));
        let facts = |d: &Denied| {
            let verdicts: Vec<_> = d.verdicts().iter().map(|v| (v.layer, v.outcome, v.note.replace(d.tool(), "T"))).collect();
            (
                d.reason(),
                d.layer(),
                d.message().replace(d.tool(), "T"),
                d.for_model().to_owned(),
                d.retry_after_ms(),
                verdicts,
                d.grant().cloned(),
                d.served().cloned(),
            )
        };
        assert_eq!(facts(&hidden), facts(&absent));
        assert_ne!(
            hidden.for_operator(),
            absent.for_operator().replace("lab_nothing", "lab_operate"),
            "the operator is told which it is"
        );
    }
    let disabled = House::open()
        .rule("lab_operate", |r| r.enabled = false)
        .grant(|g| g.tools = vec!["lab_read_*".parse().unwrap()])
        .grant(|g| g.scope.clear());
    assert_eq!(disabled.code("lab_operate"), Some("unknown-tool"), "nor is it said to be disabled");
}

#[test]
fn a_stranger_learns_nothing() {
    let house = House::open();
    for tool in ["lab_read_file", "lab_nothing", "", "lab_operate\n", "\u{202e}"] {
        let denied = denied(house.ask("token:stranger", tool, json!({})));
        assert_eq!((denied.reason().code(), denied.layer()), ("no-grant", Layer::Identity));
        assert_eq!(denied.message(), "nothing is granted to this caller");
    }
    let odd = denied(house.ask("local", "lab\u{202e}\n`x`", json!({})));
    assert_eq!(odd.message(), "there is no tool `lab\\u{202e}\\u{a}\\u{60}x\\u{60}`");
    assert!(denied(house.ask("local", &"x".repeat(100_000), json!({}))).message().len() < 200);
}

#[test]
fn grants_are_tried_in_the_order_of_their_names() {
    let mut house = House::open();
    let mut second = grant("b-wider");
    second.scope.insert("group".parse().unwrap(), vec!["prod".to_owned()]);
    house.grants.insert(0, second);
    let ask = |house: &House, group: &str| house.ask("local", "lab_tag", json!({ "group": group }));
    let Decision::Permit(first) = ask(&house, "red-lab") else { panic!() };
    let Decision::Permit(other) = ask(&house, "prod") else { panic!() };
    assert_eq!((first.grant().as_str(), other.grant().as_str()), ("a-red-team", "b-wider"));
    // The answer is that of the grant under which the fewest layers say no.
    house.grants.iter_mut().find(|g| g.name.as_str() == "a-red-team").unwrap().max_effect = Effect::Read;
    let denied = denied(ask(&house, "neither"));
    assert_eq!((denied.grant().map(|g| g.as_str()), denied.reason().code()), (Some("b-wider"), "out-of-scope"));
}

#[test]
fn grants_do_not_add_up() {
    // One grant has the effect, another the group: neither has both.
    let mut house = House::open();
    let mut second = grant("b-other");
    second.max_effect = Effect::Read;
    second.scope.insert("group".parse().unwrap(), vec!["prod".to_owned()]);
    house.grants.push(second);
    assert!(code(&house.ask("local", "lab_operate", json!({"group": "prod"}))).is_some());
}

#[test]
fn what_is_shown_is_what_could_be_called() {
    let house = House::open();
    let shown = |house: &House, who: &str| {
        visible(&house.policy(), &principal(who), NOW).iter().map(|r| r.served.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(&house, "local"),
        ["lab_case", "lab_link", "lab_operate", "lab_read_file", "lab_replay", "lab_search", "lab_tag"]
    );
    assert!(shown(&house, "token:stranger").is_empty());
    assert_eq!(shown(&house.clone().rule("lab_tag", |r| r.enabled = false), "local").len(), 6);
    assert_eq!(shown(&house.clone().rule("lab_tag", |r| r.pinned = false), "local").len(), 6);
    assert_eq!(shown(&house.clone().grant(|g| g.max_effect = Effect::Read), "local"), ["lab_read_file", "lab_search"]);
    assert!(shown(&house.clone().grant(|g| g.expires = Some(NOW)), "local").is_empty());
    assert_eq!(shown(&house.clone().grant(|g| g.expires = Some(NOW.plus_millis(1))), "local").len(), 7);
    for tool in shown(&house, "local") {
        assert_eq!(code(&house.ask("local", &tool, good_arguments(&tool))), None, "{tool}");
    }
}
