//! Whoever speaks over HTTP with an access token of the operator's authorization server, and whoever would like to.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Http, said, until};

const RESOURCE: &str = "https://casemate.example/mcp";
const METADATA: &str = "https://casemate.example/.well-known/oauth-protected-resource/mcp";

/// A house whose callers prove themselves by the fake authorization server's tokens.
fn house() -> House {
    let house = House::new(&Guest::new("errands"));
    let issuer = house.upstreams().origin("oauth").to_owned();
    let house = house.with(&format!(
        "[http.oauth]\nissuer = '{issuer}'\nresource = '{RESOURCE}'\nroles_claim = 'groups'\nroles = {{ soc = ['SOC analysts'] }}
         step_up = {{ write = 'casemate.write' }}
         [grants.tester]\nprincipals = ['oidc:sub:alice', 'oidc:client:robot', 'local', 'token:ci']\nmax_effect = 'write'\nbudget = [{{ calls = 1000, per = '1h' }}]
         [grants.watch]\nprincipals = ['role:soc']\ntools = ['@_ping']\nmax_effect = 'read'\nbudget = [{{ calls = 2, per = '1h' }}]
         [plugins.@.tools]\npost = {{ enabled = true, dry_run = false }}"
    ));
    house.install().done();
    house
}

/// What the authorization server is asked to sign, over a good token for this server.
fn token(house: &House, mut order: Value) -> String {
    let claims = order.as_object_mut().unwrap().entry("claims").or_insert_with(|| json!({}));
    claims.as_object_mut().unwrap().entry("aud").or_insert(RESOURCE.into());
    let answer = house.upstreams().ask("oauth", ("POST", "/token"), "", &order.to_string());
    answer["access_token"].as_str().unwrap().to_owned()
}

fn claims(house: &House, claims: Value) -> String {
    token(house, json!({ "claims": claims }))
}

/// A whole answer: status, head in lower case names as sent, body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        line.map_or("", |(_, value)| value)
    }
}

fn send(http: &Http, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(http.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\n{headers}accept: application/json, text/event-stream\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        http.address(),
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

/// A call of a tool, as it is on the wire.
fn call(http: &Http, token: &str, tool: &str, arguments: Value) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let headers = format!(
        "authorization: Bearer {token}\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n"
    );
    send(http, "POST", "/mcp", &headers, &body)
}

fn ping(http: &Http, token: &str) -> u16 {
    call(http, token, "errands_ping", json!({})).status
}

fn start(house: &House) -> Http {
    Http::start(&mut house.command(), "none")
}

/// How often the authorization server was asked for its keys.
fn asked_for_keys(house: &House) -> usize {
    house.upstreams().received_by("oauth").iter().filter(|request| request.target() == "/jwks").count()
}

#[test]
fn an_access_token_gives_what_its_subject_is_granted_and_nothing_that_it_says_besides() {
    let house = house();
    let mut http = start(&house);
    http.speak_as(&claims(&house, json!({})));
    http.reply("errands_ping", json!({})).done(&[]);
    http.speak_as(&claims(&house, json!({ "sub": "mallory", "principal": "local", "grant": "tester", "roles": ["soc"] })));
    http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    // A client that is called as a person is, is not that person; and the other way round.
    http.speak_as(&claims(&house, json!({ "sub": "alice", "client_id": "alice" })));
    http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    http.speak_as(&claims(&house, json!({ "sub": "robot", "client_id": "robot" })));
    http.reply("errands_ping", json!({})).done(&[]);
    http.speak_as(&claims(&house, json!({ "sub": "robot", "client_id": "console" })));
    http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    // Nor does a subject become a principal of another kind.
    for sub in ["local", "token:ci", "role:soc"] {
        http.speak_as(&claims(&house, json!({ "sub": sub })));
        http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    }
    let callers: Vec<Value> = house.records("denied").iter().map(|record| record["principal_id"].clone()).collect();
    assert!(callers.contains(&json!("oidc:sub:local")) && callers.contains(&json!("oidc:client:alice")), "{callers:?}");
    // What came in goes no further: not to the upstream, and not into the state.
    let mine = claims(&house, json!({}));
    http.speak_as(&mine);
    http.reply("errands_look", json!({ "group": "lab" })).done(&["200"]);
    assert_eq!(house.received().len(), 1);
    let signature = mine.rsplit('.').next().unwrap();
    for request in house.received() {
        assert!(!request.0.to_string().contains(signature), "a token was passed through");
    }
    assert!(!house.written().iter().any(|record| record.to_string().contains(signature)));
}

#[test]
fn roles_of_a_token_are_grants_and_each_holder_has_its_own_budget() {
    let house = house();
    let mut http = start(&house);
    let of = |sub: &str, groups: Value| claims(&house, json!({ "sub": sub, "groups": groups }));
    for sub in ["bob", "carol"] {
        http.speak_as(&of(sub, json!(["SOC analysts", "other"])));
        for _ in 0..2 {
            http.reply("errands_ping", json!({})).done(&[]);
        }
        http.reply("errands_ping", json!({})).ended("denied", "budget-exhausted", &[]);
        assert_eq!(http.ask("tools/list")["tools"].as_array().unwrap().len(), 1);
    }
    for groups in [
        json!([]),
        json!(["soc"]),
        json!(["role:soc"]),
        json!("SOC analysts, other"),
        json!({ "SOC analysts": true }),
        Value::Null,
    ] {
        http.speak_as(&of("dave", groups));
        http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    }
    // What a role gave is gone with the next token, though the caller is the same.
    http.speak_as(&of("erin", json!(["SOC analysts"])));
    http.reply("errands_ping", json!({})).done(&[]);
    http.speak_as(&of("erin", json!([])));
    http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    assert_eq!(http.ask("tools/list")["tools"], json!([]));
}

#[test]
fn tokens_that_prove_nothing_open_nothing_and_are_on_record() {
    let house = house();
    let http = start(&house);
    assert_eq!(ping(&http, &claims(&house, json!({}))), 200);
    house.upstreams().order("oauth", &json!({ "swap": true }));
    let attacks = [
        ("token-audience", json!({ "claims": { "aud": "https://casemate-staging.example/mcp" } })),
        ("token-issuer", json!({ "claims": { "iss": "https://evil.example" } })),
        ("token-expired", json!({ "claims": { "exp": "-61" } })),
        ("token-not-yet", json!({ "claims": { "nbf": "+120" } })),
        ("token-not-yet", json!({ "claims": { "iat": "+120" } })),
        ("token-algorithm", json!({ "header": { "alg": "none" }, "sign": "not" })),
        ("token-algorithm", json!({ "header": { "alg": "HS256" }, "sign": "hmac" })),
        ("token-algorithm-of-key", json!({ "header": { "alg": "ES256" } })),
    ];
    // The swapped key is not known yet: what the old one signed is good, and what claims to be is looked at.
    for (code, mut order) in attacks {
        if order["sign"].is_null() {
            order["sign"] = json!("previous");
        }
        let answer = call(&http, &token(&house, order), "errands_ping", json!({}));
        let challenge = answer.header("www-authenticate");
        assert_eq!((answer.status, challenge.contains(r#"error="invalid_token""#)), (401, true), "{code}: {challenge}");
        assert!(!answer.body.contains(code) && !answer.head.contains(code), "the caller is not told which check it was");
    }
    // So it is in the log, without the token.
    let reasons =
        || house.records("auth.refused").iter().map(|record| said(record, "fields")["reason"].clone()).collect::<Vec<_>>();
    until("every refusal is on record", || reasons().len() == 8);
    let seen = reasons();
    for code in ["token-audience", "token-issuer", "token-expired", "token-not-yet", "token-algorithm", "token-algorithm-of-key"]
    {
        assert!(seen.contains(&json!(code)), "{code}: {seen:?}");
    }
    for junk in ["a.b.c".to_owned(), "x".repeat(17 * 1024), format!("casemate_{}", "x".repeat(43))] {
        assert_eq!(ping(&http, &junk), 401);
    }
    assert!(house.received().is_empty());
}

#[test]
fn a_token_of_one_environment_is_refused_by_another() {
    let (one, other) = (house(), house());
    // The same authorization server for both, and the same person: only who the token is for tells them apart.
    let other = other.with(&format!(
        "[http.oauth]\nissuer = '{}'\nresource = 'https://casemate-staging.example/mcp'",
        one.upstreams().origin("oauth")
    ));
    let (production, staging) = (start(&one), start(&other));
    let for_staging = claims(&one, json!({ "aud": "https://casemate-staging.example/mcp" }));
    let for_production = claims(&one, json!({}));
    assert_eq!((ping(&production, &for_production), ping(&staging, &for_staging)), (200, 200));
    assert_eq!((ping(&production, &for_staging), ping(&staging, &for_production)), (401, 401));
}

#[test]
fn keys_change_and_a_flood_of_names_is_not_passed_on() {
    let house = house();
    let http = start(&house);
    let old = claims(&house, json!({}));
    assert_eq!((ping(&http, &old), asked_for_keys(&house)), (200, 1));
    house.upstreams().order("oauth", &json!({ "rotate": "two" }));
    let new = claims(&house, json!({}));
    assert_eq!((ping(&http, &new), asked_for_keys(&house)), (200, 2), "a new key is fetched when it is needed");
    assert_eq!(ping(&http, &old), 401, "and the old one is gone with it");
    for number in 0..100 {
        assert_eq!(ping(&http, &token(&house, json!({ "header": { "kid": format!("made-up-{number}") } }))), 401);
    }
    assert_eq!(asked_for_keys(&house), 2);
    assert_eq!(ping(&http, &new), 200);
    // The log has a few of them, and their number when the server stops.
    until("the first of them are on record", || house.records("auth.refused").len() >= 10);
    assert_eq!(house.records("auth.refused").len(), 10);
}

#[test]
fn a_swapped_key_signs_nothing_until_the_keys_are_fetched() {
    let house = house();
    let http = start(&house);
    house.upstreams().order("oauth", &json!({ "swap": true }));
    assert_eq!(ping(&http, &claims(&house, json!({}))), 401, "a known name is not looked up again for a signature that fails");
    assert_eq!(asked_for_keys(&house), 1);
    assert_eq!(ping(&http, &token(&house, json!({ "sign": "previous" }))), 200);
}

#[test]
fn without_keys_nothing_is_believed_and_what_is_ours_still_is() {
    let house = house();
    house.upstreams().order("oauth", &json!({ "issuer": "https://evil.example" }));
    let mine = house.token("ci");
    let http = start(&house);
    let theirs = claims(&house, json!({}));
    let answer = call(&http, &theirs, "errands_ping", json!({}));
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(ping(&http, &mine), 200, "a token made here needs no authorization server");
    assert_eq!(asked_for_keys(&house), 0, "metadata of another issuer leads nowhere");
    house.upstreams().order("oauth", &json!({ "issuer": null }));
    until("it is asked again by itself", || ping(&http, &theirs) == 200);
}

#[test]
fn a_client_is_told_where_tokens_come_from() {
    let house = house();
    let http = start(&house);
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = send(&http, "GET", path, "", "");
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(said["resource"], RESOURCE);
        assert_eq!(said["authorization_servers"], json!([house.upstreams().origin("oauth")]));
        assert_eq!(said["scopes_supported"], json!(["casemate", "casemate.write"]));
        assert_eq!(said["bearer_methods_supported"], json!(["header"]));
    }
    let answer = send(&http, "POST", "/mcp", "", "{}");
    let challenge = format!(r#"Bearer realm="casemate", scope="casemate", resource_metadata="{METADATA}""#);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, challenge.as_str()));
    let less = call(&http, &claims(&house, json!({ "scope": "openid" })), "errands_ping", json!({}));
    assert_eq!(less.status, 403);
    assert!(less.header("www-authenticate").contains(r#"error="insufficient_scope""#));
    assert!(less.header("www-authenticate").contains(r#"scope="casemate", resource_metadata"#));
    // A token in the URL is refused, however good it is.
    let good = claims(&house, json!({}));
    assert_eq!(send(&http, "POST", &format!("/mcp?access_token={good}"), "", "{}").status, 400);
    drop(http);
    // Where there is no authorization server, none is named.
    let without = house.without("http.oauth");
    let http = start(&without);
    assert_eq!(send(&http, "GET", "/.well-known/oauth-protected-resource", "", "").status, 404);
    assert_eq!(send(&http, "POST", "/mcp", "", "{}").header("www-authenticate"), r#"Bearer realm="casemate""#);
    assert_eq!(ping(&http, &good), 401);
}

#[test]
fn a_call_above_what_a_token_was_issued_for_is_a_challenge() {
    let house = house();
    let ours = house.token("ci");
    let mut http = start(&house);
    let (less, more) = (claims(&house, json!({})), claims(&house, json!({ "scope": "casemate casemate.write" })));
    let target = json!({ "group": "lab" });
    let answer = call(&http, &less, "errands_post", target.clone());
    let challenge = answer.header("www-authenticate");
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.contains(r#"scope="casemate casemate.write""#) && challenge.contains(METADATA), "{challenge}");
    let denied = house.records("denied").pop().unwrap();
    assert_eq!((said(&denied, "reason"), &denied["principal_id"]), (&json!("insufficient-scope"), &json!("oidc:sub:alice")));
    assert!(house.received().is_empty());
    // The same caller with a better token, and then with the old one again: each request has what its own token says.
    http.speak_as(&more);
    http.reply("errands_post", target.clone()).done(&["200"]);
    assert_eq!(call(&http, &less, "errands_post", target.clone()).status, 403);
    assert_eq!(house.received().len(), 1);
    // In a session of 2025 too: it is the token that counts, not who began.
    {
        let session = http.session();
        session.reply("errands_post", target.clone()).done(&["200"]);
    }
    http.speak_as(&less);
    assert_eq!(call(&http, &less, "errands_ping", json!({})).status, 200, "what only reads needs no more");
    // A tool that is not there is no reason to ask for more; nor is a refusal for another reason.
    assert_eq!(call(&http, &less, "errands_nothing", json!({})).status, 200);
    let outside = call(&http, &more, "errands_post", json!({ "group": "elsewhere" }));
    assert_eq!((outside.status, outside.body.contains("out-of-scope")), (200, true));
    // Scopes mean nothing to a token that was made here.
    http.speak_as(&ours);
    http.reply("errands_post", target).done(&["200"]);
}

/// A task is its caller's, whatever token it comes with; its call is not. Whoever looks with too little is told what to get, and the task
/// still waits for them.
#[test]
fn a_task_that_is_looked_after_with_too_little_is_a_challenge_and_goes_on() {
    let house = house();
    let key = house.folder().join("bob.key").display().to_string();
    let made = house.casemate(&["approver", "new", "bob", "--key", &key, "--no-passphrase", "--format", "json"]).done();
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let house = house.set("approvers.bob.key", made["key"].as_str().unwrap()).set("plugins.@.tools.post.approval", "operator");
    let (less, more) = (claims(&house, json!({})), claims(&house, json!({ "scope": "casemate casemate.write" })));
    let mut http = start(&house).able(json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } }));
    http.speak_as(&more);
    let task = http.call("errands_post", json!({ "group": "lab" })).next()["result"].clone();
    let id = task["taskId"].as_str().unwrap_or_else(|| panic!("{task:#}")).to_owned();
    house.casemate(&["approvals", "approve", &id, "--key", &key, "--yes"]).done();
    http.speak_as(&less);
    for _ in 0..2 {
        let mut look = http.post("tasks/get", Some(&id), json!({ "taskId": id }));
        assert_eq!(look.status(), 403);
        let challenge = look.header("www-authenticate");
        assert!(challenge.contains(r#"scope="casemate casemate.write""#) && challenge.contains(METADATA), "{challenge}");
    }
    assert!(house.received().is_empty());
    http.speak_as(&more);
    let task = http.post("tasks/get", Some(&id), json!({ "taskId": id })).next()["result"].clone();
    assert_eq!((&task["status"], &task["result"]["isError"]), (&json!("completed"), &json!(false)), "{task:#}");
    assert_eq!(house.received().len(), 1);
    // What is over is told to whoever it belongs to.
    http.speak_as(&less);
    let task = http.post("tasks/get", Some(&id), json!({ "taskId": id })).next()["result"].clone();
    assert_eq!(task["status"], "completed", "{task:#}");
}

#[test]
fn a_token_made_here_may_have_roles_and_its_last_use_is_known() {
    let house = house();
    let made = house.casemate(&["token", "new", "desk", "--role", "soc"]).done().stdout;
    let desk = made.split_whitespace().find(|word| word.starts_with("casemate_")).unwrap().to_owned();
    let plain = house.token("plain");
    let listed = |name: &str| {
        let list: Value = serde_json::from_str(&house.casemate(&["--format", "json", "token", "list"]).done().stdout).unwrap();
        list.as_array().unwrap().iter().find(|token| token["name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!((listed("desk")["roles"].clone(), listed("desk")["last_used"].clone()), (json!(["soc"]), json!("never")));
    let mut http = start(&house);
    http.speak_as(&desk);
    http.reply("errands_ping", json!({})).done(&[]);
    http.speak_as(&plain);
    http.reply("errands_ping", json!({})).ended("denied", "no-grant", &[]);
    until("its use is kept", || listed("desk")["last_used"] != "never");
    assert!(listed("desk")["last_used"].as_str() >= listed("desk")["created"].as_str());
    house.casemate(&["token", "revoke", "desk"]).done();
    until("it opens nothing", || ping(&http, &desk) == 401);
    house.casemate(&["token", "new", "desk"]).done();
    assert_eq!(listed("desk")["last_used"], "never", "another token of that name was not used");
}
