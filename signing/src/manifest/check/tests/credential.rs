//! Paths, token exchanges, signatures and probes: each rule, broken once.

use serde_json::{Value, json};

use super::{Pointer, Rule, changed, check_each, findings, name};
use crate::manifest::{Credential, Upstream, check::PathFault};

const AT: &str = "upstream.server.credential";

fn with(credential: Value) -> Vec<(&'static str, Value)> {
    vec![("/upstream/server/credential", credential)]
}

/// An exchange that keeps every rule, with one field of it changed; `null` removes.
fn exchange(field: &str, value: Value) -> Value {
    let mut exchange = json!({
        "name": "log-in",
        "path": "/oauth/token",
        "body": { "form": { "grant_type": "client_credentials", "client_secret": { "secret": "api_key" } } },
        "token": "/access_token",
        "lifetime": "/expires_in",
    });
    match (field, value) {
        ("", _) => {}
        (field, Value::Null) => drop(exchange.as_object_mut().unwrap().shift_remove(field)),
        (field, value) => exchange[field] = value,
    }
    json!({ "scheme": "Bearer", "exchange": exchange })
}

#[test]
fn a_secret_in_the_path_stands_before_every_path() {
    for path in [
        "",
        "/",
        "/v1",
        "{secret}",
        "/{secret}/",
        "/a//{secret}",
        "/../{secret}",
        "/{secret}/{secret}",
        "/a?{secret}",
        "/{a}/{secret}",
    ] {
        let credential = with(json!({ "path": path, "secret": "api_key" }));
        check_each(vec![(credential, AT, Rule::CredentialPath(path.to_owned()))]);
    }
    for path in ["/{secret}", "/bot{secret}", "/services/{secret}/v1"] {
        assert_eq!(findings(changed(&with(json!({ "path": path, "secret": "api_key" })))), [], "{path}");
    }
}

#[test]
fn a_token_exchange_is_declared_whole() {
    let fault = |field: &str, value: Value, at: &'static str, rule: Rule| (with(exchange(field, value)), at, rule);
    let inside = "upstream.server.credential.exchange";
    check_each(vec![
        (with(json!({ "exchange": exchange("", Value::Null)["exchange"] })), AT, Rule::TokenPlace),
        fault("upstream", json!("elsewhere"), inside, Rule::UnknownUpstream(name("elsewhere"))),
        fault("name", json!("agent"), "upstream.server.credential.exchange.name", Rule::DuplicateContract(name("agent"))),
        fault(
            "path",
            json!("/a//b"),
            "upstream.server.credential.exchange.path",
            Rule::Path { path: "/a//b".into(), why: PathFault::EmptySegment },
        ),
        fault(
            "path",
            json!("/{tenant}/token"),
            "upstream.server.credential.exchange.parameters",
            Rule::ParameterWithoutPattern("tenant".into()),
        ),
        fault("token", json!("access_token"), inside, Pointer::parse("access_token").unwrap_err().into()),
        fault("expires", json!("/until"), inside, Rule::TokenLifetime),
        fault("lasts", json!(0), inside, Rule::TokenLasts(0)),
        fault("lasts", json!(1_000_000), inside, Rule::TokenLasts(1_000_000)),
    ]);
    let unproved = exchange("body", json!({ "json": { "user": "x" } }));
    let broken = findings(changed(&with(unproved)));
    assert!(broken.iter().any(|error| error.rule == Rule::ExchangeWithoutSecret), "{broken:?}");
    assert_eq!(findings(changed(&with(exchange("", Value::Null)))), []);
    let header = json!({ "header": "x-token", "exchange": exchange("", Value::Null)["exchange"] });
    assert_eq!(findings(changed(&with(header))), []);
}

#[test]
fn what_only_the_host_may_send_is_no_contract() {
    // A contract of the path that the token comes from: the component could get one, and be told it.
    let mut cases = Vec::new();
    for path in ["/api/v2/operations", "/api/{secret}/operations"] {
        let mut credential = exchange("path", json!(path));
        if path.contains('{') {
            credential["exchange"]["parameters"] = json!({ "secret": "v2" });
        }
        cases.push((with(credential), "upstream.server.credential.exchange", Rule::ExchangeSendable(name("create-operation"))));
    }
    check_each(cases);
    // The headers that a signature uses, and the one that carries a token.
    let signed = json!({ "sigv4": { "access_key": "api_key", "secret_key": "api_key", "region": "r", "service": "s" } });
    for (credential, header) in
        [(signed, "x-amz-date"), (json!({ "header": "x-t", "exchange": exchange("", Value::Null)["exchange"] }), "x-t")]
    {
        let mut changes = with(credential);
        let headers = serde_json::Value::Object([(header.to_owned(), json!("^a$"))].into_iter().collect());
        changes.push(("@list-agents/headers", headers));
        check_each(vec![(changes, AT, Rule::CredentialSendable(header.into()))]);
    }
}

#[test]
fn an_upstream_that_only_hands_out_tokens_has_no_contracts() {
    let login = json!({ "origin": "https://login.example", "request": [] });
    let mut changes = with(exchange("upstream", json!("login")));
    changes.push(("/upstream/login", login.clone()));
    assert_eq!(findings(changed(&changes)), []);
    check_each(vec![(vec![("/upstream/login", login)], "upstream.login", Rule::NoContracts)]);
}

#[test]
fn a_signature_is_for_a_text_or_a_setting() {
    let signed = |region: Value| json!({ "sigv4": { "access_key": "api_key", "secret_key": "api_key", "region": region, "service": "sts" } });
    check_each(vec![
        (with(signed(json!({ "secret": "api_key" }))), AT, Rule::SigningScope),
        (with(signed(json!("eu west"))), AT, Rule::SigningScope),
        (with(signed(json!({ "setting": "nowhere" }))), AT, Rule::UnknownSetting("nowhere".into())),
    ]);
    assert_eq!(findings(changed(&with(signed(json!("eu-west-1"))))), []);
}

#[test]
fn only_a_session_token_may_be_left_unset() {
    let optional = ("/secrets/api_key/optional", json!(true));
    check_each(vec![(vec![optional], "secrets.api_key", Rule::OptionalSecret(name("api_key")))]);
    let signed = json!({
        "sigv4": { "access_key": "api_key", "secret_key": "api_key", "session_token": "session", "region": "r", "service": "s" }
    });
    let mut changes = with(signed);
    changes.push(("/secrets/session", json!({ "description": "of temporary keys", "optional": true })));
    assert_eq!(findings(changed(&changes)), []);
}

#[test]
fn a_probe_only_reads_and_is_the_same_every_time() {
    let fine = [("@list-agents/probe", json!(true))];
    let places: Vec<(String, Value)> = fine.iter().map(|(place, value)| (super::full(place), value.clone())).collect();
    let fine: Vec<(&str, Value)> = places.iter().map(|(place, value)| (place.as_str(), value.clone())).collect();
    assert_eq!(findings(changed(&fine)), []);
    for contract in ["agent", "search", "create-operation"] {
        let place = format!("@{contract}/probe");
        let at = format!("@{contract}.probe");
        check_each(vec![(vec![(place.as_str(), json!(true))], at.as_str(), Rule::Probe)]);
    }
}

#[test]
fn each_mode_is_told_apart_by_its_fields() {
    let of = |value: Value| serde_json::from_value::<Credential>(value);
    assert!(matches!(of(json!({ "path": "/{secret}", "secret": "a" })), Ok(Credential::Path(_))));
    assert!(matches!(of(exchange("", Value::Null)), Ok(Credential::Exchange(_))));
    for mixed in [
        json!({ "path": "/{secret}", "secret": "a", "query": "b" }),
        json!({ "scheme": "Bearer", "secret": "a", "exchange": {} }),
        exchange("method", json!("GET")),
        exchange("body", json!({ "form": {}, "json": {} })),
    ] {
        assert!(of(mixed.clone()).is_err(), "{mixed}");
    }
    let upstream = json!({ "origin": "operator", "credential": exchange("", Value::Null), "request": [] });
    let read: Upstream = serde_json::from_value(upstream.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), upstream);
}
