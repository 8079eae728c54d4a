//! Every way to authenticate, against an upstream that echoes everything in every spelling.

use serde_json::json;

use super::{MODES, USER, house, last_key, soon};
use crate::harness::secret::Secret;

/// Values that make trouble in one encoding or another, and as many plain ones as make a hundred.
pub(super) fn hundred() -> Vec<String> {
    let mut values: Vec<String> = [
        "k3y/with+odd=chars\"&<>'\\`{}|^~",
        "%41%42-literal-%25-percent",
        "blanks  between words of it",
        "&amp;-entity-&#39;-literal;",
        "\\u0041-\\n-literal-escapes",
        "ünïcödé-pässwörd-ÿ",
        "密码-秘密-钥匙-三",
        "🔑🗝️🔑🗝️-keys",
        "مفتاح-سري-للغاية",
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWl0",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "zQ9!x?",
        "~~*#@;",
        "7f3c9a52-1d4e-4c11-9b6e-1f2a3b4c5d6e",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "?key=value&other=thing#part",
        "user:pass@host:8443/path",
        "trailing-equals====",
        "+++plus+++slash///",
        "CamelCaseOnlyLettersInside",
        "'; DROP TABLE secrets; --",
        "<script>alert('x')</script>",
        "${jndi:ldap://x.example/a}",
        "{{template}} {%block%}",
    ]
    .map(str::to_owned)
    .into();
    values.push("long-".to_owned() + &"aB3$".repeat(700));
    values.extend((values.len()..100).map(|at| format!("{}-{at}", Secret::new().value())));
    values
}

#[test]
fn a_hundred_secrets_in_every_mode_are_nowhere() {
    let mut house = house().serve();
    for (at, value) in hundred().iter().enumerate() {
        house.give(value);
        soon("the new value is sent", || last_key(&house).as_deref() == Some(value));
        let secret = Secret::of(value);
        let item = ["one", "error", "moved", "wide", "failure"][at % 5];
        let reply = house.run(&format!("{} {item}", MODES.join(",")));
        let what = format!("the answer to {item} with {value}");
        secret.assert_not_in(&what, reply.text().as_bytes());
        secret.assert_not_in(&what, format!("{reply:?}").as_bytes());
        if item != "failure" {
            for mode in MODES {
                assert!(reply.text().contains(&format!("{mode}: ")), "{mode} was not asked: {reply:?}");
            }
            let echoed = reply.text().matches("‹secret api_key›").count();
            assert!(echoed >= 5, "{what}: {echoed} echoes: {reply:?}");
        }
    }
    // Signatures and tokens stand for the secret; it never leaves but to the token endpoint.
    let received = house.upstreams().received_by("mirror");
    let signed = received.iter().filter(|one| one.headers("authorization").iter().any(|it| it.starts_with("AWS4-HMAC-SHA256 ")));
    assert_eq!(signed.count(), 100);
    house.goes_on();
}

#[test]
fn each_mode_sends_the_secret_where_its_manifest_says() {
    let house = house().serve();
    let key = house.secret().value().to_owned();
    let sent = |mode: &str| {
        house.upstreams().forget_received();
        house.run(&format!("{mode} one")).done(&["200"]);
        house.upstreams().received_by("mirror").pop().unwrap()
    };
    assert_eq!(sent("header").headers("x-api-key").as_slice(), std::slice::from_ref(&key));
    assert_eq!(sent("scheme").headers("authorization"), [format!("Bearer {key}")]);
    assert!(sent("basic").headers("authorization")[0].starts_with("Basic "));
    assert_eq!(sent("query").target(), format!("/items/one?key={key}"));
    assert_eq!(sent("path").target(), format!("/bot{key}/items/one"));
    assert_eq!(sent("exchange").headers("authorization"), ["Token token-number-1"]);
    let signed = sent("signed");
    let authorization = &signed.headers("authorization")[0];
    assert!(authorization.contains(&format!("Credential={USER}/")) && authorization.contains("/eu-west-1/lab/aws4_request"));
    assert!(
        authorization.contains("SignedHeaders=accept;host;x-amz-content-sha256;x-amz-date")
            || authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date"),
        "{authorization}"
    );
    let date = signed.headers("x-amz-date").pop().unwrap();
    assert!(date.len() == 16 && date.ends_with('Z') && date.as_bytes()[8] == b'T', "{date}");
    // SHA-256 of no bytes.
    assert_eq!(signed.headers("x-amz-content-sha256"), ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]);
}

#[test]
fn a_token_is_had_once_and_anew_when_it_is_refused() {
    let mut house = house().serve();
    let posts = |house: &crate::harness::House| {
        house.upstreams().received_by("mirror").iter().filter(|one| one.method() == "POST").count()
    };
    for _ in 0..3 {
        house.run("exchange one").done(&["200"]);
    }
    assert_eq!(posts(&house), 1, "a token is kept");
    house.upstreams().order("mirror", &json!("revoke"));
    house.run("exchange one").done(&["200"]);
    assert_eq!(posts(&house), 2, "what is refused is had anew");
    // An upstream that refuses every token is asked twice, and no more.
    house.upstreams().script_for("mirror", json!({ "times": 5, "path": "/items", "answer": { "status": 401, "body": "no" } }));
    house.upstreams().forget_received();
    house.run("exchange one").done(&["401"]);
    let received = house.upstreams().received_by("mirror");
    let methods: Vec<&str> = received.iter().map(|one| one.method()).collect();
    assert_eq!(methods, ["GET", "POST", "GET"]);
    house.close();
    let records: String = house.audit().iter().map(|record| record.to_string()).collect();
    assert!(records.contains("log-in") && records.contains("/oauth/token"), "the exchange is on record");
    assert!(!records.contains("token-number-"), "and its token is not");
}

#[test]
fn an_exchange_that_is_refused_ends_the_request_and_says_nothing() {
    let mut house = house();
    house.give("refused-client-secret-value");
    let mut house = house.serve();
    let reply = house.run("exchange one");
    assert!(reply.is_error(), "{reply:?}");
    let received = house.upstreams().received_by("mirror");
    assert!(received.iter().all(|one| one.method() == "POST"), "nothing was sent without a token: {received:?}");
    house.close();
    let records: String = house.audit().iter().map(|record| record.to_string()).collect();
    assert!(records.contains("the token exchange `log-in` was answered with status 401"), "{records}");
}

#[test]
fn what_a_reviewer_sees_of_an_exchange_is_where_secrets_go() {
    let house = house();
    house.install().done();
    let sheet = house.casemate(&["inspect", "every-credential"]).done().stdout;
    for line in [
        "token of `log-in` in Authorization: Token",
        "POST /oauth/token   (log-in), for a token",
        "client_secret is ‹secret api_key›",
        "grant_type is client_credentials",
        "token is /access_token of the answer",
        "secret `api_key` before every path: /bot{secret}",
        "AWS signature (version 4) with secrets `user` and `api_key`",
        "the host may send it by itself",
    ] {
        assert!(sheet.contains(line), "`{line}` is not in\n{sheet}");
    }
}
