//! The operator's own policies, through MCP with the real program: what they forbid, what does not load, and what is tried against them.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Guest, House, Raw, Reply, said, until};

/// Every tool is on, for real, and within the grant; no flow rule holds: only policies stand in the way.
fn house() -> House {
    House::new(&Guest::new("errands")).with(
        "without_flows = ['untrusted-then-execute', 'secret-then-write', 'untrusted-value-into-write']
        [plugins.@.tools]
        post = { enabled = true, dry_run = false }
        start = { enabled = true, dry_run = false, approval = 'none' }
        [grants.tester]
        max_effect = 'execute'
        roles = ['day']
        scope.group = ['lab', 'moon']
        budget = [{ calls = 100, per = '1h' }]",
    )
}

fn post(house: &House, more: Value) -> Reply {
    let mut arguments = json!({ "group": "lab" });
    more.as_object().unwrap().iter().for_each(|(name, value)| arguments[name] = value.clone());
    house.call("post", arguments)
}

#[track_caller]
fn forbidden(house: &House, reply: Reply, id: &str) -> Value {
    let reply = reply.ended("denied", "forbidden", &[&format!("the operator's policy `{id}` forbids this call")]);
    let record = house.record(&reply);
    assert_eq!(said(&record, "layer"), "cedar", "{record}");
    record
}

#[test]
fn a_policy_forbids_in_its_own_words() {
    let house = house()
        .policy(
            "10-change.cedar",
            "// Nothing is started here.\n@id(\"no-starting\")\n@message(\"starting needs a change window\")\n@remedy(\"open a change first\")\nforbid(principal, action in Action::\"execute\", resource);\n",
        )
        .policy("20-unnamed.cedar", "forbid(principal, action == Action::\"errands_vault\", resource);\n")
        .serve();
    let reply = house.call("start", json!({ "group": "lab" }));
    let record = forbidden(&house, reply.clone(), "no-starting");
    reply.ended("denied", "forbidden", &["starting needs a change window", "open a change first"]).silent(&["10-change.cedar"]);
    let operator = said(&record, "operator").as_str().unwrap();
    assert!(operator.contains("10-change.cedar:2:1") && operator.contains("`no-starting`"), "{operator}");
    let unnamed = house.call("vault", json!({})).ended("denied", "forbidden", &["forbids this call"]);
    assert!(said(&house.record(&unnamed), "operator").as_str().unwrap().contains("20-unnamed.cedar:1"));
    post(&house, json!({})).done(&["200"]);
    house.call("hosts", json!({})).done(&["200"]);
    assert!(house.received().iter().all(|request| !["/runs", "/vault"].contains(&request.target())));
}

#[test]
fn a_policy_reads_labels_arguments_callers_targets_and_time() {
    let house = house()
        .policy(
            "rules.cedar",
            r#"
@id("after-secrets") forbid(principal, action == Action::"errands_post", resource) when { context.labels.contains("secret") };
@id("not-prod") forbid(principal, action, resource) when { context.arguments has note && context.arguments.note like "*prod*" };
@id("no-telnet") forbid(principal, action == Action::"errands_post", resource) when { context.arguments has port && context.arguments.port == 23 };
@id("not-these") forbid(principal, action == Action::"errands_post", resource)
when { context.arguments has details && context.arguments.details has targets && context.arguments.details.targets.contains("10.0.0.1") };
@id("not-the-moon") forbid(principal, action, resource) when { context.scope has group && context.scope.group.contains("moon") };
@id("not-the-past") forbid(principal, action, resource) when { context.datetime < datetime("2020-01-01") };
@id("day-shift") forbid(principal, action == Action::"errands_techniques", resource) unless { principal.roles.contains("day") };
@id("clock") forbid(principal, action == Action::"errands_start", resource) when { context.hour >= 0 && context.mode == "real" };
"#,
        )
        .serve();
    post(&house, json!({})).done(&["200"]);
    for (more, id) in [
        (json!({ "note": "go to prod now" }), "not-prod"),
        (json!({ "note": "go to \u{70}rod now" }), "not-prod"),
        (json!({ "port": 23 }), "no-telnet"),
        (json!({ "details": { "targets": ["10.0.0.2", "10.0.0.1"] } }), "not-these"),
        (json!({ "group": "moon" }), "not-the-moon"),
    ] {
        forbidden(&house, post(&house, more), id);
    }
    forbidden(&house, house.call("look", json!({ "group": "moon" })), "not-the-moon");
    forbidden(&house, house.call("start", json!({ "group": "lab" })), "clock");
    house.call("techniques", json!({})).done(&["200"]);
    post(&house, json!({ "note": "a", "port": 22, "details": { "targets": ["10.0.0.2"], "owner": "me" } })).done(&["200"]);
    let written = house.received().iter().filter(|request| request.method() == "POST").count();
    house.call("vault", json!({})).done(&["200"]);
    forbidden(&house, post(&house, json!({})), "after-secrets");
    assert_eq!(house.received().iter().filter(|request| request.method() == "POST").count(), written);
}

/// Frames that no client library writes: what a policy is asked about is what the plugin gets.
#[test]
fn no_spelling_of_an_argument_gets_past_a_policy() {
    let house = house().policy(
        "ports.cedar",
        r#"@id("no-telnet") forbid(principal, action == Action::"errands_post", resource)
when { context.arguments has port && context.arguments.port == 23 };
@id("not-prod") forbid(principal, action == Action::"errands_post", resource)
when { context.arguments has details && context.arguments.details has owner && context.arguments.details.owner == "prod" };"#,
    );
    house.install().done();
    let mut raw = Raw::initialized(house.command().arg("serve"));
    for (id, arguments) in (1..).zip([
        r#"{"group":"lab","port":23}"#,
        r#"{"group":"lab","port":23.0}"#,
        r#"{"group":"lab","port":2.3e1}"#,
        r#"{"group":"lab","port":22,"port":23}"#,
        r#"{"group":"lab","port":"23"}"#,
        r#"{"group":"lab","port":[23]}"#,
        r#"{"group":"lab","p\u006frt":23}"#,
        r#"{"group":"lab","details":{"owner":"prod"}}"#,
        r#"{"group":"lab","details":{"owner":"dev","owner":"prod"}}"#,
        r#"{"group":"lab","details":{"owner":"dev"},"details":{"owner":"prod"}}"#,
        r#"{"group":"lab","details":{"owner":"\u0070rod"}}"#,
        r#"{"group":"lab","details":[{"owner":"prod"}]}"#,
        r#"{"group":"lab","details":{"Owner":"prod"}}"#,
        r#"{"group":"lab","details":null}"#,
    ]) {
        let frame = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"errands_post","arguments":{arguments}}}}}"#
        );
        raw.write(format!("{frame}\n").as_bytes());
        let answer = raw.receive();
        let refused = answer["error"].is_object() || answer["result"]["structuredContent"]["decision"] == "denied";
        assert!(refused, "{arguments}: {answer}");
    }
    assert!(house.received().is_empty());
    assert!(raw.stop().status.success());
}

#[test]
fn a_policy_that_does_not_fit_is_an_error_with_its_place() {
    let house = house();
    house.install().done();
    fs::create_dir(house.folder().join("policies")).unwrap();
    let forbid = |when: &str| format!("forbid(principal, action == Action::\"errands_post\", resource) when {{ {when} }};");
    for (text, place, said) in [
        ("forbid(principal, action == Action::\"errands_pots\", resource);".to_owned(), "1:37", "did you mean `errands_post`"),
        (forbid("context.arguments has note && context.arguments.noet == \"x\""), "1:", "noet"),
        (forbid("context.labels.contains(\"secert\")"), "1:", "secert"),
        (forbid("context.scope.gruop.contains(\"lab\")"), "1:", "gruop"),
        (forbid("context.budget[\"2h\"] > 1"), "1:", "2h"),
        (forbid("context.environment == \"production\""), "1:", "production"),
        (forbid("principal.roles.contains(\"dya\")"), "1:", "dya"),
        (forbid("principal == Principal::\"lcoal\""), "1:", "lcoal"),
        (forbid("resource in Plugin::\"erands\""), "1:", "erands"),
        (forbid("context.hour > \"9\""), "1:", ""),
        ("\n\npermit(principal, action == Action::\"errands_start\", resource);".to_owned(), "3:1", "a policy cannot permit"),
        ("permit(principal, action, resource) when { true };".to_owned(), "1:1", "a policy cannot permit"),
        ("forbid(principal == ?principal, action, resource);".to_owned(), "1:", "template"),
        ("forbid(principal, action, resource)".to_owned(), "1:", ""),
        ("@massage(\"x\") forbid(principal, action, resource);".to_owned(), "1:", "`@massage` is no annotation"),
        (
            "@id(\"a\") forbid(principal, action, resource); @id(\"a\") forbid(principal, action, resource);".to_owned(),
            "1:",
            "is taken",
        ),
        ("// \u{202e}\nforbid(principal, action, resource);".to_owned(), "1:4", "hidden character"),
    ] {
        fs::write(house.folder().join("policies/rule.cedar"), &text).unwrap();
        let ran = house.casemate(&["check"]);
        assert!(ran.code == 1 || ran.code == 3, "{text}: {ran:#?}");
        assert!(ran.stderr.contains(&format!("rule.cedar:{place}")) && ran.stderr.contains(said), "{text}: {ran:#?}");
    }
    // Nothing is served meanwhile, by any way in.
    for command in [["serve"].as_slice(), &["call", "errands_ping", "{}"], &["serve", "--http", "127.0.0.1:0"]] {
        let ran = house.casemate(command);
        assert!(ran.code == 1 || ran.code == 3, "{command:?}: {ran:#?}");
        assert!(ran.stderr.contains("rule.cedar:1:4"), "{command:?}: {ran:#?}");
    }
    // A file that cannot be read is not left out, and one of another name is none.
    fs::remove_file(house.folder().join("policies/rule.cedar")).unwrap();
    fs::write(house.folder().join("policies/notes.txt"), "forbid everything").unwrap();
    house.casemate(&["check"]).done();
    fs::create_dir(house.folder().join("policies/folder.cedar")).unwrap();
    assert!(house.casemate(&["check"]).stderr.contains("folder.cedar` cannot be read"));
    fs::remove_dir(house.folder().join("policies/folder.cedar")).unwrap();
    fs::write(house.folder().join("policies/bytes.cedar"), b"forbid(principal, action, resource); // \xff").unwrap();
    assert!(house.casemate(&["check"]).stderr.contains("bytes.cedar"));
    fs::remove_file(house.folder().join("policies/bytes.cedar")).unwrap();
}

/// A policy only narrows: what anything else refuses stays refused, whatever stands there.
#[test]
fn a_permit_for_everything_permits_nothing() {
    let house = house().policy("all.cedar", "permit(principal, action, resource);").serve();
    house.call("wipe", json!({ "group": "lab" })).ended("denied", "disabled", &[]);
    house.call("look", json!({ "group": "sun" })).ended("denied", "out-of-scope", &[]);
    house.call("nothing", json!({})).ended("denied", "unknown-tool", &[]);
    house.call("hosts", json!({})).done(&["200"]);
}

#[test]
fn policies_are_taken_up_whole_or_not_at_all() {
    let mut house = house().serve();
    post(&house, json!({})).done(&["200"]);
    house = house.policy("rule.cedar", "@id(\"closed\") forbid(principal, action == Action::\"errands_post\", resource);");
    post(&house, json!({})).done(&["200"]);
    house.reload();
    forbidden(&house, post(&house, json!({})), "closed");
    // A misspelt one takes nothing away, and neither does one beside it.
    for (file, text) in [
        ("rule.cedar", "@id(\"closed\") forbid(principal, action == Action::\"errands_pots\", resource);"),
        ("other.cedar", "permit(principal, action == Action::\"errands_post\", resource);"),
    ] {
        let refused = house.records("config.refused").len();
        house = house.policy(file, text);
        house.hang_up();
        until("it is refused", || house.records("config.refused").len() > refused);
        forbidden(&house, post(&house, json!({})), "closed");
    }
    let last = house.records("config.refused").pop().unwrap().to_string();
    assert!(last.contains("a policy cannot permit") && last.contains("errands_pots"), "{last}");
    fs::remove_dir_all(house.folder().join("policies")).unwrap();
    house.reload();
    post(&house, json!({})).done(&["200"]);
}
