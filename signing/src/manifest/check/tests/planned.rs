//! What is assumed and what is volatile: each rule, broken once.

use serde_json::{Value, json};

use super::{Pointer, Rule, RuleError, changed, check_each, established::agent, findings, full};

#[test]
fn an_answer_is_assumed_to_what_is_not_sent_in_a_dry_run() {
    let assume = |status: u64, body: Value| json!({ "status": status, "body": body });
    let at = "@create-operation.assume";
    let create = |assume: Value| vec![("@create-operation/assume", assume)];
    check_each(vec![
        (vec![("@agent/assume", assume(200, json!({})))], "@agent.assume", Rule::AssumeOnRead),
        (vec![("@search/assume", assume(200, json!({})))], "@search.assume", Rule::AssumeOnRead),
        (create(assume(199, json!({}))), at, Rule::AssumeStatus(199)),
        (create(assume(300, json!({}))), at, Rule::AssumeStatus(300)),
        (create(assume(0, json!({}))), at, Rule::AssumeStatus(0)),
        (create(assume(200, json!("x".repeat((16 << 10) - 1)))), at, Rule::AssumeBody { bytes: (16 << 10) + 1, max: 16 << 10 }),
        (
            create(assume(200, json!({ "id": 9_007_199_254_740_993_u64 }))),
            "upstream.server.request[4].assume.body.id",
            Rule::InexactNumber("9007199254740993".to_owned()),
        ),
    ]);
    for fine in [assume(200, json!({ "id": "x" })), assume(299, json!("x".repeat((16 << 10) - 2))), json!({ "status": 204 })] {
        assert_eq!(findings(changed(&[(&full("@create-operation/assume"), fine)])), []);
    }
}

#[test]
fn volatile_is_what_is_named_and_nothing_that_limits() {
    let at = |place: &str| format!("@create-operation.volatile.{place}");
    let create = |volatile: Value, more: Vec<(&'static str, Value)>| {
        let named = [
            ("@create-operation/query", json!({ "t": "^[0-9]{1,9}$" })),
            ("@create-operation/headers", json!({ "x-request-id": "^[a-z]{1,9}$" })),
            ("@create-operation/allow", json!({ "body": ["/nonce", "/meta"] })),
        ];
        let changes = named.into_iter().chain(more).chain([("@create-operation/volatile", volatile)]);
        changes.collect::<Vec<_>>()
    };
    let key = || {
        vec![
            ("@create-operation/scope/target", agent(json!({ "paw": { "body": "/meta/paw" } }))),
            ("/tool/create_operation/requests", json!(["agent", "create-operation", "note"])),
        ]
    };
    let query_key = || {
        vec![
            ("@create-operation/scope/target", agent(json!({ "paw": { "query": "t" } }))),
            ("/tool/create_operation/requests", json!(["agent", "create-operation", "note"])),
        ]
    };
    let require = |body: Value| vec![("@create-operation/require", json!({ "body": body }))];
    for (volatile, more, place, rule) in [
        (json!({ "query": ["u"] }), vec![], "query.u", Rule::PlaceNotInQuery("u".into())),
        (json!({ "headers": ["accept"] }), vec![], "headers.accept", Rule::PlaceNotInHeaders("accept".into())),
        (json!({ "headers": ["X-Request-Id"] }), vec![], "headers.X-Request-Id", Rule::PlaceNotInHeaders("X-Request-Id".into())),
        (json!({ "body": ["/other"] }), vec![], "body./other", Rule::VolatileNotAllowed("/other".into())),
        (json!({ "body": ["/met"] }), vec![], "body./met", Rule::VolatileNotAllowed("/met".into())),
        (json!({ "body": ["nonce"] }), vec![], "body.nonce", Rule::Pointer(Pointer::parse("nonce").unwrap_err())),
        (json!({ "body": [""] }), vec![], "body.", Rule::Pointer(Pointer::parse("").unwrap_err())),
        (json!({ "body": ["/group"] }), vec![], "body./group", Rule::VolatileHeld("/group".into())),
        (json!({ "body": ["/group/0"] }), vec![], "body./group/0", Rule::VolatileHeld("/group/0".into())),
        (json!({ "body": ["/meta"] }), key(), "body./meta", Rule::VolatileHeld("/meta".into())),
        (json!({ "body": ["/meta/paw"] }), key(), "body./meta/paw", Rule::VolatileHeld("/meta/paw".into())),
        (json!({ "query": ["t"] }), query_key(), "query.t", Rule::VolatileHeld("t".into())),
        (json!({ "body": ["/nonce"] }), require(json!({ "/nonce": "a" })), "body./nonce", Rule::VolatileHeld("/nonce".into())),
        (json!({ "body": ["/meta"] }), require(json!({ "/meta/a": "a" })), "body./meta", Rule::VolatileHeld("/meta".into())),
        (
            json!({ "query": ["t"] }),
            vec![("@create-operation/require", json!({ "query": { "t": "1" } }))],
            "query.t",
            Rule::VolatileHeld("t".into()),
        ),
        (
            json!({ "headers": ["x-request-id"] }),
            vec![
                ("@create-operation/scope/target", json!({ "header": "x-request-id" })),
                ("/tool/create_operation/scope/target", json!({ "argument": "/group" })),
            ],
            "headers.x-request-id",
            Rule::VolatileHeld("x-request-id".into()),
        ),
    ] {
        check_each(vec![(create(volatile, more), at(place).as_str(), rule)]);
    }
    check_each(vec![
        (vec![("@list-agents/volatile", json!({ "query": ["page"] }))], "@list-agents.volatile", Rule::VolatileOnRead),
        (vec![("@note/volatile", json!({ "body": ["kind"] }))], "@note.volatile.body.kind", Rule::VolatileHeld("kind".into())),
        (vec![("@note/volatile", json!({ "body": ["/text"] }))], "@note.volatile.body./text", Rule::FieldName("/text".into())),
    ]);
    let unread = findings(changed(&[
        (&full("@create-operation/content_type"), json!("application/octet-stream")),
        (&full("@create-operation/forbid"), Value::Null),
        (&full("@create-operation/scope"), json!({ "group": { "header": "x-group" } })),
        (&full("@create-operation/headers"), json!({ "x-group": "^[a-z]{1,9}$" })),
        (&full("@create-operation/volatile"), json!({ "body": ["/a"] })),
    ]));
    let rule = Rule::BodyNotParsed("volatile.body");
    assert_eq!(unread, [RuleError { at: "upstream.server.request.create-operation.volatile".into(), rule }]);
    for (volatile, more) in [
        (json!({ "query": ["t"], "headers": ["x-request-id"], "body": ["/nonce", "/meta/a"] }), vec![]),
        (json!({ "body": ["/nonce"] }), key()),
    ] {
        let changes: Vec<(String, Value)> =
            create(volatile, more).into_iter().map(|(place, value)| (full(place), value)).collect();
        let changes: Vec<(&str, Value)> = changes.iter().map(|(place, value)| (place.as_str(), value.clone())).collect();
        assert_eq!(findings(changed(&changes)), []);
    }
    assert_eq!(findings(changed(&[(&full("@note/volatile"), json!({ "body": ["text"] }))])), []);
}
