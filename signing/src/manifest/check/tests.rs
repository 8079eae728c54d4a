//! Each rule, broken once, by one change to a manifest that keeps them all.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::type_complexity, reason = "tests")]

mod credential;
mod database;
mod established;
mod mcp_sse;
mod picture;
mod planned;
mod prompt;

use serde_json::{Value, json};

use super::*;
use crate::digest::Digest;
use crate::manifest::{Effect, pattern::PatternError, pointer::Pointer, schema::SchemaRule, text::TextError};

fn valid() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/manifest.json")).unwrap()
}

/// The manifest with `value` at `place`, where contracts are named instead of numbered; `null` removes.
fn changed(changes: &[(&str, Value)]) -> Value {
    let mut manifest = valid();
    for (place, value) in changes {
        let mut names: Vec<String> = Pointer::parse(place).unwrap().tokens().to_vec();
        let last = names.pop().unwrap();
        let mut at = &mut manifest;
        for name in names {
            at = match at {
                Value::Array(items) => items.iter_mut().find(|item| item["name"] == *name).unwrap(),
                object => &mut object[name],
            };
        }
        match at {
            Value::Array(items) if last == "-" => items.push(value.clone()),
            at if value.is_null() => drop(at.as_object_mut().unwrap().shift_remove(&last).unwrap()),
            at => at[last] = value.clone(),
        }
    }
    manifest
}

fn findings(manifest: Value) -> Vec<RuleError> {
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    check(&manifest).err().unwrap_or_default()
}

/// Shorthand for a contract of the one upstream.
fn full(place: &str) -> String {
    place.replace("@", "/upstream/server/request/")
}

fn check_each(cases: Vec<(Vec<(&str, Value)>, &str, Rule)>) {
    for (changes, at, rule) in cases {
        let places: Vec<String> = changes.iter().map(|(place, _)| full(place)).collect();
        let changes: Vec<(&str, Value)> = places.iter().zip(changes).map(|(place, (_, value))| (place.as_str(), value)).collect();
        let at = at.replace('@', "upstream.server.request.");
        assert_eq!(findings(changed(&changes)), [RuleError { at, rule }], "{changes:?}");
    }
}

fn name<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

#[test]
fn a_manifest_that_keeps_every_rule_passes() {
    assert_eq!(findings(valid()), []);
}

#[test]
fn identity_and_limits() {
    let hidden = |code| Rule::Text(TextError::Hidden { code });
    let long = "a".repeat(MAX_DESCRIPTION + 1);
    check_each(vec![
        (vec![("/plugin/release", json!(0))], "plugin.release", Rule::ReleaseZero),
        (
            vec![("/plugin/release", json!(1u64 << 53))],
            "plugin.release",
            Rule::ReleaseTooHigh { release: 1 << 53, max: (1 << 53) - 1 },
        ),
        (vec![("/plugin/license", json!("<b>"))], "plugin.license", Rule::License("<b>".into())),
        (vec![("/plugin/source", json!("http://a/"))], "plugin.source", Rule::Source("http://a/".into())),
        (vec![("/plugin/description", json!("a\u{202E}b"))], "plugin.description", hidden(0x202E)),
        (vec![("/plugin/description", json!("a\nb"))], "plugin.description", hidden(0x0A)),
        (vec![("/plugin/description", json!(" "))], "plugin.description", Rule::Text(TextError::Empty)),
        (vec![("/wit", json!("casemate:plugin"))], "wit", Rule::Wit("casemate:plugin".into())),
        (vec![("/wit", json!("casemate:plugin@1"))], "wit", Rule::Wit("casemate:plugin@1".into())),
        (vec![("/component/sha256", json!("AB"))], "component.sha256", Rule::ComponentDigest),
        (vec![("/component/size", json!(0))], "component.size", Rule::ComponentSize { size: 0, max: MAX_COMPONENT }),
        (
            vec![("/component/size", json!(MAX_COMPONENT + 1))],
            "component.size",
            Rule::ComponentSize { size: MAX_COMPONENT + 1, max: MAX_COMPONENT },
        ),
        (vec![("/sbom", json!(""))], "sbom", Rule::SbomDigest),
        (
            vec![("@note/require/body/kind", json!(9_007_199_254_740_993_u64))],
            "upstream.server.request[3].require.body.kind",
            Rule::InexactNumber("9007199254740993".to_owned()),
        ),
        (vec![("/sbom", json!("A".repeat(64)))], "sbom", Rule::SbomDigest),
        (vec![("/build", json!({ "packer": "a\u{202E}b" }))], "build.packer", hidden(0x202E)),
        (vec![("/build", json!({ "packer": "" }))], "build.packer", Rule::Text(TextError::Empty)),
        (vec![("/build", json!({ "packer": "a", "rustc": "a\nb" }))], "build.rustc", hidden(0x0A)),
        (
            vec![("/build", json!({ "packer": "a", "rustc": "r".repeat(101) }))],
            "build.rustc",
            Rule::Text(TextError::TooLong { length: 101, max: 100 }),
        ),
        (vec![("/imports", json!(["wasi:http"]))], "imports", Rule::Import("wasi:http".into())),
        (vec![("/imports", json!(["wasi:http/types@*"]))], "imports", Rule::Import("wasi:http/types@*".into())),
        (vec![("/limits/requests", json!(0))], "limits.requests", Rule::LimitZero("requests")),
        (
            vec![("/limits/memory_mib", json!(hard_cap::MEMORY_MIB + 1))],
            "limits.memory_mib",
            Rule::LimitTooHigh { name: "memory_mib", value: hard_cap::MEMORY_MIB + 1, max: hard_cap::MEMORY_MIB },
        ),
        (vec![("/secrets/api_key/description", json!("\u{E0041}"))], "secrets.api_key", hidden(0xE0041)),
        (vec![("/sources", json!({ "log": { "description": "a\u{200B}" } }))], "sources.log", hidden(0x200B)),
        (
            vec![("/sources", json!({ "a": { "description": "x", "many": true }, "b": { "description": "x", "many": true } }))],
            "sources",
            Rule::TooMany { what: "sources with `many`", count: 2, max: 1 },
        ),
        (vec![("/scope/group/description", json!("\u{1B}[0m"))], "scope.group", hidden(0x1B)),
        (vec![("/tool/agents/title", json!("a\tb"))], "tool.agents.title", hidden(0x09)),
        (
            vec![("/tool/agents/description", json!(long))],
            "tool.agents.description",
            Rule::Text(TextError::TooLong { length: MAX_DESCRIPTION + 1, max: MAX_DESCRIPTION }),
        ),
        (vec![("@search/reason", json!("a\u{FEFF}"))], "@search.reason", hidden(0xFEFF)),
        (
            vec![("/settings/additionalProperties", Value::Null)],
            "settings",
            Rule::Settings(schema::SchemaError { at: String::new(), rule: SchemaRule::OpenObject }),
        ),
    ]);
    let bare = findings(changed(&[("/tool", json!({}))]));
    assert!(bare.contains(&RuleError { at: "tool".into(), rule: Rule::NoTools }));
    let many: serde_json::Map<String, Value> =
        (0..=MAX_TOOLS).map(|n| (format!("t{n}"), valid()["tool"]["agents"].clone())).collect();
    let rule = Rule::TooMany { what: "tools", count: MAX_TOOLS + 1, max: MAX_TOOLS };
    assert!(findings(changed(&[("/tool", Value::Object(many))])).iter().any(|error| error.rule == rule));
}

#[test]
fn origins_and_credentials() {
    let origin = |text: &str| {
        (
            vec![("/upstream/server/default_origin", Value::Null), ("/upstream/server/origin", json!(text))],
            "upstream.server.origin",
            Rule::OriginForm(text.to_owned()),
        )
    };
    check_each(
        [
            "https://a/",
            "https://a/b",
            "https://A",
            "https://a:443",
            "https://u@a",
            "https://a?b",
            "ftp://a",
            "a",
            "",
            "https://",
            "Operator",
        ]
        .map(origin)
        .into(),
    );
    let insecure = |text: &str| {
        (
            vec![("/upstream/server/default_origin", json!(text))],
            "upstream.server.default_origin",
            Rule::OriginInsecure(text.to_owned()),
        )
    };
    check_each(["http://a", "http://10.0.0.1:8080", "http://localhost.evil.com"].map(insecure).into());
    for fine in ["http://127.0.0.1:8888", "http://[::1]", "http://localhost:1", "https://10.0.0.1", "https://[2001:db8::1]:8443"]
    {
        assert_eq!(findings(changed(&[("/upstream/server/default_origin", json!(fine))])), [], "{fine}");
    }
    let credential = |value: Value, rule| (vec![("/upstream/server/credential", value)], "upstream.server.credential", rule);
    check_each(vec![
        (vec![("/upstream/server/origin", json!("https://a"))], "upstream.server.default_origin", Rule::DefaultOriginOnFixed),
        credential(json!({ "header": "Key", "secret": "api_key" }), Rule::CredentialHeader("Key".into())),
        credential(json!({ "header": "host", "secret": "api_key" }), Rule::CredentialHeader("host".into())),
        credential(json!({ "header": "a b", "secret": "api_key" }), Rule::CredentialHeader("a b".into())),
        credential(json!({ "scheme": "To ken", "secret": "api_key" }), Rule::CredentialScheme("To ken".into())),
        credential(json!({ "query": "a\nb", "secret": "api_key" }), Rule::CredentialQuery("a\nb".into())),
        credential(json!({ "query": "page", "secret": "api_key" }), Rule::CredentialSendable("page".into())),
        (
            vec![("@list-agents/headers", json!({ "key": "^a$" }))],
            "upstream.server.credential",
            Rule::CredentialSendable("key".into()),
        ),
        credential(json!({ "username": "user", "secret": "api_key" }), Rule::UnknownSecret(name("user"))),
        (vec![("/secrets/spare", json!({ "description": "x" }))], "secrets.spare", Rule::UnusedSecret(name("spare"))),
        (
            vec![
                ("/upstream/server/default_origin", Value::Null),
                ("/upstream/server/origin", json!("https://a")),
                ("/upstream/two", json!({ "origin": "https://a", "request": [{ "name": "two", "method": "GET", "path": "/" }] })),
                ("/tool/agents/requests", json!(["agent", "list-agents", "search", "status", "two"])),
            ],
            "upstream.two.origin",
            Rule::OriginShared(name("server")),
        ),
        (vec![("/upstream/empty", json!({ "origin": "operator", "request": [] }))], "upstream.empty", Rule::NoContracts),
    ]);
    for fine in [
        json!({ "header": "authorization", "secret": "api_key" }),
        json!({ "scheme": "ApiToken", "secret": "api_key" }),
        json!({ "username": "api_key", "secret": "api_key" }),
        json!({ "query": "key", "secret": "api_key" }),
    ] {
        assert_eq!(findings(changed(&[("/upstream/server/credential", fine)])), []);
    }
}

#[test]
fn paths_and_patterns() {
    let path = |path: &'static str, why| {
        (vec![("@list-agents/path", json!(path))], "@list-agents.path", Rule::Path { path: path.into(), why })
    };
    check_each(vec![
        path("api", PathFault::NotAbsolute),
        path("", PathFault::NotAbsolute),
        path("https://a/b", PathFault::NotAbsolute),
        path("/a//b", PathFault::EmptySegment),
        path("/a/", PathFault::EmptySegment),
        path("//", PathFault::EmptySegment),
        path("/a/../b", PathFault::DotSegment),
        path("/./a", PathFault::DotSegment),
        path("/a%2Fb", PathFault::Character),
        path("/a?b", PathFault::Character),
        path("/a#b", PathFault::Character),
        path("/a b", PathFault::Character),
        path("/a;b", PathFault::Character),
        path("/a\\b", PathFault::Character),
        path("/ä", PathFault::Character),
        path("/a{b}", PathFault::Parameter),
        path("/{}", PathFault::Parameter),
        path("/{A}", PathFault::Parameter),
        path("/{a", PathFault::Parameter),
        path("/{a}/{a}", PathFault::DuplicateParameter),
    ]);
    let unanchored = |text: &str| Rule::Pattern(PatternError::Unanchored(text.to_owned()));
    let paw = |pattern: &'static str, value| {
        let rule = Rule::PatternEscapes { parameter: "paw".into(), value };
        (vec![("@agent/parameters/paw", json!(pattern))], "@agent.parameters.paw", rule)
    };
    check_each(vec![
        (vec![("@agent/parameters", json!({}))], "@agent.parameters", Rule::ParameterWithoutPattern("paw".into())),
        (vec![("@agent/parameters/x", json!("^a$"))], "@agent.parameters.x", Rule::PatternWithoutParameter("x".into())),
        (vec![("@agent/parameters/paw", json!("[a-z]+"))], "@agent.parameters.paw", unanchored("[a-z]+")),
        (vec![("@list-agents/query/page", json!("^a|b$"))], "@list-agents.query.page", unanchored("^a|b$")),
        (vec![("@list-agents/headers", json!({ "x-a": "a$" }))], "@list-agents.headers.x-a", unanchored("a$")),
        (vec![("@status/require/body/~1id", json!({ "pattern": "^a" }))], "@status.require./id", unanchored("^a")),
        paw("^.*$", ""),
        paw("^[^/]+$", "."),
        paw("^[.]{2}$", ".."),
        paw("^[a-z/]+$", "/"),
        paw(r"^\w(?:.\w)?$", "a/b"),
        paw(r"^[a-z\\]+$", "\\"),
    ]);
    let invalid = findings(changed(&[(&full("@agent/parameters/paw"), json!("^(a$"))]));
    assert!(matches!(&invalid[..], [RuleError { rule: Rule::Pattern(PatternError::Invalid(_)), .. }]));
    assert_eq!(findings(changed(&[(&full("@list-agents/path"), json!("/"))])), []);
}

#[test]
fn what_may_be_sent() {
    check_each(vec![
        (vec![("@list-agents/query", json!({ "a b": "^a$" }))], "@list-agents.query.a b", Rule::FieldName("a b".into())),
        (vec![("@list-agents/query", json!({ "": "^a$" }))], "@list-agents.query.", Rule::FieldName(String::new())),
        (vec![("@list-agents/headers", json!({ "X-A": "^a$" }))], "@list-agents.headers.X-A", Rule::HeaderReserved("X-A".into())),
        (
            vec![("@list-agents/headers", json!({ "host": "^a$" }))],
            "@list-agents.headers.host",
            Rule::HeaderReserved("host".into()),
        ),
        (
            vec![("@list-agents/headers", json!({ "x-http-method-override": "^GET$" }))],
            "@list-agents.headers.x-http-method-override",
            Rule::HeaderReserved("x-http-method-override".into()),
        ),
        (
            vec![("@list-agents/headers", json!({ "traceparent": "^00-a$" }))],
            "@list-agents.headers.traceparent",
            Rule::HeaderReserved("traceparent".into()),
        ),
        (vec![("@search/content_type", json!("text/A"))], "@search.content_type", Rule::ContentType("text/A".into())),
        (
            vec![("@search/content_type", json!("text/plain; charset=utf-8"))],
            "@search.content_type",
            Rule::ContentType("text/plain; charset=utf-8".into()),
        ),
        (vec![("@agent/content_type", json!("text/plain"))], "@agent.content_type", Rule::BodyOnSafeMethod("GET")),
    ]);
}

#[test]
fn effects_and_scope() {
    let dimension = name::<DimensionName>;
    check_each(vec![
        (vec![("@search/effect", Value::Null)], "@search.effect", Rule::EffectMissing("POST")),
        (vec![("@search/reason", Value::Null)], "@search.effect", Rule::ReadWithoutReason("POST")),
        (vec![("@note/reason", Value::Null)], "@note.scope", Rule::NoScopeWithoutReason),
        (vec![("@note/scope", Value::Null)], "@note.scope", Rule::WriteWithoutScope),
        (vec![("@note/effect", json!("execute"))], "@note.scope", Rule::EffectWithoutScope(Effect::Execute)),
        (vec![("@note/effect", json!("destructive"))], "@note.scope", Rule::EffectWithoutScope(Effect::Destructive)),
        (vec![("@agent/scope", json!({}))], "@agent.scope", Rule::EmptyScope),
        (vec![("@note/require/body/kind", json!({ "scope": "group" }))], "@note.scope", Rule::NoScopeButRequired),
    ]);
    let unknown = findings(changed(&[
        (&full("@status/require/body/~1host"), json!({ "scope": "gone" })),
        ("/tool/agents/scope", json!({ "gone": { "argument": "/paw" } })),
    ]));
    let places: Vec<&str> = unknown.iter().map(|error| error.at.as_str()).collect();
    assert_eq!(places, ["upstream.server.request.status.scope", "tool.agents.scope.gone"]);
    assert!(unknown.iter().all(|error| error.rule == Rule::UnknownDimension(dimension("gone"))));
    check_each(vec![(
        vec![("/scope/spare", json!({ "kind": "name", "description": "x" }))],
        "scope.spare",
        Rule::UnusedDimension(dimension("spare")),
    )]);
}

#[test]
fn places_exist() {
    let place = |place: Value, rule| (vec![("@create-operation/scope/group", place)], "@create-operation.scope.group", rule);
    check_each(vec![
        place(json!({ "path": "group" }), Rule::PlaceNotInPath("group".into())),
        place(json!({ "query": "group" }), Rule::PlaceNotInQuery("group".into())),
        place(json!({ "header": "x-group" }), Rule::PlaceNotInHeaders("x-group".into())),
        place(json!({ "form": "group" }), Rule::PlaceNotForm),
        place(json!({ "body": "group" }), Rule::Pointer(Pointer::parse("group").unwrap_err())),
        (
            vec![("@create-operation/content_type", Value::Null), ("@create-operation/forbid", Value::Null)],
            "@create-operation.scope.group",
            Rule::PlaceNotJson,
        ),
        (
            vec![("@create-operation/content_type", json!("application/xml")), ("@create-operation/forbid", Value::Null)],
            "@create-operation.scope.group",
            Rule::PlaceNotJson,
        ),
        (vec![("@status/require/query", json!({ "a b": "c" }))], "@status.require.query", Rule::FieldName("a b".into())),
    ]);
    let form = changed(&[
        (&full("@create-operation/scope/group"), json!({ "form": "group" })),
        (&full("@create-operation/forbid"), Value::Null),
        (&full("@create-operation/content_type"), json!("application/x-www-form-urlencoded")),
    ]);
    assert_eq!(findings(form), []);
    let required = json!({ "query": { "group": { "pattern": "^[a-z]{1,9}$" } } });
    let query =
        [(&*full("@create-operation/scope/group"), json!({ "query": "group" })), (&*full("@create-operation/require"), required)];
    assert_eq!(findings(changed(&query)), []);
}

#[test]
fn targets_inside_of_a_text_are_found_and_told_apart() {
    let search = |pattern: &str, targets: Value| {
        let body = json!({ "body": { "/a": { "pattern": pattern, "targets": targets } } });
        findings(changed(&[(&full("@search/require"), body)])).into_iter().map(|error| error.rule).collect::<Vec<_>>()
    };
    let has = |rules: &[Rule], rule: Rule| assert!(rules.contains(&rule), "{rules:?}");
    has(&search("^in (.*)$", json!({ "scope": "group" })), Rule::RequirementTargets);
    has(&search("^in (?<targets>.*)$", json!({ "scope": "group", "between": "" })), Rule::RequirementTargets);
    has(&search("^in (?<targets>.*)$", json!({ "scope": "gone" })), Rule::UnknownDimension(name("gone")));
    has(
        &search("in (?<targets>.*)", json!({ "scope": "group" })),
        Rule::Pattern(PatternError::Unanchored("in (?<targets>.*)".into())),
    );
    has(&search("^in (?<targets>.*)$", json!({ "scope": "group", "x": 1 })), Rule::Requirement);
    // All that is left to say is that the tool has to take its targets.
    let rules = search("^in (?<targets>.*)$", json!({ "scope": "group", "between": ", " }));
    assert!(matches!(&rules[..], [Rule::DimensionNotBound { contract, .. }] if *contract == name("search")), "{rules:?}");
}

#[test]
fn bodies_are_parsed_where_they_are_spoken_of() {
    let pointer = |text| Rule::Pointer(Pointer::parse(text).unwrap_err());
    check_each(vec![
        (vec![("@list-agents/closed", json!(true))], "@list-agents", Rule::BodyNotParsed("closed")),
        (vec![("@list-agents/require", json!({ "body": { "/a": 1 } }))], "@list-agents", Rule::BodyNotParsed("require.body")),
        (vec![("@list-agents/forbid", json!({ "body": ["/a"] }))], "@list-agents", Rule::BodyNotParsed("forbid")),
        (vec![("@list-agents/allow", json!({ "body": ["/a"] }))], "@list-agents", Rule::BodyNotParsed("allow")),
        (
            vec![("@search/content_type", json!("text/plain")), ("@search/closed", json!(true))],
            "@search",
            Rule::BodyNotParsed("closed"),
        ),
        (vec![("@search/allow", json!({ "body": ["a"] }))], "@search", pointer("a")),
        (vec![("@search/forbid", json!({ "body": [""] }))], "@search", pointer("")),
        (vec![("@search/require", json!({ "body": { "/~": 1 } }))], "@search", pointer("/~")),
        (vec![("@note/allow", json!({ "body": ["/text"] }))], "@note", Rule::FieldName("/text".into())),
        (vec![("@search/require", json!({ "body": { "/a": null } }))], "@search.require./a", Rule::Requirement),
        (vec![("@search/require", json!({ "body": { "/a": ["b", "c"] } }))], "@search.require./a", Rule::Requirement),
        (vec![("@search/require", json!({ "body": { "/a": { "sha512": "b" } } }))], "@search.require./a", Rule::Requirement),
        (vec![("@search/require", json!({ "body": { "/a": 1.5 } }))], "@search.require./a", Rule::Requirement),
        (
            vec![("@search/require", json!({ "body": { "/a": { "sha256": "B" } } }))],
            "@search.require./a",
            Rule::RequirementDigest,
        ),
        (
            vec![("@create-operation/forbid/body", json!(["/group"]))],
            "@create-operation.forbid",
            Rule::ForbidsNeeded("/group".into()),
        ),
        (vec![("@replay/forbid", json!({ "body": ["/variables"] }))], "@replay.forbid", Rule::ForbidsNeeded("/variables".into())),
    ]);
}

/// Both contracts are searches; `a` and `b` are what each adds.
fn check_overlap(a: Value, b: Value, overlaps: bool) {
    let contract = |name: &str, add: &Value| {
        let mut contract = json!({ "name": name, "method": "POST", "path": "/x/{id}", "parameters": { "id": "^[a-z]{1,9}$" }, "effect": "read",
            "reason": "a search", "content_type": "application/json" });
        contract.as_object_mut().unwrap().extend(add.as_object().unwrap().clone());
        contract
    };
    let manifest = changed(&[
        ("/upstream/server/request/-", contract("a", &a)),
        ("/upstream/server/request/-", contract("b", &b)),
        ("/tool/replay/requests", json!(["a", "b", "replay"])),
    ]);
    let expected = if overlaps { vec![Rule::Overlap(name("a"))] } else { vec![] };
    let rules: Vec<Rule> = findings(manifest).into_iter().map(|error| error.rule).collect();
    assert_eq!(rules, expected, "{a} {b}");
}

#[test]
fn contracts_that_one_request_could_match_are_refused() {
    let body = |requirement: Value| json!({ "require": { "body": { "/op": requirement } } });
    let sha = |text: &str| json!({ "sha256": Digest::of(text.as_bytes()).to_hex() });
    let literal = |path: &str| json!({ "path": path, "parameters": {} });
    let query = |require: Value| json!({ "query": { "q": "^[a-z]$" }, "require": { "query": require } });
    // Told apart for certain.
    check_overlap(json!({}), json!({ "method": "PUT" }), false);
    check_overlap(json!({}), json!({ "content_type": "text/plain" }), false);
    check_overlap(json!({}), literal("/y/abc"), false);
    check_overlap(json!({}), literal("/x"), false);
    check_overlap(json!({}), literal("/x/ABC"), false);
    check_overlap(body(json!("a")), body(json!("b")), false);
    check_overlap(body(json!("1")), body(json!(1)), false);
    check_overlap(body(json!("a")), body(sha("b")), false);
    check_overlap(body(json!(true)), body(sha("b")), false);
    check_overlap(body(sha("a")), body(sha("b")), false);
    check_overlap(body(json!("A")), body(json!({ "pattern": "^[a-z]$" })), false);
    check_overlap(query(json!({ "q": "a" })), query(json!({ "q": "b" })), false);
    // Not for certain.
    check_overlap(json!({}), json!({}), true);
    check_overlap(json!({}), literal("/x/abc"), true);
    check_overlap(json!({}), json!({ "parameters": { "id": "^[0-9]{1,9}$" } }), true);
    check_overlap(body(json!("a")), body(json!("a")), true);
    check_overlap(body(json!("a")), json!({}), true);
    check_overlap(body(json!("a")), body(sha("a")), true);
    check_overlap(body(json!("a")), body(json!({ "pattern": "^[a-z]$" })), true);
    check_overlap(body(json!({ "pattern": "^a$" })), body(json!({ "pattern": "^b$" })), true);
    check_overlap(body(json!("a")), json!({ "require": { "body": { "/other": "b" } } }), true);
    check_overlap(body(json!({ "scope": "target" })), body(json!("a")), true);
    // Certain, but the gate finds a contract by what is required, and holds the rest against it afterwards.
    check_overlap(body(json!("a")), json!({ "forbid": { "body": ["/op"] } }), true);
    check_overlap(json!({ "closed": true, "allow": { "body": ["/other"] } }), body(json!("a")), true);
    check_overlap(query(json!({ "q": "a" })), json!({}), true);
    check_overlap(json!({ "require": { "query": { "q": "a" } } }), json!({}), true);
    check_overlap(json!({ "closed": true, "allow": { "body": ["/op"] } }), body(json!("a")), true);
    check_overlap(json!({ "closed": true, "allow": { "body": ["/op/x"] } }), body(json!("a")), true);
    check_overlap(query(json!({})), query(json!({ "q": "a" })), true);
    check_overlap(json!({ "query": { "q": "^a$" } }), json!({ "query": { "r": "^a$" } }), true);
}

#[test]
fn tools_say_no_less_than_they_can_do() {
    let below =
        Rule::EffectBelowRequest { tool: Effect::Execute, contract: name("create-operation"), request: Effect::Destructive };
    let unbound = Rule::DimensionNotBound { contract: name("create-operation"), dimension: name("group") };
    let long = "t".repeat(40);
    check_each(vec![
        (vec![("/tool/create_operation/effect", json!("execute"))], "tool.create_operation.effect", below),
        (vec![("/tool/create_operation/scope", Value::Null)], "tool.create_operation.scope", unbound),
        (
            vec![("/tool/replay/scope", Value::Null)],
            "tool.replay.scope",
            Rule::DimensionNotBound { contract: name("replay"), dimension: name("target") },
        ),
        (vec![("/tool/replay/requests", json!(["gone", "replay"]))], "tool.replay.requests", Rule::UnknownContract(name("gone"))),
        (
            vec![("/tool/replay/scope/target/argument", json!("/port"))],
            "tool.replay.scope.target",
            Rule::UnknownArgument("/port".into()),
        ),
        (
            vec![("/tool/replay/scope/target/argument", json!("host"))],
            "tool.replay.scope.target",
            Rule::Pointer(Pointer::parse("host").unwrap_err()),
        ),
        (
            vec![("/upstream/server/request/-", json!({ "name": "spare", "method": "GET", "path": "/spare" }))],
            "@spare",
            Rule::UnusedContract(name("spare")),
        ),
        (
            vec![("/upstream/server/request/-", json!({ "name": "agent", "method": "GET", "path": "/spare" }))],
            "@agent",
            Rule::DuplicateContract(name("agent")),
        ),
        (
            vec![("/plugin/name", json!("p".repeat(30))), (&format!("/tool/{long}"), valid()["tool"]["agents"].clone())],
            &format!("tool.{long}"),
            Rule::ServedName(format!("{}_{long}", "p".repeat(30))),
        ),
        (
            vec![("/tool/replay/input_schema/additionalProperties", json!(true))],
            "tool.replay",
            Rule::InputSchema(schema::SchemaError { at: String::new(), rule: SchemaRule::OpenObject }),
        ),
        (
            vec![("/tool/agents/output_schema/type", json!("array"))],
            "tool.agents",
            Rule::OutputSchema(schema::SchemaError { at: String::new(), rule: SchemaRule::RootNotObject }),
        ),
    ]);
    // Fixed by the contract, so no argument can choose it.
    let fixed = [
        (&*full("@create-operation/require"), json!({ "body": { "/group": "red" } })),
        ("/tool/create_operation/scope", Value::Null),
    ];
    assert_eq!(findings(changed(&fixed)), []);
    // A pattern does not fix it.
    let chosen = json!({ "body": { "/group": { "pattern": "^(?:red|blue)$" } } });
    let chosen = [(&*full("@create-operation/require"), chosen), ("/tool/create_operation/scope", Value::Null)];
    assert!(matches!(&findings(changed(&chosen))[..], [RuleError { rule: Rule::DimensionNotBound { .. }, .. }]));
}

#[test]
fn unknown_keys_are_refused_everywhere() {
    for place in [
        "/x",
        "/plugin/x",
        "/component/x",
        "/limits/x",
        "/secrets/api_key/x",
        "/scope/group/x",
        "/upstream/server/x",
        "@agent/x",
        "@create-operation/scope/group/x",
        "@replay/require/x",
        "@replay/forbid/x",
        "@replay/allow/x",
        "@replay/assume/x",
        "@replay/volatile/x",
        "/tool/agents/x",
        "/tool/replay/scope/target/x",
        "/tool/agents/labels/x",
        "/upstream/server/credential/x",
    ] {
        let mut changes = vec![(full(place), json!(1))];
        if place.ends_with("forbid/x") || place.ends_with("labels/x") || place.ends_with("volatile/x") {
            changes.insert(0, (full(place.trim_end_matches("/x")), json!({})));
        } else if place.ends_with("assume/x") {
            changes.insert(0, (full(place.trim_end_matches("/x")), json!({ "status": 200 })));
        }
        let changes: Vec<(&str, Value)> = changes.iter().map(|(place, value)| (place.as_str(), value.clone())).collect();
        assert!(serde_json::from_value::<Manifest>(changed(&changes)).is_err(), "{place}");
    }
}
