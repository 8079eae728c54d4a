//! What the gate lets through, as it is sent; and what it refuses, beside each.

use std::{collections::BTreeMap, sync::Arc};

use casemate_policy::{
    egress::{Conduct, Gate, GateError, Outgoing, RefusalReason, UpstreamBinding, Verdict},
    output::{LiveRedactor, Redactor},
};
use casemate_signing::manifest::{Effect, Manifest};
use serde_json::json;

use crate::fixture::{
    House, QUERY, form_body, gate, gate_of, json_body, manifest, reason, refused, request, sent, with_body, with_header,
};

fn hash() -> String {
    "0123456789abcdef".repeat(2)
}

fn reads(request: Outgoing) -> Verdict {
    House::open().send("lab_read_file", request)
}

#[test]
fn a_conforming_request_is_sent_as_it_was_read() {
    let mut asked = with_header(
        "X-Trace",
        "abc",
        with_header("Accept", "application/json", request("GET", &format!("/api/f%69les/{}?fields=a%2Cb", hash()))),
    );
    asked.authority = "api.lab.test:8443".to_owned();
    let checked = sent(reads(asked));
    assert_eq!(checked.url(), format!("https://api.lab.test:8443/api/files/{}?fields=a%2Cb", hash()));
    assert_eq!((checked.contract().as_str(), checked.upstream().as_str(), checked.effect()), ("get-file", "api", Effect::Read));
    assert_eq!(
        checked.headers(),
        [("accept".to_owned(), "application/json".to_owned()), ("x-trace".to_owned(), "abc".to_owned())]
    );
    assert_eq!(checked.allow_private().len(), 1);
    assert!(checked.body().is_empty() && checked.targets().is_empty());
    assert!(checked.credential().is_some());
}

#[test]
fn an_upstream_is_reached_by_its_name_wherever_it_is() {
    let named = |scheme: &str, authority: &str| {
        let target = format!("/api/files/{}", hash());
        reads(Outgoing { scheme: scheme.to_owned(), authority: authority.to_owned(), ..request("GET", &target) })
    };
    let checked = sent(named("https", "api"));
    assert_eq!(checked.url(), format!("https://api.lab.test:8443/api/files/{}", hash()));
    assert_eq!((checked.upstream().as_str(), checked.origin().to_string()), ("api", "https://api.lab.test:8443".to_owned()));
    assert!(checked.credential().is_some());
    // The name alone, under https alone; and it leads to that upstream's contracts only.
    assert_eq!(reason(named("http", "api")), RefusalReason::OriginNotBound);
    assert_eq!(reason(named("https", "api:8443")), RefusalReason::OriginNotBound);
    assert_eq!(reason(named("https", "api:443")), RefusalReason::OriginNotBound);
    assert_eq!(reason(named("https", "ap")), RefusalReason::OriginNotBound);
    assert_eq!(reason(named("https", "API")), RefusalReason::OriginMalformed);
    assert_eq!(reason(named("https", "other")), RefusalReason::NoContract);
}

#[test]
fn a_fixed_origin_is_reached_and_its_credential_is_not_the_guests() {
    let to_other = |path: &str| Outgoing { authority: "other.lab.test".to_owned(), ..request("GET", path) };
    let checked = sent(reads(to_other("/list?page=2")));
    assert_eq!(checked.url(), "https://other.lab.test/list?page=2");
    assert_eq!(checked.url_with_query("key", "a b&c"), "https://other.lab.test/list?page=2&key=a%20b%26c");
    assert_eq!(sent(reads(to_other("/list"))).url_with_query("key", "x"), "https://other.lab.test/list?key=x");
    assert_eq!(reason(reads(to_other("/list?key=mine"))), RefusalReason::QueryNotAllowed);
    assert_eq!(
        reason(reads(to_other(&format!("/api/files/{}", hash())))),
        RefusalReason::NoContract,
        "a contract holds at its own origin only"
    );
}

#[test]
fn bodies_are_sent_as_they_were_read() {
    let house = House::open();
    let checked = sent(house.send(
        "lab_operate",
        json_body("/api/operations", r#" {"name":"x\u0021", "group" : "red-lab","options":{"a":[1.50]}} "#),
    ));
    assert_eq!(std::str::from_utf8(checked.body()).unwrap(), r#"{"name":"x!","group":"red-lab","options":{"a":[1.50]}}"#);
    assert_eq!(
        checked.targets().iter().map(|(d, v)| (d.as_str(), v.clone())).collect::<Vec<_>>(),
        [("group", vec!["red-lab".to_owned()])]
    );
    let checked = sent(house.send("lab_tag", form_body("/api/tags", "group=red%2Dlab&note=a+b")));
    assert_eq!(checked.body(), b"group=red-lab&note=a%20b");
    let multipart = with_body("/api/files", "multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--\r\n");
    assert_eq!(
        sent(house.send("lab_tag", multipart)).headers(),
        [("content-type".to_owned(), "multipart/form-data; boundary=b".to_owned())]
    );
}

#[test]
fn contracts_are_told_apart_by_what_they_require() {
    let house = House::open();
    let list = json_body("/graphql", r#"{"operationName":"ListReplays","query":"anything"}"#);
    assert_eq!(sent(house.send("lab_replay", list)).contract().as_str(), "list-replays");
    let start = |query: &str, host: &str, port: &str, more: &str| {
        let body = format!(
            r#"{{"operationName":"StartReplay","query":"{query}","variables":{{"host":"{host}","port":{port},"note":"a b"{more}}}}}"#
        );
        house.send("lab_replay", json_body("/graphql", &body))
    };
    assert_eq!(sent(start(QUERY, "web.test", "443", "")).targets().len(), 1);
    assert_eq!(reason(start("mutation Other { start }", "web.test", "443", "")), RefusalReason::NoContract);
    assert_eq!(reason(start(QUERY, "web.test", "80", "")), RefusalReason::NoContract);
    assert_eq!(reason(start(QUERY, "web.test", "443.0", "")), RefusalReason::NoContract);
    assert_eq!(reason(start(QUERY, "web.test", "\"443\"", "")), RefusalReason::NoContract);
    assert_eq!(reason(start(QUERY, "evil.example", "443", "")), RefusalReason::OutOfScope);
    assert_eq!(reason(start(QUERY, "web.test", "443", r#","more":1"#)), RefusalReason::BodyNotAllowed);
    assert_eq!(
        reason(house.send("lab_replay", json_body("/graphql", r#"[{"operationName":"ListReplays"}]"#))),
        RefusalReason::NoContract
    );
}

#[test]
fn a_request_that_is_two_contracts_is_none() {
    let mut json = serde_json::to_value(manifest()).unwrap();
    let twin = json!({"name": "any-file", "method": "GET", "path": "/api/files/{x}", "parameters": {"x": "^.{1,64}$"}, "effect": "read"});
    json["upstream"]["api"]["request"].as_array_mut().unwrap().push(twin);
    let gate = gate_of(&serde_json::from_value(json).unwrap()).unwrap();
    let mut run = Conduct::new(Arc::new(gate), &House::open().permit("lab_read_file"), None);
    // The tool may use only one of the two. That does not make the request that one.
    assert_eq!(reason(run.check(request("GET", &format!("/api/files/{}", hash())))), RefusalReason::ContractAmbiguous);
}

#[test]
fn a_tool_uses_only_its_own_contracts() {
    let create = json_body("/api/operations", r#"{"group":"red-lab"}"#);
    assert!(matches!(House::open().send("lab_operate", create.clone()), Verdict::Send(_)));
    for tool in ["lab_read_file", "lab_tag", "lab_replay", "lab_search"] {
        assert_eq!(reason(House::open().send(tool, create.clone())), RefusalReason::ContractNotGranted, "{tool}");
    }
}

#[test]
fn nothing_above_the_ceiling_is_sent() {
    // The tool says `read`, and lists a contract that is not: the loader refuses that, and so does the gate.
    let house = House::open().rule("lab_operate", |rule| {
        let mut tool = (*rule.manifest_tool).clone();
        tool.effect = Effect::Execute;
        rule.manifest_tool = tool.into();
    });
    let create = json_body("/api/operations", r#"{"group":"red-lab"}"#);
    let refusal = refused(house.send("lab_operate", create.clone()));
    assert_eq!(refusal.reason(), RefusalReason::EffectAboveCeiling);
    let dry = house.rule("lab_operate", |rule| rule.dry_run = true);
    assert_eq!(
        reason(dry.send("lab_operate", create.clone())),
        RefusalReason::EffectAboveCeiling,
        "nor planned, where it could not be sent"
    );
    // A dry run sends what reads, and plans what does not.
    let dry = House::open().rule("lab_operate", |rule| rule.dry_run = true);
    assert!(matches!(dry.send("lab_operate", request("GET", &format!("/api/files/{}", hash()))), Verdict::Send(_)));
    assert!(matches!(dry.send("lab_operate", create), Verdict::End(_)));
    assert!(
        matches!(dry.send("lab_operate", json_body("/api/operations", r#"{"group":"prod"}"#)), Verdict::Refuse(_)),
        "a plan conforms, too"
    );
}

#[test]
fn a_permit_opens_only_its_own_plugins_gate() {
    let mut other = manifest();
    other.component.sha256 = "bb".repeat(32);
    let mut run = Conduct::new(Arc::new(gate_of(&other).unwrap()), &House::open().permit("lab_read_file"), None);
    assert_eq!(reason(run.check(request("GET", &format!("/api/files/{}", hash())))), RefusalReason::WrongPlugin);
}

#[test]
fn a_secret_does_not_travel() {
    let gate = Arc::new(gate().guarding(Arc::new(LiveRedactor::new(Redactor::new(&[("api_key", "0123456789abcdef-s3cr3t")])))));
    let permit = House::open().permit("lab_operate");
    let run = || Conduct::new(Arc::clone(&gate), &permit, None);
    let check = |request: Outgoing| refused(run().check(request));
    for asked in [
        request("GET", "/api/files/0123456789abcdef-s3cr3t"),
        with_header("accept", "0123456789abcdef-s3cr3t", request("GET", "/api/files/x")),
        json_body("/api/operations", r#"{"group":"red-lab","name":"0123456789abcdef-s3cr3t"}"#),
        Outgoing { authority: "0123456789abcdef-s3cr3t.evil.example".to_owned(), ..request("GET", "/") },
        request("0123456789abcdef-s3cr3t", "/"),
    ] {
        let refusal = check(asked);
        assert_eq!(refusal.reason(), RefusalReason::SecretInRequest);
        assert!(!refusal.to_string().contains("s3cr3t"));
    }
    let verdict = run().check(json_body("/api/operations", r#"{"group":"red-lab","name":"x"}"#));
    assert!(matches!(verdict, Verdict::Send(_)));
}

#[test]
fn the_guest_is_told_the_same_each_time() {
    let refusals =
        [reads(request("TRACE", "/")), reads(request("GET", "/nope")), reads(json_body("/api/operations", "{}"))].map(refused);
    assert!(refusals.iter().all(|refusal| refusal.for_guest() == "the host does not send this request"));
    assert!(refusals[1].for_operator().contains("nearest"), "{}", refusals[1].for_operator());
}

fn broken(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut json = serde_json::to_value(manifest()).unwrap();
    change(&mut json);
    let manifest: Manifest = serde_json::from_value(json).unwrap();
    gate_of(&manifest).unwrap_err().to_string()
}

#[test]
fn contracts_that_cannot_be_enforced_do_not_load() {
    let contract = |at: usize, pointer: &str, value: serde_json::Value| {
        broken(|json| {
            json["upstream"]["api"]["request"][at][pointer] = value;
        })
    };
    let check = |said: String, expected: &str| assert!(said.contains(expected), "{said}");
    check(contract(0, "path", json!("/api/files/x{hash}")), "no plain path");
    check(contract(0, "path", json!("/api/../{hash}")), "no plain path");
    check(contract(0, "path", json!("/api/%2e/{hash}")), "no plain path");
    check(contract(0, "path", json!("/api//{hash}")), "no plain path");
    check(contract(0, "path", json!("api/{hash}")), "no plain path");
    check(contract(0, "path", json!("/api/files")), "path parameter `hash`");
    check(contract(0, "path", json!("/api/{hash}/{hash}")), "path parameter `hash`");
    check(contract(0, "parameters", json!({})), "path parameter `hash`");
    check(contract(0, "parameters", json!({"hash": "("})), "does not compile");
    for header in [
        "host",
        "authorization",
        "Accept-X",
        "key",
        "x-forwarded-for",
        "x_group",
        "transfer-encoding",
        "content-type",
        "x-http-method-override",
    ] {
        check(contract(0, "headers", json!({header: "^x$"})), &format!("header `{header}`"));
    }
    check(contract(0, "scope", json!({"group": {"path": "nope"}})), "place that it does not name");
    check(contract(0, "scope", json!({"group": {"query": "nope"}})), "place that it does not name");
    check(contract(0, "scope", json!({"group": {"header": "nope"}})), "place that it does not name");
    check(contract(0, "scope", json!({"group": {"body": "/nope"}})), "place that it does not name");
    check(contract(0, "scope", json!({"nowhere": {"path": "hash"}})), "does not declare");
    check(contract(0, "closed", json!(true)), "neither JSON nor a form");
    check(contract(7, "closed", json!(true)), "neither JSON nor a form");
    check(contract(7, "require", json!({"body": {"/a": "b"}})), "neither JSON nor a form");
    check(contract(7, "content_type", json!("Multipart/form-data; boundary=x")), "media type");
    check(contract(8, "require", json!({"body": {"/a": [1]}})), "neither a text");
    check(contract(3, "effect", serde_json::Value::Null), "states no effect");
    let of = |at: usize, pointer: &str, value: serde_json::Value| {
        broken(|json| *json["upstream"]["api"]["request"][at].pointer_mut(pointer).unwrap() = value)
    };
    let (get_agent, link, open_case) = (10, 12, 13);
    for name in ["gone", "other-list", "link", "upload-url", "search"] {
        check(of(link, "/scope/group/from", json!(name)), &format!("what `{name}` establishes cannot be known"));
    }
    check(of(link, "/scope/group/key", json!({})), "what `get-agent` establishes cannot be known");
    check(of(link, "/scope/group/key", json!({"id": {"body": "/paw"}})), "what `get-agent` establishes cannot be known");
    check(of(link, "/scope/group/value", json!("group")), "what `get-agent` establishes cannot be known");
    check(of(link, "/scope/group/key/paw", json!({"query": "paw"})), "its key for `get-agent` is at a place");
    check(of(link, "/scope/group/key/paw", json!({"form": "paw"})), "its key for `get-agent` is at a place");
    check(of(get_agent, "/effect", json!("write")), "what `get-agent` establishes cannot be known");
    check(of(get_agent, "/method", json!("DELETE")), "what `get-agent` establishes cannot be known");
    for (place, value) in [
        ("query", json!(["page"])),
        ("headers", json!(["accept"])),
        ("body", json!(["/other"])),
        ("body", json!(["/tit"])),
        ("body", json!(["/titles"])),
    ] {
        check(of(open_case, "/volatile", json!({place: value})), "volatile, which it does not name or which something hangs on");
    }
    check(contract(3, "volatile", json!({"body": ["/group"]})), "calls `/group` volatile");
    check(contract(3, "volatile", json!({"body": ["/group/0"]})), "calls `/group/0` volatile");
    check(contract(2, "volatile", json!({"query": ["index"]})), "calls `index` volatile");
    check(contract(6, "volatile", json!({"headers": ["x-group"]})), "calls `x-group` volatile");
    check(contract(7, "volatile", json!({"body": ["/a"]})), "neither JSON nor a form");
    check(contract(9, "volatile", json!({"body": ["/variables"]})), "calls `/variables` volatile");
    check(contract(0, "assume", json!({"status": 200})), "it assumes an answer, and only reads");
    check(contract(3, "assume", json!({"status": 302})), "status is not 200 to 299");
    check(broken(|json| json["upstream"]["other"]["request"][0]["query"]["key"] = json!("^x$")), "the credential's");
    check(
        broken(|json| json["upstream"]["other"]["request"][0]["name"] = json!("get-file")),
        "two request contracts are called `get-file`",
    );
}

#[test]
fn bindings_that_make_no_sense_do_not_load() {
    let bind = |name: &str, origin: Option<&str>| {
        let api = UpstreamBinding { origin: Some("https://api.lab.test".to_owned()), ..UpstreamBinding::default() };
        let mut bindings = BTreeMap::from([("api".parse().unwrap(), api)]);
        bindings
            .insert(name.parse().unwrap(), UpstreamBinding { origin: origin.map(str::to_owned), ..UpstreamBinding::default() });
        Gate::new(&manifest(), &bindings)
    };
    assert!(bind("api", Some("http://127.0.0.1:8888")).is_ok());
    assert!(bind("other", None).is_ok());
    assert!(bind("other", Some("https://other.lab.test")).is_ok());
    assert!(matches!(bind("other", Some("https://evil.example")), Err(GateError::Fixed { .. })));
    assert!(matches!(bind("api", Some("postgresql://db.lab.test")), Err(GateError::Protocol { .. })));
    assert!(matches!(bind("nope", None), Err(GateError::NoSuchUpstream { .. })));
    assert!(matches!(bind("api", None), Err(GateError::Unbound { .. })));
    for origin in [
        "https://api.lab.test/",
        "https://API.lab.test",
        "https://u:p@api.lab.test",
        "ftp://api.lab.test",
        "https://0x7f000001",
        "api.lab.test",
    ] {
        assert!(matches!(bind("api", Some(origin)), Err(GateError::Origin { .. })), "{origin}");
    }
}
