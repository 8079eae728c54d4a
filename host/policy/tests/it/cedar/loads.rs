//! Which policies do not load: each with where, what and what to do.

use super::fixture::{Question, load, load_with, rules, told, tools};

/// What is said of a policy that does not load: one fault a paragraph.
fn check(text: &str, expected: &str) {
    match load(text) {
        Ok(_) => panic!("should not load:\n{text}"),
        Err(errors) => assert_eq!(told(&errors), expected, "{text}"),
    }
}

/// That a policy does not load, for a reason that has these words in it.
fn refused(text: &str, words: &str) {
    match load(text) {
        Ok(_) => panic!("should not load:\n{text}"),
        Err(errors) => assert!(told(&errors).contains(words), "{text}\n{}", told(&errors)),
    }
}

fn when(condition: &str) -> String {
    format!("forbid(principal, action, resource)\nwhen {{ {condition} }};")
}

fn on_scan(condition: &str) -> String {
    format!("forbid(principal, action == Action::\"range_scan\", resource)\nwhen {{ {condition} }};")
}

#[test]
fn a_fault_in_the_syntax_is_found() {
    refused("forbid(principal, action, resource) when { context.hour > };", "a.cedar:1:59: unexpected token `}`\nhelp: ");
    refused("\n\n  forbid(principal, action);", "a.cedar:3:27: ");
    refused("deny(principal, action, resource);", "a.cedar:1:1: ");
    refused("forbid(principal, action, resource)", "a.cedar:1:");
    refused("forbid(principal, action, resource) when { context.hour() };", "a.cedar:1:");
}

#[test]
fn an_unknown_tool_is_found() {
    check(
        "// one\nforbid(principal, action == Action::\"range_scann\", resource);",
        "a.cedar:2:37: there is no tool `range_scann`; did you mean `range_scan`?\nhelp: `casemate list` shows the installed tools; `Action::\"read\"` and the other effects, and `Action::\"PLUGIN\"`, stand for several",
    );
    check(
        "forbid(principal, action, resource == Tool::\"caldera_run\");",
        "a.cedar:1:45: there is no tool `caldera_run`\nhelp: `casemate list` shows the installed tools",
    );
    check(
        "forbid(principal, action, resource in Plugin::\"rang\");",
        "a.cedar:1:47: there is no plugin `rang`; did you mean `range`?\nhelp: `casemate list` shows the installed plugins",
    );
    check(
        &when(r#"resource == Tool::"range_wipr""#),
        "a.cedar:2:26: there is no tool `range_wipr`; did you mean `range_wipe`?\nhelp: `casemate list` shows the installed tools",
    );
    refused(&when(r#"action in [Action::"read", Action::"raed"]"#), "2:43: there is no tool `raed`; did you mean `read`?");
    refused(&when(r#"[Tool::"range_wipe", Tool::"x"].contains(resource)"#), "there is no tool `x`");
    check(
        "forbid(principal == Principal::\"token:cl\", action, resource);",
        "a.cedar:1:32: there is no principal `token:cl`; did you mean `token:ci`?\nhelp: policies name who holds a grant: look at `principals` under `[grants.NAME]`",
    );
    refused("forbid(principal is User, action, resource);", "a.cedar:1:21: unrecognized entity type `User`");
    refused("forbid(principal in Group::\"admins\", action, resource);", "unrecognized entity type `Group`");
}

#[test]
fn an_unknown_argument_is_found() {
    check(
        &on_scan("context.arguments.cuont > 5"),
        "a.cedar:2:26: `context.arguments` has no `cuont` in any call that this policy is about; did you mean `count`?\nhelp: `casemate policy schema` shows what there is",
    );
    check(
        &on_scan("context.arguments has portz && context.arguments.portz.contains(22)"),
        "a.cedar:2:30: `context.arguments` has no `portz` in any call that this policy is about; did you mean `ports`?\nhelp: `casemate policy schema` shows what there is",
    );
    // `has` of what is nowhere is false for ever; `unless` would make it true.
    let unless = "forbid(principal, action, resource) unless { context.arguments has hosst };";
    refused(unless, "a.cedar:1:68: `context.arguments` has no `hosst`");
    refused(&on_scan("context.arguments has options.deepth"), "`context.arguments.options` has no `deepth`");
    refused(&on_scan("false && context.arguments.nothing == 1"), "`context.arguments` has no `nothing`");
    refused(&on_scan(r#"context.arguments["user-agnet"] == "x""#), "did you mean `user-agent`?");
    refused(&when("context.budget has \"2h\""), "`context.budget` has no `2h`");
    refused(&when("context.scope has group"), "`context.scope` has no `group`");
    refused(&when("context.user == \"x\""), "`context` has no `user`");
    refused(&when("principal.name == \"x\""), "`principal` has no `name`");
    refused(&when("resource.version == \"1\""), "`resource` has no `version`");
}

#[test]
fn an_argument_that_cedar_cannot_say_is_unknown() {
    for name in ["ratio", "either"] {
        refused(&on_scan(&format!("context.arguments has {name}")), &format!("has no `{name}`"));
    }
    refused(&on_scan("context.arguments has options.token"), "has no `token`");
    rules(&on_scan("context.arguments has options.tags"));
}

#[test]
fn an_argument_of_another_tool_is_found() {
    check(
        &when("context.arguments.count > 5"),
        "a.cedar:2:8: attribute `arguments.count` in context for Action::\"range_list\" not found\nhelp: name the tools it is about, such as `action == Action::\"…\"`, or ask with `has` first",
    );
    rules(&on_scan("context.arguments.count > 5"));
    // Of two tools that have it in different types, no one condition is right.
    refused(&when("context.arguments has count && context.arguments.count > 5"), "unexpected type");
    rules(&when("context.arguments has why && context.arguments.why == \"x\""));
}

#[test]
fn an_argument_that_may_be_missing_is_asked_for() {
    check(
        &on_scan("context.arguments.ports.contains(22)"),
        "a.cedar:2:8: unable to guarantee safety of access to optional attribute `arguments.ports` in context for Action::\"range_scan\"\nhelp: try testing for the attribute's presence with `context.arguments has ports && ..`",
    );
    refused(&on_scan(r#"context.arguments.note == "x""#), "optional attribute");
    refused(&on_scan(r#"context.arguments has ports || context.arguments.ports.contains(22)"#), "optional attribute");
    rules(&on_scan("context.arguments has ports && context.arguments.ports.contains(22)"));
    rules(&on_scan("if context.arguments has ports then context.arguments.ports.contains(22) else false"));
}

#[test]
fn types_that_do_not_fit_are_found() {
    refused(&on_scan(r#"context.arguments.count == "5""#), "a.cedar:2:8: the types Long and String are not compatible");
    refused(&on_scan(r#"context.arguments.count > "5""#), "a.cedar:2:34: unexpected type");
    refused(&when("context.hour.contains(5)"), "a.cedar:2:8: unexpected type");
    refused(&when("context.labels == []"), "empty set");
    refused(&when("context.approved == 1"), "not compatible");
    refused(&when("context.hour"), "unexpected type");
    refused(&when("ip(context.weekday).isLoopback()"), "non-literal");
    refused(&when("principal == resource"), "no call can ever meet");
}

#[test]
fn a_word_that_is_never_there_is_found() {
    check(
        &when(r#"context.environment == "production""#),
        "a.cedar:2:31: `context.environment` is never `production`\nhelp: `casemate policy schema` shows what it can be",
    );
    check(
        &when(r#"context.labels.contains("untrustd")"#),
        "a.cedar:2:32: `context.labels` is never `untrustd`; did you mean `untrusted`?\nhelp: `casemate policy schema` shows what it can be",
    );
    refused(&when(r#"principal.roles.containsAny(["analyst", "redteam"])"#), "is never `redteam`; did you mean `red-team`?");
    refused(&when(r#"["saturday", "sonday"].contains(context.weekday)"#), "is never `sonday`; did you mean `sunday`?");
    refused(&when(r#""raed" == resource.effect"#), "is never `raed`; did you mean `read`?");
    refused(&when(r#"context.mode != "dryrun""#), "is never `dryrun`; did you mean `dry-run`?");
    refused(&when(r#"context.grant == "nights""#), "is never `nights`");
    refused(&when(r#"principal.kind == "tokens""#), "is never `tokens`; did you mean `token`?");
    refused(&on_scan(r#"context.arguments has priority && context.arguments.priority == "higher""#), "is never `higher`");
    refused(&on_scan(r#"context.tainted.contains("/targts")"#), "is never `/targts`");
    refused(&on_scan(r#"context.tainted.contains("targets")"#), "is never `targets`");
    rules(&on_scan(r#"context.tainted.containsAny(["/targets/7", "/options/tags"])"#));
    rules(&when(r#"resource.plugin == "notes""#));
}

#[test]
fn what_can_never_forbid_is_found() {
    check(
        &when("context.hour > 5 && false"),
        "a.cedar:1:1: no call can ever meet what this policy asks\nhelp: `casemate policy schema` shows what calls look like; remove the policy if nothing is meant",
    );
    refused("forbid(principal is Tool, action, resource);", "no call can ever meet");
    refused("forbid(principal, action, resource == Plugin::\"range\");", "no call can ever meet");
    refused(&when("context.arguments has why && context.arguments has count"), "no call can ever meet");
    check(
        "forbid(principal, action == Action::\"destructive\", resource);",
        "a.cedar:1:37: `Action::\"destructive\"` stands for several tools, and no call is of it itself\nhelp: write `action in Action::\"destructive\"`",
    );
    refused(&when(r#"action == Action::"range""#), "stands for several tools");
    refused(&when(r#"[Action::"read"].contains(action)"#), "stands for several tools");
}

#[test]
fn a_group_may_wait_for_its_first_tool() {
    let text = "forbid(principal, action in Action::\"write\", resource) when { context.hour > 5 };";
    rules(text);
    load_with(&[], text).unwrap();
    load_with(&[], "forbid(principal, action, resource) when { context.environment == \"prod\" };").unwrap();
    let scan = "forbid(principal, action == Action::\"range_scan\", resource);";
    assert!(load_with(&tools()[1..], scan).is_err(), "a tool that is removed is missed");
}

#[test]
fn a_named_tool_is_compared_and_never_looked_into() {
    check(
        &when(r#"Tool::"range_scan".effect == "read""#),
        "a.cedar:2:14: `Tool::\"range_scan\"` can only be compared\nhelp: ask what is called, `resource`, or who calls, `principal`; attributes of others are not known",
    );
    for condition in [
        r#"Principal::"token:ci".roles.contains("analyst")"#,
        r#"Principal::"token:ci" has roles"#,
        r#"Action::"range_scan" in Action::"read""#,
        r#"(if context.approved then Tool::"range_scan" else resource).effect == "read""#,
        r#"{a: Tool::"range_scan"}.a.effect == "read""#,
    ] {
        refused(&when(condition), "can only be compared");
    }
    rules(&when(r#"resource == Tool::"range_scan" && Principal::"token:ci" != principal"#));
}

#[test]
fn a_permit_does_not_load() {
    let text = "a.cedar:1:1: a policy cannot permit: what the grants and the other layers refuse stays refused\nhelp: write it as `forbid … unless { … }`";
    for permit in [
        "permit(principal, action, resource) when { context.approved };",
        "permit(principal, action, resource) when { true };",
        "permit(principal, action, resource) unless { false };",
        "permit(principal == Principal::\"local\", action, resource);",
        "permit(principal, action in Action::\"read\", resource);",
        "permit(principal, action, resource is Tool);",
        "permit(principal is Principal, action, resource);",
    ] {
        check(permit, text);
    }
    let both =
        rules("permit(principal, action, resource);\npermit(principal, action, resource);\nforbid(principal, action, resource);");
    assert!(Question::of("range_scan").is_denied(&both), "it takes nothing back");
    assert_eq!(both.rules().count(), 1);
}

#[test]
fn a_template_does_not_load() {
    check(
        "// x\nforbid(principal == ?principal, action, resource);",
        "a.cedar:2:1: this is a template, and nothing fills it in\nhelp: name the principal or the tool",
    );
    refused("forbid(principal, action, resource in ?resource);", "template");
}

#[test]
fn annotations_are_known_and_can_be_told() {
    let forbid = "forbid(principal, action, resource);";
    check(
        &format!("@mesage(\"x\")\n{forbid}"),
        "a.cedar:1:1: `@mesage` is no annotation; did you mean `message`?\nhelp: use `@id`, `@message` and `@remedy`",
    );
    check(
        &format!("@advice(\"x\") {forbid}"),
        "a.cedar:1:1: `@advice` is no annotation\nhelp: use `@id`, `@message` and `@remedy`",
    );
    check(&format!("@message(\"\") {forbid}"), "a.cedar:1:1: `@message` cannot be told of\nhelp: write a text in it");
    refused(&format!("@id {forbid}"), "write a text in it");
    refused(&format!("@id(\"a b\") {forbid}"), "an id has at most 64");
    refused(&format!("@id(\"{}\") {forbid}", "a".repeat(65)), "an id has at most 64");
    refused(&format!("@message(\"a\\u{{202e}}b\") {forbid}"), "one line of at most 300 visible characters");
    refused(&format!("@message(\"a\\nb\") {forbid}"), "one line of at most 300 visible characters");
    refused(&format!("@remedy(\"{}\") {forbid}", "x".repeat(301)), "one line of at most 300 visible characters");
    check(
        &format!("@id(\"a\") {forbid}\n@id(\"a\") {forbid}"),
        "a.cedar:2:1: `@id(\"a\")` is taken by the policy at a.cedar:1:1\nhelp: give each policy an id of its own: denials are told by it",
    );
    let line = rules(&format!("{forbid} {forbid}"));
    assert_eq!(line.rules().map(|rule| rule.id().to_owned()).collect::<Vec<_>>(), ["a.cedar:1", "a.cedar:1:38"]);
}

#[test]
fn every_fault_is_told_in_order() {
    let text = "permit(principal, action, resource) when { true };\n\
                forbid(principal, action == Action::\"x\", resource) when { context.hour > \"5\" || context.hour == true };\n\
                forbid(principal, action == ?principal, resource);";
    refused(text, "a.cedar:3:");
    let text = text.replace("?principal", "Action::\"y\"");
    let Err(errors) = load(&text) else { panic!("should not load") };
    let places: Vec<(usize, usize)> = errors.iter().map(|error| (error.place().line(), error.place().column())).collect();
    assert_eq!(places[0], (1, 1));
    assert!(places.is_sorted(), "{places:?}");
    assert!(places.iter().any(|(line, _)| *line == 2) && places.iter().any(|(line, _)| *line == 3), "{places:?}");
}

#[test]
fn faults_name_their_file() {
    let all = tools();
    let all: Vec<_> = all.iter().collect();
    let good = "forbid(principal, action, resource) when { context.hour > 5 };";
    let sources = [("policies/a.cedar", good), ("policies/b.cedar", "forbid(principal, action, resource) when { context.x };")];
    let sources = sources.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let errors = casemate_policy::cedar::Rules::new(&sources, &all, &super::fixture::known()).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].place().file(), errors[0].place().line()), ("policies/b.cedar", 1));
}
