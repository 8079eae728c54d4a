//! What a read establishes: each rule, broken once.

use serde_json::{Value, json};

use super::{Pointer, Rule, changed, check_each, findings, full, name};

/// Both dimensions of `create-operation` are limited: one in its body, one by what the read of an agent establishes.
fn linked(established: Value) -> Vec<(&'static str, Value)> {
    vec![
        ("@create-operation/scope/target", established),
        ("/tool/create_operation/requests", json!(["agent", "create-operation", "note"])),
    ]
}

pub(super) fn agent(key: Value) -> Value {
    json!({ "from": "agent", "key": key, "value": "/links/*/host" })
}

#[test]
fn what_a_read_establishes_is_something_that_can_be_asked() {
    let paw = json!({ "paw": { "body": "/paw" } });
    let at = "@create-operation.scope.target";
    let with = |place: &'static str, value: Value, rule: Rule| {
        let mut changes = linked(agent(paw.clone()));
        changes.push((place, value));
        (changes, at, rule)
    };
    check_each(vec![
        (linked(json!({ "from": "gone", "key": {}, "value": "/a" })), at, Rule::FromUnknown(name("gone"))),
        (linked(agent(json!({}))), at, Rule::KeyMissing { read: name("agent"), parameter: "paw".into() }),
        (
            linked(agent(json!({ "paw": { "body": "/paw" }, "other": { "body": "/other" } }))),
            "@create-operation.scope.target.key.other",
            Rule::KeyUnknown { read: name("agent"), parameter: "other".into() },
        ),
        (
            linked(agent(json!({ "paw": { "query": "paw" } }))),
            "@create-operation.scope.target.key.paw",
            Rule::PlaceNotInQuery("paw".into()),
        ),
        (linked(agent(json!({ "paw": { "form": "paw" } }))), "@create-operation.scope.target.key.paw", Rule::PlaceNotForm),
        (
            linked(agent(json!({ "paw": { "body": "paw" } }))),
            "@create-operation.scope.target.key.paw",
            Rule::Pointer(Pointer::parse("paw").unwrap_err()),
        ),
        (
            linked(json!({ "from": "agent", "key": paw, "value": "host" })),
            "@create-operation.scope.target.value",
            Rule::Pointer(Pointer::parse("host").unwrap_err()),
        ),
        (
            vec![
                ("@create-operation/scope/target", json!({ "from": "list-agents", "key": {}, "value": "/a" })),
                ("/tool/create_operation/requests", json!(["create-operation", "list-agents", "note"])),
            ],
            at,
            Rule::FromWithoutParameter(name("list-agents")),
        ),
        with("@agent/method", json!("HEAD"), Rule::FromNotRead(name("agent"))),
        (
            vec![("@create-operation/scope/target", agent(paw.clone()))],
            "tool.create_operation.requests",
            Rule::FromNotUsable { contract: name("create-operation"), read: name("agent") },
        ),
    ]);
    // With the errors that these are for other reasons, too.
    let rules = |place: &'static str, value: Value| {
        let (changes, ..) = with(place, value, Rule::NoTools);
        let places: Vec<(String, Value)> = changes.into_iter().map(|(place, value)| (full(place), value)).collect();
        let changes: Vec<(&str, Value)> = places.iter().map(|(place, value)| (place.as_str(), value.clone())).collect();
        findings(changed(&changes)).into_iter().map(|error| error.rule).collect::<Vec<_>>()
    };
    for (place, value) in
        [("@agent/effect", json!("write")), ("@agent/content_type", json!("text/plain")), ("@agent/method", json!("DELETE"))]
    {
        assert!(rules(place, value.clone()).contains(&Rule::FromNotRead(name("agent"))), "{place} {value}");
    }
    let itself = json!({ "group": { "from": "agent", "key": { "paw": { "path": "paw" } }, "value": "/group" } });
    assert_eq!(rules("@agent/scope", itself), [Rule::FromChained(name("agent"))]);
    assert_eq!(rules("/tool/create_operation/idempotent", json!(true)), [], "and without a fault there is none");
}

#[test]
fn a_requirement_is_established_by_the_same_rules() {
    let required = |established: Value| {
        vec![
            ("@create-operation/require", json!({ "body": { "/command": established } })),
            ("/tool/create_operation/requests", json!(["agent", "create-operation", "note"])),
        ]
    };
    let at = "@create-operation.require./command";
    check_each(vec![
        (required(json!({ "from": "gone", "key": {}, "value": "/a" })), at, Rule::FromUnknown(name("gone"))),
        // Not what a read establishes, and nothing else that can be required.
        (required(json!({ "from": "agent", "key": {} })), at, Rule::Requirement),
        (required(json!({ "from": "agent", "key": {}, "value": "/a", "x": 1 })), at, Rule::Requirement),
        (
            vec![("@create-operation/require", json!({ "body": { "/command": agent(json!({ "paw": { "body": "/paw" } })) } }))],
            "tool.create_operation.requests",
            Rule::FromNotUsable { contract: name("create-operation"), read: name("agent") },
        ),
    ]);
    let fine: Vec<(String, Value)> =
        required(agent(json!({ "paw": { "body": "/paw" } }))).into_iter().map(|(place, value)| (full(place), value)).collect();
    let fine: Vec<(&str, Value)> = fine.iter().map(|(place, value)| (place.as_str(), value.clone())).collect();
    assert_eq!(findings(changed(&fine)), []);
}

#[test]
fn an_established_dimension_needs_no_argument_and_a_chosen_one_does() {
    let changes = |scope: Value| {
        let scope = scope.as_object().unwrap().iter().map(|(name, at)| (format!("@create-operation/scope/{name}"), at.clone()));
        let mut changes: Vec<(String, Value)> = scope.collect();
        changes.push(("/tool/create_operation/requests".to_owned(), json!(["agent", "create-operation", "note"])));
        changes.push(("/tool/create_operation/scope".to_owned(), Value::Null));
        let changes: Vec<(String, Value)> = changes.into_iter().map(|(place, value)| (full(&place), value)).collect();
        let changes: Vec<(&str, Value)> = changes.iter().map(|(place, value)| (place.as_str(), value.clone())).collect();
        findings(changed(&changes)).into_iter().map(|error| error.rule).collect::<Vec<_>>()
    };
    let established = agent(json!({ "paw": { "body": "/paw" } }));
    assert_eq!(changes(json!({ "group": established, "target": established })), []);
    let unbound = |dimension: &str| Rule::DimensionNotBound { contract: name("create-operation"), dimension: name(dimension) };
    assert_eq!(changes(json!({ "group": { "body": "/group" }, "target": established })), [unbound("group")]);
    assert_eq!(changes(json!({ "group": established, "target": { "body": "/host" } })), [unbound("target")]);
    // Required to be within the grant at a place of the request, too: that one is chosen.
    let mut both = changed(&[
        (&full("@create-operation/require"), json!({ "body": { "/other": { "scope": "target" } } })),
        (&full("@create-operation/scope/target"), established),
        ("/tool/create_operation/requests", json!(["agent", "create-operation", "note"])),
    ]);
    let rules = |manifest: &Value| findings(manifest.clone()).into_iter().map(|error| error.rule).collect::<Vec<_>>();
    assert_eq!(rules(&both), [unbound("target")]);
    both["tool"]["create_operation"]["scope"]["target"] = json!({ "argument": "/group" });
    assert_eq!(rules(&both), []);
}
