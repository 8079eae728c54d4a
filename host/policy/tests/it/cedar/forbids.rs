//! What a policy stops, and beside it what it lets pass.

use std::slice;

use casemate_policy::{Mode, Principal};
use casemate_signing::Environment;
use serde_json::json;

use super::fixture::{Question, at, check, rules};

fn scan() -> Question {
    Question::of("range_scan")
}

fn wipe() -> Question {
    Question::of("range_wipe")
}

#[test]
fn by_tool_effect_and_plugin() {
    let (list, search) = (Question::of("range_list"), Question::of("notes_search"));
    let forbid = |scope: &str| format!("forbid({scope});");
    check(&forbid(r#"principal, action == Action::"range_scan", resource"#), &[scan()], &[wipe(), list.clone(), search.clone()]);
    check(&forbid(r#"principal, action in Action::"destructive", resource"#), &[wipe()], &[scan(), list.clone(), search.clone()]);
    check(
        &forbid(r#"principal, action in [Action::"read", Action::"execute"], resource"#),
        &[scan(), list.clone(), search.clone()],
        &[wipe()],
    );
    check(
        &forbid(r#"principal, action in Action::"range", resource"#),
        &[scan(), wipe(), list.clone()],
        slice::from_ref(&search),
    );
    check(&forbid(r#"principal, action in Action::"range_scan", resource"#), &[scan()], &[wipe(), list.clone(), search.clone()]);
    check(&forbid(r#"principal, action, resource in Tool::"range_scan""#), &[scan()], &[wipe(), list.clone(), search.clone()]);
    check(&forbid("principal is Principal, action, resource is Tool"), &[scan(), wipe(), list.clone(), search.clone()], &[]);
    check(
        &forbid(r#"principal, action in [Action::"execute", Action::"read"], resource is Tool in Plugin::"range""#),
        &[scan(), list.clone()],
        &[wipe(), search.clone()],
    );
    check(&forbid(r#"principal, action, resource == Tool::"range_wipe""#), &[wipe()], &[scan(), search.clone()]);
    check(
        &forbid(r#"principal, action, resource in Plugin::"notes""#),
        slice::from_ref(&search),
        &[scan(), wipe(), list.clone()],
    );
    check(&forbid("principal, action, resource"), &[scan(), wipe(), list, search], &[]);
}

#[test]
fn by_what_the_tool_is() {
    let search = Question::of("notes_search");
    let when = |condition: &str| format!("forbid(principal, action, resource) when {{ {condition} }};");
    check(&when(r#"resource.effect == "destructive""#), &[wipe()], &[scan(), search.clone()]);
    check(&when(r#"resource.produces.contains("sensitive")"#), slice::from_ref(&search), &[scan(), wipe()]);
    check(&when(r#"resource.plugin == "notes" && resource.publisher == "acme""#), &[search], &[scan()]);
    check(&when(r#"!resource.idempotent && action in Action::"range""#), &[scan()], &[Question::of("notes_search")]);
}

#[test]
fn by_caller_role_and_grant() {
    let by = |id: &str| scan().with(|q| q.principal = Principal::new(id.parse().unwrap()));
    let role = |role: &str| {
        scan().with(|q| {
            q.roles.insert(role.to_owned());
        })
    };
    check(r#"forbid(principal == Principal::"token:ci", action, resource);"#, &[by("token:ci")], &[by("local")]);
    check(
        r#"forbid(principal, action, resource) when { principal.kind == "token" };"#,
        &[by("token:ci")],
        &[by("local"), by("oidc:sub:7")],
    );
    check(
        r#"forbid(principal, action, resource) unless { principal.roles.contains("red-team") };"#,
        &[scan(), role("analyst")],
        &[
            role("red-team"),
            role("red-team").with(|q| {
                q.roles.insert("analyst".to_owned());
            }),
        ],
    );
    check(
        r#"forbid(principal, action, resource) when { context.grant == "night" };"#,
        &[scan().with(|q| q.grant = "night".parse().unwrap())],
        &[scan()],
    );
}

#[test]
fn by_environment_mode_and_approval() {
    let when = |condition: &str| format!("forbid(principal, action, resource) when {{ {condition} }};");
    check(
        &when(r#"context.environment == "prod""#),
        &[scan().with(|q| q.environment = Environment::Prod)],
        &[scan(), scan().with(|q| q.environment = Environment::Stage)],
    );
    check(&when(r#"context.mode == "real""#), &[scan()], &[scan().with(|q| q.mode = Mode::DryRun)]);
    check(&when("!context.approved"), &[scan()], &[scan().with(|q| q.approved = true)]);
}

#[test]
fn by_time() {
    let when = |moment: &str| scan().with(|q| q.now = at(moment));
    check(
        "forbid(principal, action, resource) unless { context.hour >= 6 && context.hour < 22 };",
        &[when("2026-11-20T05:59:59.999Z"), when("2026-11-20T22:00:00Z"), when("1969-12-31T23:59:59.999Z")],
        &[when("2026-11-20T06:00:00Z"), when("2026-11-20T21:59:59.999Z"), when("1969-12-31T06:00:00Z")],
    );
    check(
        r#"forbid(principal, action, resource) when { ["saturday", "sunday"].contains(context.weekday) };"#,
        &[when("2026-11-21T00:00:00Z"), when("2026-11-22T23:59:59Z"), when("1969-12-28T12:00:00Z")],
        &[when("2026-11-20T23:59:59.999Z"), when("2026-11-23T00:00:00Z"), when("1970-01-01T00:00:00Z")],
    );
    check(
        "forbid(principal, action, resource) when { context.time >= 1800000000001 };",
        &[scan().with(|q| q.now = q.now.plus_millis(1))],
        &[scan()],
    );
    check(
        r#"forbid(principal, action, resource) when { context.datetime >= datetime("2026-12-24") && context.datetime < datetime("2026-12-27") };"#,
        &[when("2026-12-24T00:00:00Z"), when("2026-12-26T23:59:59.999Z")],
        &[when("2026-12-23T23:59:59.999Z"), when("2026-12-27T00:00:00Z")],
    );
}

#[test]
fn by_label_and_taint() {
    let holding = |label: &str| {
        scan().with(|q| {
            q.labels.insert(label.parse().unwrap());
        })
    };
    let tainted = |pointer: &str| {
        scan().with(|q| {
            q.tainted.insert(pointer.to_owned());
        })
    };
    check(
        r#"forbid(principal, action in Action::"execute", resource) when { context.labels.contains("untrusted") };"#,
        &[
            holding("untrusted"),
            holding("untrusted").with(|q| {
                q.labels.insert("sensitive".parse().unwrap());
            }),
        ],
        &[
            scan(),
            holding("sensitive"),
            Question::of("range_list").with(|q| {
                q.labels.insert("untrusted".parse().unwrap());
            }),
        ],
    );
    check(
        r#"forbid(principal, action == Action::"range_scan", resource) when { context.tainted.contains("/targets") };"#,
        &[tainted("/targets"), tainted("/targets/0")],
        &[scan(), tainted("/count"), tainted("/targetsx")],
    );
    check(
        r#"forbid(principal, action == Action::"range_scan", resource) when { context.tainted.contains("/options/depth") };"#,
        &[tainted("/options").argument("options", json!({ "depth": 1 }))],
        &[tainted("/options"), tainted("/note").argument("options", json!({ "depth": 1 }))],
    );
    check("forbid(principal, action, resource) when { !context.tainted.isEmpty() };", &[tainted("/count")], &[scan()]);
}

#[test]
fn by_target() {
    let on = |targets: serde_json::Value| scan().argument("targets", targets);
    check(
        r#"forbid(principal, action == Action::"range_scan", resource) when { context.scope.target.contains("db.test") };"#,
        &[on(json!(["db.test"])), on(json!(["web.test", "db.test"])), on(json!(["DB.Test."])), on(json!(["Db.tEST"]))],
        &[scan(), on(json!(["xdb.test"])), on(json!([]))],
    );
    check(
        r#"forbid(principal, action, resource) unless { context.scope has target && ["web.test"].containsAll(context.scope.target) };"#,
        &[on(json!(["db.test"])), Question::of("range_list"), on(json!(["web.test", "db.test"]))],
        &[scan(), wipe(), on(json!(["WEB.test"]))],
    );
    let index = |index: &str| Question::of("notes_search").argument("index", json!(index));
    check(
        r#"forbid(principal, action == Action::"notes_search", resource) when { context.scope.index.contains("hr-*") };"#,
        &[index("hr-*"), index("web-1,hr-*")],
        &[index("web-1"), index("hr-1")],
    );
}

#[test]
fn by_argument() {
    let when =
        |condition: &str| format!(r#"forbid(principal, action == Action::"range_scan", resource) when {{ {condition} }};"#);
    let arg = |name: &str, value: serde_json::Value| scan().argument(name, value);
    check(
        &when("context.arguments.count > 100"),
        &[arg("count", json!(101)), arg("count", json!(101.0))],
        &[scan(), arg("count", json!(100))],
    );
    check(
        &when("context.arguments has ports && context.arguments.ports.containsAny([22, 3389])"),
        &[arg("ports", json!([80, 22]))],
        &[scan(), arg("ports", json!([80])), arg("ports", json!([]))],
    );
    check(
        &when("context.arguments has loud && context.arguments.loud"),
        &[arg("loud", json!(true))],
        &[scan(), arg("loud", json!(false))],
    );
    check(&when("context.arguments has note"), &[arg("note", json!(""))], &[scan(), arg("note", json!(null))]);
    check(
        &when(r#"context.arguments has note && context.arguments.note like "*urgent*""#),
        &[arg("note", json!("very urgent!"))],
        &[scan(), arg("note", json!("calm"))],
    );
    check(
        &when(r#"context.arguments has priority && context.arguments.priority == "high""#),
        &[arg("priority", json!("high"))],
        &[scan(), arg("priority", json!("low"))],
    );
    check(
        &when(r#"context.arguments has options.tags && context.arguments.options.tags.contains("x")"#),
        &[arg("options", json!({ "depth": 1, "tags": ["x"] }))],
        &[scan(), arg("options", json!({ "depth": 1 })), arg("options", json!({ "depth": 1, "tags": [] }))],
    );
    check(
        &when(r#"context.arguments has "user-agent" && context.arguments["user-agent"] == "curl""#),
        &[arg("user-agent", json!("curl"))],
        &[scan()],
    );
    check(&when(r#"context.arguments has "if" && context.arguments["if"] == "x""#), &[arg("if", json!("x"))], &[scan()]);
}

#[test]
fn by_what_is_left_of_a_budget() {
    let left = |window: &str, left: u32| {
        scan().with(|q| {
            q.budget.insert(window.parse().unwrap(), left);
        })
    };
    check(
        r#"forbid(principal, action in Action::"execute", resource) when { context.budget has "1h" && context.budget["1h"] < 10 };"#,
        &[left("1h", 9), left("60m", 0)],
        &[scan(), left("1h", 10), left("1d", 1)],
    );
}

#[test]
fn addresses_and_decimals_may_be_compared() {
    let condition =
        r#"ip("10.0.0.1").isInRange(ip("10.0.0.0/8")) && decimal("1.5").lessThan(decimal("2.0")) && context.approved"#;
    check(
        &format!("forbid(principal, action, resource) when {{ {condition} }};"),
        &[scan().with(|q| q.approved = true)],
        &[scan()],
    );
}

#[test]
fn a_denial_names_every_policy_and_says_what_they_say() {
    let rules = rules(concat!(
        "permit(principal, action, resource);\n",
        "@id(\"night\") @message(\"nothing runs at night\") @remedy(\"try again after 6 UTC\")\n",
        "forbid(principal, action, resource) when { context.hour > 6 };\n",
        "forbid(principal, action == Action::\"range_wipe\", resource);\n",
        "forbid(principal, action, resource) when { context.approved };\n",
    ));
    let denial = wipe().denial(&rules).unwrap();
    let ids: Vec<&str> = denial.rules().map(|rule| rule.id()).collect();
    assert_eq!(ids, ["night", "a.cedar:4"]);
    assert_eq!(
        denial.message(),
        "the operator's policy `night` forbids this call: nothing runs at night\nthe operator's policy `a.cedar:4` forbids this call"
    );
    assert_eq!(denial.for_model(), "try again after 6 UTC");
    assert_eq!(denial.for_operator(), "`night` at a.cedar:2:1 forbids it\n`a.cedar:4` at a.cedar:4:1 forbids it");
    assert!(!denial.is_fault());
    let rule = denial.rules().next().unwrap();
    assert_eq!((rule.message(), rule.remedy()), (Some("nothing runs at night"), Some("try again after 6 UTC")));
}

#[test]
fn many_policies_make_a_short_answer() {
    let text: String = (0..20).map(|n| format!("@id(\"p{n}\") forbid(principal, action, resource);\n")).collect();
    let denial = scan().denial(&rules(&text)).unwrap();
    assert_eq!(denial.rules().count(), 20);
    assert_eq!(denial.message().lines().last(), Some("and 17 more"));
    assert_eq!(denial.message().lines().count(), 4);
    assert_eq!(denial.for_operator().lines().count(), 20);
    assert_eq!(denial.for_model(), "ask the operator; retrying will not help");
}

#[test]
fn without_policies_everything_passes() {
    for text in
        ["", "// nothing yet\n", "permit(principal, action, resource);", "@id(\"all\")\npermit(principal, action, resource);"]
    {
        check(text, &[], &[scan(), wipe()]);
    }
}
