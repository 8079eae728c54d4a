//! What changes something: done as asked, or not at all.

use serde_json::{Value, json};

use super::range::{CHANGES, DISCOVERY, HUNTER, NOBODY, PROCESSES, Range, WHOAMI, create, execute};

/// An ability of the atomic plugin: 32 hexadecimal digits.
fn atomic(range: &Range) -> String {
    let found = range.call("list_abilities", json!({ "technique_id": "T1082", "platform": "linux" })).done(&[]);
    let ids = found.structured()["abilities"].as_array().unwrap().iter().map(|it| it["ability_id"].as_str().unwrap().to_owned());
    ids.into_iter().find(|id| id.len() == 32).unwrap()
}

#[test]
fn each_change_is_made_as_asked() {
    let range = Range::open();
    let made = range
        .call("create_adversary", range.arguments("create_adversary"))
        .done(&["an operator has to add it to scope.adversary"]);
    let adversaries = range.ask("GET", "adversaries", &Value::Null);
    assert!(adversaries.to_string().contains(made.structured()["adversary_id"].as_str().unwrap()));

    let created =
        range.call_fresh("create_operation", create("red-lab", DISCOVERY)).done(&["paused", "set_operation_state lets it run"]);
    let id = created.structured()["operation_id"].as_str().unwrap();
    let body = json!({ "name": "look around", "group": "red-lab", "state": "paused", "auto_close": true, "adversary": { "adversary_id": DISCOVERY } });
    assert_eq!(range.changes(), [body]);
    let theirs = range.ask("GET", &format!("operations/{id}"), &Value::Null);
    assert_eq!(
        (&theirs["state"], &theirs["group"], &theirs["adversary"]["adversary_id"]),
        (&json!("paused"), &json!("red-lab"), &json!(DISCOVERY))
    );

    range.call_fresh("set_operation_state", json!({ "operation_id": id, "state": "running" })).done(&["running"]);
    assert_eq!(range.changes(), [json!({ "state": "running" })]);
    assert_eq!(range.ask("GET", &format!("operations/{id}"), &Value::Null)["state"], "running");

    let ran = range.call_fresh("execute_ability", execute(id, "simpaw1", "red-lab", WHOAMI)).done(&["sh on linux: whoami"]);
    assert_eq!((&ran.structured()["group"], &ran.structured()["outcome"]), (&json!("red-lab"), &json!("waiting")));
    assert_eq!(range.outcome(&ran)["outcome"], "allowed");
}

#[test]
fn an_ability_brings_its_own_command_whatever_its_id_looks_like() {
    let range = Range::with(|house| house.set("grants.tester.scope.technique", vec!["T1082"]));
    let (id, operation) = (atomic(&range), range.operation("red-lab", "ad-hoc", "running"));
    let ability = range.ask("GET", &format!("abilities/{id}"), &Value::Null);
    range.call_fresh("execute_ability", execute(&operation, "simpaw1", "red-lab", &id)).done(&[]);
    let [sent] = range.changes().try_into().unwrap();
    let own = ability["executors"].as_array().unwrap().iter().find(|executor| executor["platform"] == "linux").unwrap();
    for member in ["name", "platform", "command"] {
        assert_eq!(sent["executor"][member], own[member], "{member}");
    }
    // There is no way to say another.
    for (member, value) in [("command", json!("id")), ("executor", json!({ "command": "id" })), ("timeout", json!(1))] {
        let mut arguments = execute(&operation, "simpaw1", "red-lab", WHOAMI);
        arguments[member] = value;
        range.call_fresh("execute_ability", arguments).ended("denied", "arguments-invalid", &[]);
        assert!(range.reached().is_empty());
    }
}

#[test]
fn a_change_that_is_off_or_above_the_grant_reaches_nobody() {
    let off = Range::with(|house| {
        CHANGES.iter().fold(house, |house, tool| house.set(&format!("plugins.@.tools.{tool}.enabled"), false))
    });
    let low = Range::with(|house| house.set("grants.tester.max_effect", "read"));
    for tool in CHANGES {
        let arguments = off.arguments(tool);
        off.call_fresh(tool, arguments).ended("denied", "disabled", &[]);
        let arguments = low.arguments(tool);
        low.call_fresh(tool, arguments).ended("denied", "effect-above-grant", &[]);
        assert!(off.reached().is_empty() && low.reached().is_empty(), "{tool}");
    }
}

/// Denied by what the arguments say, before anything is asked.
#[test]
fn a_target_outside_the_grant_reaches_nobody() {
    let range = Range::open();
    let operation = range.operation("red-lab", "ad-hoc", "running");
    for (tool, arguments, reason) in [
        ("create_operation", create("production", DISCOVERY), "out-of-scope"),
        ("create_operation", create("Red-Lab", DISCOVERY), "out-of-scope"),
        ("create_operation", create("red-lab", HUNTER), "out-of-scope"),
        ("create_operation", create("", DISCOVERY), "arguments-invalid"),
        ("create_operation", json!({ "name": "all of them", "adversary_id": DISCOVERY }), "arguments-invalid"),
        ("create_operation", create("*", DISCOVERY), "arguments-invalid"),
        ("execute_ability", execute(&operation, "prodpaw1", "production", WHOAMI), "out-of-scope"),
        ("execute_ability", json!({ "operation_id": operation, "paw": "simpaw1", "ability_id": WHOAMI }), "arguments-invalid"),
    ] {
        range.call_fresh(tool, arguments.clone()).ended("denied", reason, &[]);
        assert!(range.reached().is_empty(), "{arguments}");
    }
}

/// Denied by what Caldera says, after it was asked.
#[test]
fn a_target_that_only_caldera_knows_is_held_to_the_grant() {
    let range = Range::open();
    let set = |operation: &str| json!({ "operation_id": operation, "state": "running" });
    for (group, adversary) in [("production", DISCOVERY), ("red-lab", HUNTER)] {
        let operation = range.operation(group, adversary, "paused");
        range.forget();
        let reply = range.call("set_operation_state", set(&operation)).ended("denied", "egress-refused", &[]);
        range.0.expect_refusal(&reply, "established-out-of-scope");
        range.unchanged();
        assert_eq!(range.ask("GET", &format!("operations/{operation}"), &Value::Null)["state"], "paused");
    }
    // On every agent there is.
    let everywhere = range.operation("", DISCOVERY, "paused");
    range.call_fresh("set_operation_state", set(&everywhere)).ended("error", "invalid-arguments", &["on every agent"]);
    range.unchanged();

    let running = range.operation("", "ad-hoc", "running");
    let reply = range.call_fresh("execute_ability", execute(&running, "simpaw1", "red-lab", PROCESSES));
    range.0.expect_refusal(&reply.ended("denied", "egress-refused", &[]), "established-out-of-scope");
    let reply = range.call_fresh("execute_ability", execute(&running, "prodpaw1", "red-lab", WHOAMI));
    reply.ended("error", "invalid-arguments", &["the agent is in group `production`, and not in `red-lab`"]);
    range.unchanged();
}

/// Both groups are granted, and the call is about one of them: it does not act on the other, and the budget counts what it named.
#[test]
fn a_call_about_one_group_does_not_act_on_another_that_is_granted_too() {
    let budget: toml::Value =
        toml::toml! { a = [{ tools = "caldera_execute_ability", distinct = "group", max = 1, per = "1d" }] }["a"].clone();
    let range = Range::with(|house| {
        house.set("grants.tester.scope.group", vec!["red-lab", "production"]).set("grants.tester.budget", budget)
    });
    let operation = range.operation("", "ad-hoc", "running");
    let reply = range.call_fresh("execute_ability", execute(&operation, "prodpaw1", "red-lab", WHOAMI));
    reply.ended("error", "invalid-arguments", &["in group `production`"]);
    range.unchanged();
    range.call_fresh("execute_ability", execute(&operation, "simpaw1", "red-lab", WHOAMI)).done(&[]);
    range.call_fresh("execute_ability", execute(&operation, "prodpaw1", "production", WHOAMI)).ended(
        "denied",
        "budget-exhausted",
        &[],
    );
    assert!(range.reached().is_empty());
}

#[test]
fn a_dry_run_plans_the_change_and_makes_none() {
    let range = Range::with(|house| {
        CHANGES.iter().fold(house, |house, tool| house.set(&format!("plugins.@.tools.{tool}.dry_run"), true))
    });
    for (tool, method) in CHANGES.into_iter().zip(["POST", "POST", "PATCH", "POST"]) {
        let arguments = range.arguments(tool);
        let reply = range.call_fresh(tool, arguments);
        assert_eq!(reply.decision(), "planned", "{reply:#?}");
        let [request] = reply.structured()["plan"]["requests"].as_array().unwrap().as_slice() else { panic!("{reply:#?}") };
        assert_eq!(request["method"], method);
        assert_eq!(range.outcome(&reply)["outcome"], "allowed");
        assert!(range.reached().iter().all(|request| request.starts_with("GET ")), "{:?}", range.reached());
    }
    let operation = range.operation("red-lab", "ad-hoc", "running");
    let planned = range
        .call_fresh("execute_ability", execute(&operation, "simpaw1", "red-lab", WHOAMI))
        .done(&["whoami", "‹secret api_key›"]);
    let request = &planned.structured()["plan"]["requests"][0];
    assert_eq!(request["targets"], json!({ "group": ["red-lab"], "technique": ["T1033"] }));
    assert_eq!(range.ask("GET", &format!("operations/{operation}"), &Value::Null)["chain"], json!([]));
}

#[test]
fn an_operation_that_does_not_run_is_never_posted_to() {
    let range = Range::open();
    for state in ["paused", "finished"] {
        let operation = range.operation("red-lab", "ad-hoc", "paused");
        range.ask("PATCH", &format!("operations/{operation}"), &json!({ "state": state }));
        let reply = range.call_fresh("execute_ability", execute(&operation, "simpaw1", "red-lab", WHOAMI));
        reply.ended("error", "invalid-arguments", &["nothing was run", state]);
        range.unchanged();
    }
}

#[test]
fn what_is_not_there_is_not_changed() {
    let range = Range::open();
    let operation = range.operation("red-lab", "ad-hoc", "running");
    let gone = json!({ "name": "x", "description": "d", "ability_ids": [WHOAMI, NOBODY] });
    range.call_fresh("create_adversary", gone).ended("error", "not-found", &[NOBODY, "nothing was created"]);
    range.unchanged();
    for (tool, arguments) in [
        ("set_operation_state", json!({ "operation_id": NOBODY, "state": "paused" })),
        ("execute_ability", execute(NOBODY, "simpaw1", "red-lab", WHOAMI)),
        ("execute_ability", execute(&operation, "nobody", "red-lab", WHOAMI)),
        ("execute_ability", execute(&operation, "simpaw1", "red-lab", NOBODY)),
    ] {
        range.call_fresh(tool, arguments).ended("error", "not-found", &[]);
        range.unchanged();
    }
    // Granted, and deleted since: Caldera would take none in its place.
    let range = Range::with(|house| house.set("grants.tester.scope.adversary", vec![NOBODY]));
    range.call_fresh("create_operation", create("red-lab", NOBODY)).ended("error", "not-found", &[]);
    range.unchanged();
}

#[test]
fn an_error_before_a_change_ends_it_there() {
    let range = Range::open();
    for tool in CHANGES {
        for (answer, kind) in [
            (json!({ "status": 401, "body": "401: Unauthorized" }), "unauthorized"),
            (json!({ "status": 404, "body": { "error": "not found" } }), "not-found"),
            (json!({ "status": 422, "body": { "json": {} } }), "invalid-arguments"),
            (json!({ "status": 500, "body": "500 Internal Server Error" }), "unavailable"),
        ] {
            let arguments = range.arguments(tool);
            range.answers(&Range::first_read(tool, &arguments), &answer);
            let reply = range.call_fresh(tool, arguments).ended("error", kind, &[]);
            reply.silent(&["it has happened", "is not known", "did not do it"]);
            range.unchanged();
        }
    }
}

/// Caldera says that it did not do it. Nobody is told that it happened, and nothing is tried again.
#[test]
fn a_change_that_caldera_declines_has_not_happened() {
    let range = Range::open();
    for tool in CHANGES {
        for (answer, kind) in [
            (json!({ "status": 401, "body": "401: Unauthorized" }), "unauthorized"),
            (json!({ "status": 404, "body": { "error": "Operation not found: x" } }), "not-found"),
            (json!({ "status": 422, "body": { "json": { "name": ["Missing data for required field."] } } }), "invalid-arguments"),
        ] {
            let arguments = range.arguments(tool);
            range.answers(&Range::change(tool, &arguments), &answer);
            let reply = range.call_fresh(tool, arguments).ended("error", kind, &["the upstream says that it did not do it"]);
            reply.clone().silent(&["it has happened", "is not known"]);
            assert_eq!(range.changes().len(), 1, "{tool}: once");
            assert_eq!(range.outcome(&reply)["outcome"], "error");
        }
    }
}
