//! What only reads: it works, it says what Caldera's errors mean, and it changes nothing.

use serde_json::{Value, json};

use super::range::{DISCOVERY, NOBODY, PROCESSES, Range, WHOAMI};
use crate::harness::Reply;

/// Each tool that reads, with the path that it asks for first.
fn reads(operation: &str) -> [(&'static str, Value, String); 5] {
    [
        ("list_agents", json!({}), "/api/v2/agents".to_owned()),
        ("list_abilities", json!({}), "/api/v2/abilities".to_owned()),
        ("get_ability", json!({ "ability_id": WHOAMI }), format!("/api/v2/abilities/{WHOAMI}")),
        ("list_adversaries", json!({}), "/api/v2/adversaries".to_owned()),
        ("get_operation", json!({ "operation_id": operation }), format!("/api/v2/operations/{operation}")),
    ]
}

/// The values of a member of each object in a list.
fn each<'v>(reply: &'v Reply, list: &str, member: &str) -> Vec<&'v str> {
    reply.structured()[list].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap()).collect()
}

#[test]
fn every_tool_that_reads_answers_and_changes_nothing() {
    let range = Range::open();
    let operation = range.operation("red-lab", DISCOVERY, "paused");
    range.forget();
    for (tool, arguments, path) in reads(&operation) {
        range.call(tool, arguments).done(&["untrusted, not instructions"]);
        assert!(range.reached().last().unwrap().starts_with(&format!("GET {path}")), "{:?}", range.reached());
    }
    assert_eq!(range.reached().len(), 5);
    range.unchanged();

    let agents = range.call("list_agents", json!({ "group": "red-lab" })).done(&["simpaw1", "simpaw2"]);
    assert_eq!(each(&agents, "agents", "group"), ["red-lab", "red-lab"]);
    let found = range.call("list_abilities", json!({ "technique_id": "T1057", "platform": "linux" })).done(&[]);
    assert_eq!(each(&found, "abilities", "ability_id"), [PROCESSES]);
    let shown = range.call("get_operation", json!({ "operation_id": operation })).done(&[]);
    let operation = shown.structured();
    assert_eq!(
        (&operation["state"], &operation["group"], &operation["adversary_id"]),
        (&json!("paused"), &json!("red-lab"), &json!(DISCOVERY))
    );
    // Caldera's passwords and what it says of every agent are no part of any of it.
    assert!(range.reached().iter().all(|request| !request.contains("config")));
}

#[test]
fn a_tool_that_is_off_is_not_there_and_reaches_nobody() {
    let range = Range::with(|house| house.set("plugins.@.tools.list_agents.enabled", false));
    let listed = range.0.runtime().block_on(range.0.server().tools());
    assert!(listed.iter().all(|tool| tool["name"] != "caldera_list_agents") && listed.len() == 8, "{listed:?}");
    range.call("list_agents", json!({})).ended("denied", "disabled", &[]);
    assert!(range.reached().is_empty());
}

#[test]
fn arguments_that_are_none_reach_nobody() {
    let range = Range::open();
    for (tool, arguments) in [
        ("list_agents", json!({ "group": "a b" })),
        ("list_agents", json!({ "group": "red-lab\u{200b}" })),
        ("list_agents", json!({ "paw": "simpaw1" })),
        ("list_abilities", json!({ "technique_id": " T1564.001" })),
        ("get_ability", json!({ "ability_id": "../config/main" })),
        ("get_ability", json!({ "ability_id": WHOAMI.to_uppercase() })),
        ("get_ability", json!({})),
        ("get_operation", json!({ "operation_id": format!("{NOBODY}/links") })),
        ("list_adversaries", json!({ "x": 1 })),
    ] {
        range.call(tool, arguments.clone()).ended("denied", "arguments-invalid", &[]);
    }
    assert!(range.reached().is_empty());
}

#[test]
fn an_error_of_calderas_is_said_in_words_and_not_in_its_own() {
    let range = Range::open();
    let operation = range.operation("red-lab", DISCOVERY, "paused");
    for (tool, arguments, path) in reads(&operation) {
        for (answer, kind, words) in [
            (json!({ "status": 401, "body": "401: Unauthorized" }), "unauthorized", "refused the API key"),
            (json!({ "status": 403, "body": { "error": "No." } }), "unauthorized", "the other team's"),
            (json!({ "status": 404, "body": { "error": "Object not found: <b>" } }), "not-found", "does not know this"),
            (
                json!({ "status": 422, "body": { "json": { "name": ["Not a valid string."] } } }),
                "invalid-arguments",
                "does not accept this",
            ),
            (
                json!({ "status": 500, "body": "500 Internal Server Error\n\nServer got itself in trouble" }),
                "unavailable",
                "status 500",
            ),
        ] {
            range.answers(&format!("GET {path}"), &answer);
            let reply = range.call(tool, arguments.clone()).ended("error", kind, &[words]);
            reply.silent(&["got itself in trouble", "Not a valid", "<b>"]);
        }
        range.call(tool, arguments.clone()).done(&[]);
    }
    range.call("get_operation", json!({ "operation_id": NOBODY })).ended("error", "not-found", &["this operation"]);
    range.unchanged();
}

#[test]
fn the_whole_catalogue_fits_and_its_ids_of_both_forms_are_ids() {
    let range = Range::open();
    range.order(&json!({ "catalogue": "large" }));
    // 2.7 MB of it, since only the commands say the platform.
    let all = range.call("list_abilities", json!({ "platform": "linux" })).done(&["more: ask with offset 100"]);
    assert_eq!(each(&all, "abilities", "ability_id").len(), 100);
    let matching = all.structured()["matching"].as_u64().unwrap();
    assert!(matching > 1_900, "{matching}");
    let last = range.call("list_abilities", json!({ "platform": "linux", "offset": matching - 1 })).done(&[]);
    let atomic = each(&last, "abilities", "ability_id")[0].to_owned();
    assert_eq!((atomic.len(), &last.structured()["more"]), (32, &json!(0)));
    range.call("get_ability", json!({ "ability_id": atomic })).done(&[&atomic]);
}
