//! What a call named: a request that changes something is about that and nothing else, however much more the grant allows.

use std::sync::Arc;

use casemate_policy::{
    Decision,
    egress::{Outgoing, RefusalReason, Verdict},
};
use casemate_signing::manifest::{ArgumentPlace, Tool};
use serde_json::{Value, json};

use crate::fixture::{House, form_body, json_body, real, reason, refused, request, run, sent, with_header};

/// The house with one tool changed.
fn with_tool(tool: &str, change: impl Fn(&mut Tool)) -> House {
    House::open().rule(tool, |rule| {
        let mut manifest_tool = (*rule.manifest_tool).clone();
        change(&mut manifest_tool);
        rule.manifest_tool = Arc::new(manifest_tool);
    })
}

/// What is said of a request in a call with these arguments.
fn say(house: &House, tool: &str, arguments: Value, request: Outgoing) -> Verdict {
    match house.ask("local", tool, arguments) {
        Decision::Permit(permit) => run(&permit, None).check(request),
        other => panic!("{tool} should be permitted: {other:?}"),
    }
}

fn create(group: &str) -> Outgoing {
    json_body("/api/operations", &format!(r#"{{"group":{group},"name":"x"}}"#))
}

#[test]
fn another_granted_target_than_the_one_that_was_named_is_refused() {
    let house = House::open();
    for (tool, request) in [
        ("lab_operate", create(r#""blue-lab""#)),
        ("lab_operate", create(r#"["blue-lab"]"#)),
        ("lab_operate", create(r#"["red-lab","blue-lab"]"#)),
        ("lab_operate", create(r#""\u0062lue-lab""#)),
        ("lab_operate", request("DELETE", "/api/groups/blue-lab")),
        ("lab_operate", request("DELETE", "/api/groups/%62lue-lab")),
        ("lab_tag", form_body("/api/tags", "group=blue-lab&tag=x")),
    ] {
        let refusal = refused(say(&house, tool, json!({"group": "red-lab"}), request.clone()));
        assert_eq!(refusal.reason(), RefusalReason::TargetNotNamed, "{request:?}: {}", refusal.for_operator());
        assert_eq!(refusal.reason().code(), "target-not-named");
        assert!(refusal.for_operator().contains("group `blue-lab` is granted, but the call is about `red-lab`"), "{refusal}");
        // The other way round, unless both are meant.
        if !request.body.starts_with(br#"{"group":["red-lab""#) {
            assert!(matches!(say(&house, tool, json!({"group": "blue-lab"}), request), Verdict::Send(_)));
        }
    }
}

#[test]
fn a_plan_is_about_what_was_named_too() {
    let dry = |tool| run(&House::open().rule(tool, |rule| rule.dry_run = true).permit(tool), None);
    assert_eq!(reason(dry("lab_operate").check(create(r#""blue-lab""#))), RefusalReason::TargetNotNamed);
    assert!(matches!(dry("lab_operate").check(create(r#""red-lab""#)), Verdict::End(_)));
    // After an assumed answer no less.
    let mut run = dry("lab_case");
    assert!(matches!(run.check(json_body("/api/cases", r#"{"title":"x"}"#)), Verdict::Assume(..)));
    let close = json_body("/api/cases/c1/close", r#"{"group":"blue-lab"}"#);
    assert_eq!(reason(run.check(close)), RefusalReason::TargetNotNamed);
}

#[test]
fn outside_the_grant_is_said_before_outside_the_call() {
    let say = |group: &str| reason(say(&House::open(), "lab_operate", json!({"group": "red-lab"}), create(group)));
    assert_eq!(say(r#""prod""#), RefusalReason::OutOfScope);
    assert_eq!(say(r#"["blue-lab","prod"]"#), RefusalReason::TargetNotNamed);
}

#[test]
fn what_only_reads_may_look_around() {
    let search = request("GET", "/api/search/?index=web-2&count=5&q=x");
    assert!(matches!(say(&House::open(), "lab_search", json!({"index": "web-1"}), search), Verdict::Send(_)));
}

#[test]
fn a_target_that_the_tool_is_not_told_is_held_to_the_grant_alone() {
    // `replay` is told a host and no group.
    let in_group = |group: &str| with_header("x-group", group, json_body("/api/run", "{}"));
    assert!(matches!(real("lab_replay").check(in_group("blue-lab")), Verdict::Send(_)));
    assert_eq!(reason(real("lab_replay").check(in_group("prod"))), RefusalReason::OutOfScope);
}

#[test]
fn what_a_read_establishes_is_what_was_named() {
    let house = with_tool("lab_link", |tool| {
        tool.scope.insert("group".parse().unwrap(), ArgumentPlace { argument: "/group".to_owned() });
    });
    let link = |group: &str| {
        let Decision::Permit(permit) = house.ask("local", "lab_link", json!({"group": "red-lab"})) else { panic!("permitted") };
        let mut run = run(&permit, None);
        for (path, answer) in [
            ("/api/agents/p1", format!(r#"{{"group":{group},"hosts":[{{"name":"web.test"}}]}}"#)),
            ("/api/v2/abilities/a1", r#"{"executors":[{"command":"id"}]}"#.to_owned()),
        ] {
            let asked = sent(run.check(request("GET", path)));
            run.answered(&asked, 200, Some("application/json"), answer.as_bytes());
        }
        run.check(json_body("/api/links?version=v2", r#"{"paw":"p1","ability":"a1","command":"id"}"#))
    };
    assert!(matches!(link(r#""red-lab""#), Verdict::Send(_)));
    for elsewhere in [r#""blue-lab""#, r#"["red-lab","blue-lab"]"#] {
        let refusal = refused(link(elsewhere));
        assert_eq!(refusal.reason(), RefusalReason::TargetNotNamed, "{refusal}");
        assert!(refusal.for_operator().contains("group by `get-agent`"), "{refusal}");
    }
    assert_eq!(reason(link(r#""prod""#)), RefusalReason::EstablishedOutOfScope);
}

#[test]
fn each_of_several_named_targets_may_be_gone_to_and_no_other() {
    let house = with_tool("lab_operate", |tool| {
        let list = json!({"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 64}});
        tool.input_schema["properties"]["group"] = list;
    })
    .grant(|grant| {
        grant.scope.get_mut(&"group".parse().unwrap()).unwrap().push("green-lab".to_owned());
    });
    let say = |group: &str| say(&house, "lab_operate", json!({"group": ["red-lab", "blue-lab"]}), create(group));
    for named in [r#""red-lab""#, r#""blue-lab""#, r#"["blue-lab","red-lab"]"#, r#"["red-lab","red-lab"]"#] {
        assert!(matches!(say(named), Verdict::Send(_)), "{named}");
    }
    for other in [r#""green-lab""#, r#"["red-lab","green-lab"]"#] {
        assert_eq!(reason(say(other)), RefusalReason::TargetNotNamed, "{other}");
    }
}

#[test]
fn two_spellings_of_one_target_are_one() {
    let query = crate::fixture::QUERY;
    let replay = |asked: &str, host: &str| {
        let variables = format!(r#"{{"host":"{host}","port":443,"note":"n"}}"#);
        let body = format!(r#"{{"operationName":"StartReplay","query":"{query}","variables":{variables}}}"#);
        let house = House::open().grant(|grant| {
            grant.scope.get_mut(&"target".parse().unwrap()).unwrap().extend(["2001:db8::1".to_owned(), "web2.test".to_owned()]);
        });
        say(&house, "lab_replay", json!({"host": asked}), json_body("/graphql", &body))
    };
    for (asked, host) in [("web.test", "WEB.test"), ("WEB.TEST", "web.test"), ("2001:db8:0:0::1", "2001:db8::1")] {
        assert!(matches!(replay(asked, host), Verdict::Send(_)), "{asked} {host}");
    }
    for (asked, host) in [("web.test", "web2.test"), ("web.test", "2001:db8::1")] {
        assert_eq!(reason(replay(asked, host)), RefusalReason::TargetNotNamed, "{asked} {host}");
    }
}
