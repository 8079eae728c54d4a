//! Logging in: who gets a credential, and who does not.

use std::path::Path;

use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_registry::{Credentials, HostRule, Settings};
use serde_json::{Value, json};

use crate::fixture::{Registry, Seen, code, drip, endless, reply, settings, unauthorized};

pub(crate) const PASSWORD: &str = "correct-horse-battery";
pub(crate) const TOKEN: &str = "short-lived-t0ken";

pub(crate) fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("publisher:{PASSWORD}")))
}

fn config(text: &Value) -> Credentials {
    Credentials::from_docker_config(text.to_string().as_bytes(), Path::new("config.json")).unwrap()
}

/// The settings of someone who logged in at this host.
pub(crate) fn logged_in(host: &str) -> Settings {
    let auth = STANDARD.encode(format!("publisher:{PASSWORD}"));
    Settings { credentials: config(&json!({ "auths": { host: { "auth": auth } } })), ..settings() }
}

/// Only the right password will do.
fn wants_password(seen: &Seen) -> Option<Response> {
    (seen.authorization() != Some(&basic())).then(|| unauthorized(r#"Basic realm="registry""#))
}

/// Only a token will do, which `realm` hands out.
fn wants_token(registry: &Registry, realm: &str) {
    let challenge = format!(r#"Bearer realm="{realm}",service="registry",scope="repository:others/secret:pull,push,delete""#);
    registry.fault(move |seen| match seen.path.as_str() {
        "/token" => Some(reply(200, &[], json!({ "token": TOKEN }).to_string())),
        _ => (seen.authorization() != Some(&format!("Bearer {TOKEN}"))).then(|| unauthorized(&challenge)),
    });
}

/// Everything a registry was sent that looks like a credential.
pub(crate) fn authorizations(registry: &Registry) -> Vec<String> {
    registry.seen().iter().filter_map(|seen| seen.authorization().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_password_goes_to_the_host_that_asks_for_it() {
    let registry = Registry::with(wants_password).await;
    assert_eq!(code(&registry, logged_in(&registry.host)).await, "ok");
    assert!(registry.seen()[0].authorization().is_none(), "nobody is told more than they ask");
    assert!(authorizations(&registry).iter().all(|sent| *sent == basic()));
}

#[tokio::test]
async fn a_password_stays_home_where_nobody_asks() {
    let registry = Registry::new().await;
    assert_eq!(code(&registry, logged_in(&registry.host)).await, "ok");
    assert!(authorizations(&registry).is_empty());
}

#[tokio::test]
async fn another_hosts_password_is_not_sent() {
    let registry = Registry::with(wants_password).await;
    assert_eq!(code(&registry, logged_in("ghcr.io")).await, "login-needed");
    assert_eq!(code(&registry, logged_in("127.0.0.1:1")).await, "login-needed");
    assert!(authorizations(&registry).is_empty());
}

#[tokio::test]
async fn a_password_that_does_not_do_is_sent_once() {
    let registry = Registry::with(|_| Some(unauthorized(r#"Basic realm="registry""#))).await;
    assert_eq!(code(&registry, logged_in(&registry.host)).await, "credential-rejected");
    assert_eq!(registry.seen().len(), 2);
}

#[tokio::test]
async fn a_helper_is_named() {
    let registry = Registry::with(wants_password).await;
    let credentials = config(&json!({ "auths": { registry.host.as_str(): {} }, "credsStore": "desktop" }));
    assert_eq!(code(&registry, Settings { credentials, ..settings() }).await, "credential-helper");
}

#[tokio::test]
async fn a_challenge_has_to_be_understood() {
    for challenge in ["Negotiate", "Bearer", r#"Bearer service="x""#, "\"", ""] {
        let registry = Registry::with(move |_| Some(unauthorized(challenge))).await;
        assert_eq!(code(&registry, logged_in(&registry.host)).await, "challenge-unknown", "{challenge}");
        assert!(authorizations(&registry).is_empty());
    }
}

#[tokio::test]
async fn a_token_is_for_this_repository_and_comes_from_the_registry_itself() {
    let registry = Registry::new().await;
    wants_token(&registry, &format!("http://{}/token?a=b", registry.host));
    assert_eq!(code(&registry, logged_in(&registry.host)).await, "ok");
    let asked: Vec<Seen> = registry.seen().into_iter().filter(|seen| seen.path == "/token").collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].query, "a=b&service=registry&scope=repository%3Aacme%2Fplugin%3Apull");
    assert_eq!(asked[0].authorization(), Some(basic().as_str()));
    assert_eq!(
        authorizations(&registry).iter().filter(|sent| **sent == basic()).count(),
        1,
        "the password goes to the realm alone"
    );
}

#[tokio::test]
async fn anyone_may_have_a_token_where_the_registry_says_so() {
    let registry = Registry::new().await;
    wants_token(&registry, &format!("http://{}/token", registry.host));
    assert_eq!(code(&registry, settings()).await, "ok");
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let registry = Registry::new().await;
    wants_token(&registry, &format!("http://{}/token", registry.host));
    let credentials = config(&json!({ "auths": { registry.host.as_str(): { "identitytoken": "long+lived/token" } } }));
    assert_eq!(code(&registry, Settings { credentials, ..settings() }).await, "ok");
    let seen = registry.seen();
    let asked = seen.iter().find(|seen| seen.path == "/token").unwrap();
    assert_eq!(asked.method, "POST");
    let body = std::str::from_utf8(&asked.body).unwrap();
    assert!(body.contains("grant_type=refresh_token&refresh_token=long%2Blived%2Ftoken"), "{body}");
    assert!(authorizations(&registry).iter().all(|sent| *sent == format!("Bearer {TOKEN}")));
}

/// A realm that is not the registry's own.
async fn realm(realm: &str, expected: &str) {
    let registry = Registry::new().await;
    wants_token(&registry, realm);
    assert_eq!(code(&registry, logged_in(&registry.host)).await, expected, "{realm}");
    assert!(authorizations(&registry).is_empty(), "{realm}");
}

#[tokio::test]
async fn a_realm_that_nobody_listed_gets_nothing() {
    let thief = Registry::new().await;
    realm(&format!("http://{}/token", thief.host), "realm-host").await;
    assert!(thief.seen().is_empty());
    realm("https://elsewhere.example/token", "realm-host").await;
    realm("https://169.254.169.254/latest/", "realm-host").await;
    realm("http://169.254.169.254/latest/", "realm-insecure").await;
    realm("http://elsewhere.example/token", "realm-insecure").await;
    realm("file:///etc/passwd", "realm-insecure").await;
    realm("gopher://elsewhere.example/", "realm-insecure").await;
    realm("https://user:password@elsewhere.example/token", "realm-invalid").await;
    realm("/token", "realm-invalid").await;
    realm("", "realm-invalid").await;
}

#[tokio::test]
async fn a_listed_realm_gets_the_credential_if_it_is_where_it_may_be() {
    let realm = Registry::with(|_| Some(reply(200, &[], json!({ "access_token": TOKEN }).to_string()))).await;
    let registry = Registry::new().await;
    wants_token(&registry, &format!("http://{}/token", realm.host));
    let listed = HostRule { realms: vec![realm.host.parse().unwrap()], ..HostRule::default() };
    let mut settings = logged_in(&registry.host);
    settings.hosts.insert(registry.host.parse().unwrap(), listed);
    assert_eq!(code(&registry, settings.clone()).await, "address-refused");
    assert!(realm.seen().is_empty());

    let loopback = HostRule { allow_private: vec!["127.0.0.1/32".parse().unwrap()], ..HostRule::default() };
    settings.hosts.insert(realm.host.parse().unwrap(), loopback);
    assert_eq!(code(&registry, settings).await, "ok");
    assert_eq!(authorizations(&realm), [basic()]);
    assert!(authorizations(&registry).iter().all(|sent| *sent == format!("Bearer {TOKEN}")));
}

#[tokio::test]
async fn a_metadata_service_is_no_realm_even_if_it_is_listed() {
    let registry = Registry::new().await;
    wants_token(&registry, "https://169.254.169.254/token");
    let listed = HostRule { realms: vec!["169.254.169.254".parse().unwrap()], ..HostRule::default() };
    let mut settings = logged_in(&registry.host);
    settings.hosts.insert(registry.host.parse().unwrap(), listed);
    assert_eq!(code(&registry, settings).await, "address-refused");
}

/// What the realm answers.
async fn token(answer: impl Fn() -> Response + Send + Sync + 'static, expected: &str) {
    let registry = Registry::new().await;
    let challenge = format!(r#"Bearer realm="http://{}/token",service="registry""#, registry.host);
    registry.fault(move |seen| Some(if seen.path == "/token" { answer() } else { unauthorized(&challenge) }));
    assert_eq!(code(&registry, logged_in(&registry.host)).await, expected);
    assert!(registry.seen().len() <= 3, "nobody goes round in circles");
}

#[tokio::test]
async fn a_realm_answers_with_one_token_and_ends() {
    token(|| reply(200, &[], endless()), "too-large").await;
    token(|| reply(200, &[], drip()), "deadline").await;
    token(|| reply(200, &[("content-encoding", "gzip")], "{}"), "content-encoding").await;
    token(|| reply(200, &[], "{}"), "token-invalid").await;
    token(|| reply(200, &[], r#"{"token":"a\r\nHost: b"}"#), "token-invalid").await;
    token(|| reply(200, &[], json!({ "token": "x".repeat(20_000) }).to_string()), "token-invalid").await;
    token(|| reply(302, &[("location", "https://elsewhere.example/")], ""), "redirected").await;
    token(|| reply(401, &[], ""), "token-refused").await;
    token(|| reply(500, &[], ""), "status").await;
    // A token that does not do is not fetched again and again.
    token(|| reply(200, &[], json!({ "token": TOKEN }).to_string()), "credential-rejected").await;
}

#[tokio::test]
async fn a_token_that_runs_out_meanwhile_is_renewed() {
    let registry = Registry::new().await;
    let challenge = format!(r#"Bearer realm="http://{}/token""#, registry.host);
    let tokens = std::sync::atomic::AtomicUsize::new(0);
    let spent = std::sync::Mutex::new(std::collections::BTreeSet::new());
    registry.fault(move |seen| match seen.path.as_str() {
        "/token" => {
            let next = tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Some(reply(200, &[], json!({ "token": format!("t{next}") }).to_string()))
        }
        // Each token is good for one request.
        _ => match seen.authorization() {
            Some(token) if spent.lock().unwrap().insert(token.to_owned()) => None,
            _ => Some(unauthorized(&challenge)),
        },
    });
    assert_eq!(code(&registry, settings()).await, "ok");
}

#[tokio::test]
async fn a_credential_does_not_follow_a_redirect() {
    let blobs = Registry::new().await;
    let store = blobs.host.clone();
    let registry = Registry::with(move |seen| {
        let moved = format!("http://{store}{}", seen.path);
        wants_password(seen).or_else(|| seen.is("GET", "/blobs/").then(|| reply(307, &[("location", &moved)], "")))
    })
    .await;
    let mut settings = logged_in(&registry.host);
    let redirects = HostRule { redirects: vec![blobs.host.parse().unwrap()], ..HostRule::default() };
    let loopback = HostRule { allow_private: vec!["127.0.0.1/32".parse().unwrap()], ..HostRule::default() };
    settings.hosts = [(registry.host.parse().unwrap(), redirects), (blobs.host.parse().unwrap(), loopback)].into();
    assert_eq!(code(&registry, settings).await, "ok");
    assert_eq!(blobs.seen().len(), 2);
    assert!(authorizations(&blobs).is_empty());
    assert!(!authorizations(&registry).is_empty());
}

#[tokio::test]
async fn a_store_that_asks_for_a_password_gets_none() {
    let thief = Registry::with(|_| Some(unauthorized(r#"Basic realm="registry""#))).await;
    let location = format!("http://{}/x", thief.host);
    let registry =
        Registry::with(move |seen| seen.is("GET", "/blobs/").then(|| reply(307, &[("location", &location)], ""))).await;
    let mut settings = logged_in(&registry.host);
    let redirects = HostRule { redirects: vec![thief.host.parse().unwrap()], ..HostRule::default() };
    let loopback = HostRule { allow_private: vec!["127.0.0.1/32".parse().unwrap()], ..HostRule::default() };
    settings.hosts = [(registry.host.parse().unwrap(), redirects), (thief.host.parse().unwrap(), loopback)].into();
    assert_eq!(code(&registry, settings).await, "denied");
    assert!(authorizations(&thief).is_empty());
}
