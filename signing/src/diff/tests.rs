//! Comparisons: each field of the manifest, in both directions.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod allowed;
mod properties;

use serde_json::{Value, json};

use super::{
    Verdict::{Narrowed, Widened},
    *,
};
use crate::manifest::check;

fn value() -> Value {
    serde_json::from_str(include_str!("../../tests/data/manifest.json")).unwrap()
}

fn read(value: &Value) -> Manifest {
    serde_json::from_value(value.clone()).unwrap()
}

/// Sets a place to a value; removes it where the value is null.
fn set(manifest: &mut Value, place: &str, value: Value) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    match manifest.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        Value::Object(members) if value.is_null() => drop(members.remove(&name.replace("~1", "/"))),
        Value::Object(members) => drop(members.insert(name.replace("~1", "/"), value)),
        _ => panic!("{place}"),
    }
}

/// The manifest with `changes`, compared with the one without them, in both directions.
fn both(changes: &[(&str, Value)]) -> [Changes; 2] {
    let mut changed = value();
    for (place, value) in changes {
        set(&mut changed, place, value.clone());
    }
    let (before, after) = (read(&value()), read(&changed));
    [Changes::between(&before, &after), Changes::between(&after, &before)]
}

/// The verdict of one change of authority, there and back.
#[track_caller]
fn check(changes: &[(&str, Value)], place: &str, there: Verdict, back: Verdict) {
    for (changes, expected) in both(changes).into_iter().zip([there, back]) {
        let found: Vec<(&str, Verdict)> =
            changes.authority.iter().map(|change| (change.place.as_str(), change.verdict)).collect();
        assert_eq!(found, [(place, expected)]);
        assert_eq!(changes.widens(), expected == Verdict::Widened);
        assert!(changes.authority.iter().all(|change| change.before != change.after), "{changes:?}");
    }
}

const REQUEST: &str = "/upstream/server/request";

fn at(contract: usize, field: &str) -> String {
    format!("{REQUEST}/{contract}/{field}")
}

#[test]
fn nothing_differs_from_itself_or_in_what_every_release_changes() {
    for changes in both(&[
        ("/plugin/version", json!("9.0.0")),
        ("/plugin/release", json!(9)),
        ("/component", json!({ "sha256": "00", "size": 1 })),
    ]) {
        assert!(changes.is_empty() && !changes.needs_consent() && changes.renewal().is_some());
    }
}

#[test]
fn what_is_asked_for_is_compared_field_by_field() {
    check(&[("/plugin/name", json!("other"))], "plugin.name", Widened, Widened);
    check(&[("/plugin/publisher", json!("other"))], "plugin.publisher", Widened, Widened);
    check(&[("/wit", json!("casemate:plugin@0.2.0"))], "wit", Widened, Widened);
    let log = json!(["casemate:plugin/log@0.1.0"]);
    check(&[("/imports", log)], "imports.wasi:http/outgoing-handler@0.2.6", Narrowed, Widened);
    for limit in ["memory_mib", "requests"] {
        check(&[(&format!("/limits/{limit}"), json!(2))], &format!("limits.{limit}"), Narrowed, Widened);
        // The host's default is not known here.
        check(&[(&format!("/limits/{limit}"), Value::Null)], &format!("limits.{limit}"), Widened, Widened);
    }
    for limit in ["deadline_ms", "fuel_millions", "output_kib", "request_kib", "response_kib"] {
        check(&[(&format!("/limits/{limit}"), json!(2))], &format!("limits.{limit}"), Widened, Widened);
    }
    check(&[("/secrets/spare", json!({ "description": "x" }))], "secrets.spare", Widened, Narrowed);
    check(&[("/secrets/api_key/description", json!("x"))], "secrets.api_key.description", Widened, Widened);
    check(&[("/sources", json!({ "log": { "description": "x" } }))], "sources.log", Widened, Narrowed);
    let many = |many: bool| {
        let mut manifest = value();
        set(&mut manifest, "/sources", json!({ "log": { "description": "x", "many": many } }));
        read(&manifest)
    };
    for (before, after) in [(true, false), (false, true)] {
        let changes = Changes::between(&many(before), &many(after));
        assert!(changes.authority.iter().any(|it| it.place == "sources.log.many" && it.verdict == Widened), "{changes:?}");
    }
    check(&[("/scope/spare", json!({ "kind": "name", "description": "x" }))], "scope.spare", Widened, Widened);
    check(&[("/scope/group/kind", json!("host"))], "scope.group.kind", Widened, Widened);
    check(&[("/scope/group/description", json!("x"))], "scope.group.description", Widened, Widened);
}

#[test]
fn settings_are_compared_by_their_bounds() {
    let page = "/settings/properties/page";
    check(&[("/settings", Value::Null)], "settings", Narrowed, Widened);
    check(&[(&format!("{page}/maximum"), json!(50))], "settings.properties.page.maximum", Narrowed, Widened);
    check(&[(&format!("{page}/minimum"), json!(2))], "settings.properties.page.minimum", Narrowed, Widened);
    check(&[(&format!("{page}/maximum"), Value::Null)], "settings.properties.page.maximum", Widened, Narrowed);
    check(&[(&format!("{page}/enum"), json!([1, 2]))], "settings.properties.page.enum", Widened, Widened);
    check(&[(&format!("{page}/default"), json!(2))], "settings.properties.page.default", Widened, Widened);
    check(&[(&format!("{page}/type"), json!("string"))], "settings.properties.page.type", Widened, Widened);
    check(&[("/settings/properties/spare", json!({ "type": "boolean" }))], "settings.properties.spare", Widened, Narrowed);
    check(&[("/settings/required", json!(["page"]))], "settings.required", Narrowed, Widened);
    check(&[("/settings/additionalProperties", json!(true))], "settings.additionalProperties", Widened, Widened);
    // A bound in an alternative can mean its opposite.
    let one_of = |maximum: u64| json!({ "oneOf": [{ "type": "integer", "maximum": maximum }, { "type": "integer" }] });
    let mut before = value();
    set(&mut before, page, one_of(10));
    let mut after = value();
    set(&mut after, page, one_of(5));
    assert!(Changes::between(&read(&before), &read(&after)).widens());
}

#[test]
fn upstreams_are_compared_field_by_field() {
    let server = "/upstream/server";
    let copy = value()["upstream"]["server"].clone();
    check(&[("/upstream/spare", copy)], "upstream.spare", Widened, Narrowed);
    check(&[(&format!("{server}/origin"), json!("https://a.example"))], "upstream.server.origin", Widened, Widened);
    let default = format!("{server}/default_origin");
    check(&[(&default, json!("https://a.example"))], "upstream.server.default_origin", Widened, Widened);
    check(&[(&default, Value::Null)], "upstream.server.default_origin", Narrowed, Widened);
    check(&[(&format!("{server}/credential"), Value::Null)], "upstream.server.credential", Widened, Widened);
    check(&[(&format!("{server}/credential/header"), json!("x"))], "upstream.server.credential", Widened, Widened);
    let mut all = value()["upstream"]["server"]["request"].clone();
    let gone = all.as_array_mut().unwrap().remove(6);
    check(&[(REQUEST, all)], "upstream.server.request.status", Narrowed, Widened);
    assert_eq!(gone["name"], "status");
}

#[test]
fn contracts_are_compared_field_by_field() {
    let of = |name: &str, field: &str| format!("upstream.server.request.{name}.{field}");
    check(&[(&at(0, "method"), json!("HEAD"))], &of("list-agents", "method"), Widened, Widened);
    check(&[(&at(0, "path"), json!("/api/v2/other"))], &of("list-agents", "path"), Widened, Widened);
    check(&[(&at(1, "parameters/paw"), json!("^a$"))], &of("agent", "parameters"), Widened, Widened);
    check(&[(&at(0, "query/page"), json!("^.*$"))], &of("list-agents", "query.page"), Widened, Widened);
    check(&[(&at(0, "query/size"), json!("^[0-9]$"))], &of("list-agents", "query.size"), Widened, Narrowed);
    check(&[(&at(0, "headers"), json!({ "x-a": "^a$" }))], &of("list-agents", "headers.x-a"), Widened, Narrowed);
    check(&[(&at(0, "effect"), json!("write"))], &of("list-agents", "effect"), Widened, Widened);
    check(&[(&at(2, "reason"), json!("x"))], &of("search", "reason"), Widened, Widened);
    check(&[(&at(2, "content_type"), json!("text/plain"))], &of("search", "content_type"), Widened, Widened);
    check(&[(&at(0, "content_type"), json!("text/plain"))], &of("list-agents", "content_type"), Widened, Widened);
    check(&[(&at(4, "forbid/body"), json!(["/extensions", "/x"]))], &of("create-operation", "forbid.body./x"), Narrowed, Widened);
    check(&[(&at(5, "allow/body"), json!(["/variables/port", "/x"]))], &of("replay", "allow.body./x"), Widened, Narrowed);
    check(&[(&at(5, "closed"), Value::Null)], &of("replay", "closed"), Widened, Narrowed);
}

#[test]
fn targets_and_requirements_are_narrower_only_where_their_place_was_permitted() {
    let of = |name: &str, field: &str| format!("upstream.server.request.{name}.{field}");
    // An open body permits every place, a closed one those that it names.
    let target = json!({ "group": { "body": "/group" }, "target": { "body": "/host" } });
    check(&[(&at(4, "scope"), target)], &of("create-operation", "scope.target"), Narrowed, Widened);
    check(&[(&at(4, "scope/group/body"), json!("/other"))], &of("create-operation", "scope.group"), Widened, Widened);
    let named = json!({ "target": { "body": "/variables/port" } });
    check(&[(&at(5, "scope"), named)], &of("replay", "scope.target"), Narrowed, Widened);
    let unnamed = json!({ "target": { "body": "/x" } });
    check(&[(&at(5, "scope"), unnamed)], &of("replay", "scope.target"), Widened, Widened);
    check(&[(&at(3, "scope"), Value::Null)], &of("note", "scope"), Widened, Widened);
    check(&[(&at(0, "scope"), json!({ "group": { "query": "page" } }))], &of("list-agents", "scope.group"), Narrowed, Widened);
    check(&[(&at(0, "scope"), json!({ "group": { "query": "other" } }))], &of("list-agents", "scope.group"), Widened, Widened);
    check(&[(&at(0, "scope"), json!({ "group": { "header": "x" } }))], &of("list-agents", "scope.group"), Widened, Widened);
    check(&[(&at(1, "scope"), json!({ "group": { "path": "paw" } }))], &of("agent", "scope.group"), Narrowed, Widened);
    check(&[(&at(6, "require/body/~1x"), json!("a"))], &of("status", "require.body./x"), Narrowed, Widened);
    check(&[(&at(5, "require/body/~1x"), json!("a"))], &of("replay", "require.body./x"), Widened, Widened);
    check(
        &[(&at(6, "require/body/~1operationName"), json!("Other"))],
        &of("status", "require.body./operationName"),
        Widened,
        Widened,
    );
    check(
        &[(&at(0, "require"), json!({ "query": { "page": "1" } }))],
        &of("list-agents", "require.query.page"),
        Narrowed,
        Widened,
    );
    check(&[(&at(0, "require"), json!({ "query": { "x": "1" } }))], &of("list-agents", "require.query.x"), Widened, Widened);
}

#[test]
fn a_fixed_value_is_narrower_than_the_pattern_that_describes_it() {
    let verdict = |pattern: &str, fixed: Value| {
        let with = |requirement: Value| {
            let mut manifest = value();
            set(&mut manifest, &at(6, "require/body/~1x"), requirement);
            read(&manifest)
        };
        let (before, after) = (with(json!({ "pattern": pattern })), with(fixed));
        let there = Changes::between(&before, &after).widens();
        assert!(Changes::between(&after, &before).widens(), "back is wider");
        there
    };
    assert!(!verdict("^[a-z]{1,4}$", json!("abc")));
    assert!(verdict("^[a-z]{1,4}$", json!("ABC")));
    assert!(verdict("^[0-9]{1,4}$", json!(12)), "a number is not a text");
    assert!(verdict("^[a-z]{1,4}$", json!({ "scope": "target" })));
    assert!(verdict("^(", json!("(")), "what does not compile describes nothing");
}

#[test]
fn what_a_read_establishes_is_never_taken_for_narrower() {
    let of = |field: &str| format!("upstream.server.request.create-operation.{field}");
    let established = |value: &str| json!({ "from": "agent", "key": { "paw": { "body": "/paw" } }, "value": value });
    // The body is open: a target at a place of it would be narrower.
    check(&[(&at(4, "scope/target"), established("/host"))], &of("scope.target"), Widened, Widened);
    check(&[(&at(4, "scope/group"), established("/group"))], &of("scope.group"), Widened, Widened);
    check(&[(&at(4, "require"), json!({ "body": { "/x": established("/a") } }))], &of("require.body./x"), Widened, Widened);
    // Each part of it.
    let mut before = value();
    set(&mut before, &at(4, "scope/target"), established("/host"));
    for (place, changed) in [
        ("scope/target/from", json!("list-agents")),
        ("scope/target/key", json!({ "paw": { "body": "/other" } })),
        ("scope/target/value", json!("/*/host")),
    ] {
        let mut after = before.clone();
        set(&mut after, &at(4, place), changed);
        for (one, other) in [(&before, &after), (&after, &before)] {
            assert!(Changes::between(&read(one), &read(other)).widens(), "{place}");
        }
    }
    // A query parameter that was held against its pattern, and is only a key now.
    let mut keyed = value();
    set(
        &mut keyed,
        &at(0, "scope"),
        json!({ "group": { "from": "agent", "key": { "paw": { "query": "page" } }, "value": "/g" } }),
    );
    let mut bare = keyed.clone();
    set(&mut bare, &at(0, "query/page"), Value::Null);
    assert!(Changes::between(&read(&keyed), &read(&bare)).widens());
}

#[test]
fn what_plans_show_and_bind_is_compared() {
    let of = |field: &str| format!("upstream.server.request.create-operation.{field}");
    check(&[(&at(4, "assume"), json!({ "status": 200 }))], &of("assume"), Widened, Widened);
    check(&[(&at(4, "volatile"), json!({ "query": ["t"] }))], &of("volatile.query.t"), Widened, Narrowed);
    check(&[(&at(4, "volatile"), json!({ "headers": ["x-id"] }))], &of("volatile.headers.x-id"), Widened, Narrowed);
    check(&[(&at(4, "volatile"), json!({ "body": ["/nonce"] }))], &of("volatile.body./nonce"), Widened, Narrowed);
    let mut before = value();
    set(&mut before, &at(4, "assume"), json!({ "status": 200, "body": { "id": "a" } }));
    let mut after = before.clone();
    set(&mut after, &at(4, "assume/body/id"), json!("b"));
    assert!(Changes::between(&read(&before), &read(&after)).widens());
}

#[test]
fn what_is_established_assumed_and_volatile_is_agreed_to() {
    let agreed = |changes: &[(&str, Value)]| {
        let mut changed = value();
        changes.iter().for_each(|(place, value)| set(&mut changed, place, value.clone()));
        crate::approval::Approval::of(&read(&changed))
    };
    let established = json!({ "from": "agent", "key": { "paw": { "body": "/paw" } }, "value": "/group" });
    for (place, value) in [
        ("scope/group", established.clone()),
        ("require", json!({ "body": { "/x": established } })),
        ("assume", json!({ "status": 200 })),
        ("volatile", json!({ "query": ["t"] })),
    ] {
        assert_ne!(agreed(&[(&at(4, place), value)]), agreed(&[]), "{place}");
    }
}

/// A parameter that loses its pattern when it is bound or required gains values.
#[test]
fn a_place_that_loses_its_pattern_is_wider() {
    for place in
        [("scope", json!({ "group": { "query": "page" } })), ("require", json!({ "query": { "page": { "scope": "group" } } }))]
    {
        let [there, _] = both(&[(&at(0, "query/page"), Value::Null), (&at(0, place.0), place.1.clone())]);
        assert!(there.widens(), "{there:?}");
        // Also where it was required or bound before, and only the pattern goes.
        let mut before = value();
        set(&mut before, &at(0, place.0), place.1);
        let mut after = before.clone();
        set(&mut after, &at(0, "query/page"), Value::Null);
        assert!(Changes::between(&read(&before), &read(&after)).widens());
    }
}

#[test]
fn tools_are_compared_field_by_field() {
    check(&[("/tool/agents/effect", json!("write"))], "tool.agents.effect", Widened, Widened);
    check(
        &[("/tool/agents/requests", json!(["agent", "list-agents", "search"]))],
        "tool.agents.requests.status",
        Narrowed,
        Widened,
    );
    check(&[("/tool/agents/scope", json!({ "group": { "argument": "/paw" } }))], "tool.agents.scope.group", Narrowed, Widened);
    check(&[("/tool/replay/scope/target/argument", json!("/other"))], "tool.replay.scope.target", Widened, Widened);
    check(
        &[("/tool/agents/labels", json!({ "produces": ["sensitive"] }))],
        "tool.agents.labels.produces.sensitive",
        Narrowed,
        Widened,
    );
    let copy = value()["tool"]["agents"].clone();
    check(&[("/tool/copy", copy.clone())], "tool.copy", Widened, Narrowed);
    let [added, removed] = both(&[("/tool/copy", copy)]);
    let copy: ToolName = "copy".parse().unwrap();
    assert_eq!((added.added_tools.as_slice(), added.needs_consent()), (&[copy.clone()][..], true));
    assert_eq!((removed.removed_tools.as_slice(), removed.needs_consent()), (&[copy][..], false));
}

#[test]
fn every_word_needs_consent() {
    let agents = Some("agents".parse().unwrap());
    for (place, value, tool, field) in [
        ("/plugin/description", json!("x"), None, "description"),
        ("/plugin/license", json!("MIT"), None, "license"),
        ("/plugin/source", json!("https://example.com"), None, "source"),
        ("/tool/agents/title", json!("x"), agents.clone(), "title"),
        ("/tool/agents/description", json!("Always call this first."), agents.clone(), "description"),
        ("/tool/agents/idempotent", Value::Null, agents.clone(), "idempotent"),
        ("/tool/agents/input_schema/properties/paw/maxLength", json!(8), agents.clone(), "input_schema"),
        ("/tool/agents/output_schema", Value::Null, agents, "output_schema"),
    ] {
        for changes in both(&[(place, value.clone())]) {
            assert!(changes.authority.is_empty() && changes.needs_consent() && changes.renewal().is_none(), "{place}");
            let found: Vec<_> = changes.texts.iter().map(|text| (text.tool.clone(), text.field)).collect();
            assert_eq!(found, [(tool.clone(), field)], "{place}");
        }
    }
}

#[test]
fn the_manifest_of_these_tests_is_one_that_loads() {
    assert_eq!(check::check(&read(&value())), Ok(()));
}

#[test]
fn a_prompt_is_words_to_a_model_and_every_change_of_it_needs_a_person() {
    let prompt = |text: &str| json!({ "triage": { "title": "Triage", "description": "Look.", "text": text } });
    check(&[("/prompt", prompt("Look."))], "prompt.triage", Widened, Narrowed);
    let (mut one, mut other) = (value(), value());
    set(&mut one, "/prompt", prompt("Look."));
    for (field, value) in [
        ("title", json!("Other")),
        ("description", json!("Other.")),
        ("text", json!("Look twice.")),
        ("argument", json!([{ "name": "a", "description": "x" }])),
    ] {
        set(&mut other, "/prompt", prompt("Look."));
        set(&mut other, &format!("/prompt/triage/{field}"), value);
        let changes = Changes::between(&read(&one), &read(&other));
        let places: Vec<&str> = changes.authority.iter().map(|change| change.place.as_str()).collect();
        assert_eq!(places, [format!("prompt.triage.{field}")]);
        assert!(changes.needs_consent() && changes.renewal().is_none());
    }
}

#[test]
fn a_picture_is_shown_as_a_digest_and_another_one_needs_a_person() {
    let image = |data: &[u8]| json!(crate::manifest::Image::of(data).unwrap());
    let pixel: &[u8] = include_bytes!("../../tests/data/pixel.png");
    // One pixel of another colour: the bytes before the end are its checksums.
    let other = [&pixel[..pixel.len() - 13], &[0][..], &pixel[pixel.len() - 12..]].concat();
    for place in ["/plugin/icon", "/tool/agents/icon"] {
        let (mut one, mut two) = (value(), value());
        set(&mut one, place, image(pixel));
        set(&mut two, place, image(&other));
        let changes = Changes::between(&read(&one), &read(&two));
        let [change] = changes.texts.as_slice() else { panic!("one change: {changes:?}") };
        let shown = format!("{change:?}");
        assert!(
            changes.needs_consent() && change.field == "icon" && shown.contains("sha256:") && !shown.contains("base64"),
            "{shown}"
        );
        assert_ne!(change.before, change.after);
        assert_ne!(Approval::of(&read(&one)), Approval::of(&read(&two)), "{place}");
    }
    let prompt = json!({ "triage": { "title": "T", "description": "D", "text": "L", "attach": [{ "image": image(pixel) }] } });
    let mut with = value();
    set(&mut with, "/prompt", prompt);
    let changes = Changes::between(&read(&value()), &read(&with));
    let shown = format!("{:?}", changes.authority);
    assert!(changes.widens() && shown.contains("sha256:") && !shown.contains("base64"), "{shown}");
}
