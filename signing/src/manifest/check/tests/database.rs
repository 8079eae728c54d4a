//! What an upstream that speaks PostgreSQL may be sent: each rule, broken once.

use serde_json::{Value, json};

use super::{Rule, RuleError, findings, valid};

/// The valid manifest with a database, of which one place is changed.
fn database(place: &str, value: Value) -> Vec<RuleError> {
    let mut manifest = valid();
    manifest["secrets"]["user"] = json!({ "description": "user" });
    manifest["upstream"]["db"] = json!({
        "protocol": "postgresql",
        "origin": "operator",
        "credential": { "username": "user", "secret": "api_key" },
        "request": [{
            "name": "ask-db",
            "method": "POST",
            "path": "/{database}",
            "parameters": { "database": "^[a-z]{1,63}$" },
            "effect": "read",
            "reason": "a statement is posted",
            "content_type": "application/json",
            "closed": true,
            "allow": { "body": ["/statement"] },
        }],
    });
    manifest["tool"]["agents"]["requests"].as_array_mut().unwrap().push(json!("ask-db"));
    if !place.is_empty() {
        *manifest["upstream"]["db"].pointer_mut(place).unwrap() = value;
    }
    findings(manifest)
}

#[test]
fn a_database_is_asked_one_way() {
    assert_eq!(database("", Value::Null), []);
    for (place, value, at, rule) in [
        ("/origin", json!("https://db.example"), "upstream.db.origin", Rule::DatabaseOrigin),
        ("/credential", json!({ "header": "x-key", "secret": "user" }), "upstream.db.credential", Rule::DatabaseCredential),
        ("/request/0/closed", json!(false), "upstream.db.request.ask-db", Rule::DatabaseRequest),
        ("/request/0/effect", json!("write"), "upstream.db.request.ask-db", Rule::DatabaseRequest),
        ("/request/0/path", json!("/{database}/x"), "upstream.db.request.ask-db", Rule::DatabaseRequest),
        ("/request/0/method", json!("PUT"), "upstream.db.request.ask-db", Rule::DatabaseRequest),
        (
            "/request/0/content_type",
            json!("application/x-www-form-urlencoded"),
            "upstream.db.request.ask-db",
            Rule::DatabaseRequest,
        ),
    ] {
        assert!(database(place, value.clone()).contains(&RuleError { at: at.to_owned(), rule }), "{place} {value}");
    }
}
