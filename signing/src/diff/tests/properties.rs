//! Manifests changed at random: where no consent is needed, whatever the candidate allows the installed one allowed too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    Changes,
    allowed::{Element, Request, allows},
    read, value,
};
use crate::manifest::{Effect, Manifest, Method};

const CONTRACTS: [&str; 7] = ["list-agents", "agent", "search", "note", "create-operation", "replay", "status"];
const TOOLS: [&str; 3] = ["agents", "create_operation", "replay"];
const PLACES: [&str; 4] = ["/a", "/b", "/operationName", "/group"];
const NAMES: [&str; 3] = ["page", "b", "c"];
const VALUES: [&str; 5] = ["a", "b", "1", "Status", "^"];
const PATTERNS: [&str; 3] = ["^[0-9]{1,4}$", "^[a-b]$", "^.{0,9}$"];
const LIMITS: [&str; 4] = ["memory_mib", "requests", "deadline_ms", "output_kib"];
const LABELS: [&str; 2] = ["sensitive", "inventory"];
const ARGUMENTS: [&str; 3] = ["/group", "/host", "/paw"];
const EFFECTS: [Effect; 4] = [Effect::Read, Effect::Write, Effect::Execute, Effect::Destructive];
const METHODS: [Method; 3] = [Method::Get, Method::Post, Method::Put];

/// Choices, drawn from random bytes: the same bytes make the same choices.
struct Choices<'b>(std::iter::Cycle<std::slice::Iter<'b, u8>>);

impl Choices<'_> {
    fn up_to(&mut self, count: usize) -> usize {
        usize::from(*self.0.next().unwrap()) % count
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.up_to(items.len())].clone()
    }

    fn yes(&mut self) -> bool {
        self.up_to(2) == 0
    }
}

/// One change: something is added, removed or replaced, anywhere.
fn mutate(manifest: &mut Value, choices: &mut Choices<'_>) {
    let contract = choices.up_to(CONTRACTS.len());
    let tool = choices.of(&TOOLS);
    let kind = choices.up_to(22);
    let target = match kind {
        0..=11 => manifest.pointer_mut(&format!("/upstream/server/request/{contract}")),
        12..=16 => manifest.pointer_mut(&format!("/tool/{tool}")),
        _ => Some(&mut *manifest),
    };
    let Some(Value::Object(object)) = target else { return };
    let entry = |object: &mut serde_json::Map<String, Value>, field: &str, name: &str, value: Value, add: bool| {
        let inner = object.entry(field).or_insert_with(|| json!({}));
        if !inner.is_object() {
            *inner = json!({});
        }
        let inner = inner.as_object_mut().unwrap();
        if add {
            drop(inner.insert(name.to_owned(), value))
        } else {
            drop(inner.remove(name))
        }
        if inner.is_empty() {
            object.remove(field);
        }
    };
    let established = |choices: &mut Choices<'_>| {
        let key = match choices.up_to(3) {
            0 => json!({ "query": choices.of(&NAMES) }),
            1 => json!({ "header": choices.of(&NAMES) }),
            _ => json!({ "body": choices.of(&PLACES) }),
        };
        json!({ "from": "agent", "key": { "paw": key }, "value": choices.of(&PLACES) })
    };
    let requirement = |choices: &mut Choices<'_>| match choices.up_to(4) {
        0 => json!({ "pattern": choices.of(&PATTERNS) }),
        3 => established(choices),
        1 => json!({ "scope": "target" }),
        _ => json!(choices.of(&VALUES)),
    };
    let member = |object: &mut serde_json::Map<String, Value>, field: &str, item: &str, add: bool| {
        let items = object.entry(field).or_insert_with(|| json!([]));
        let items = items.as_array_mut().unwrap();
        items.retain(|known| known != item);
        if add {
            items.push(json!(item));
        }
    };
    match kind {
        0 => entry(object, "query", choices.of(&NAMES), json!(choices.of(&PATTERNS)), choices.yes()),
        1 => entry(object, "headers", choices.of(&NAMES), json!(choices.of(&PATTERNS)), choices.yes()),
        2 => {
            let mut require = object.get("require").cloned().unwrap_or(json!({}));
            let required = requirement(choices);
            entry(require.as_object_mut().unwrap(), "body", choices.of(&PLACES), required, choices.yes());
            object.insert("require".to_owned(), require);
        }
        3 => {
            let mut require = object.get("require").cloned().unwrap_or(json!({}));
            let required = requirement(choices);
            entry(require.as_object_mut().unwrap(), "query", choices.of(&NAMES), required, choices.yes());
            object.insert("require".to_owned(), require);
        }
        4 | 5 => {
            let field = if kind == 4 { "forbid" } else { "allow" };
            let mut holder = object.get(field).cloned().unwrap_or(json!({}));
            member(holder.as_object_mut().unwrap(), "body", choices.of(&PLACES), choices.yes());
            object.insert(field.to_owned(), holder);
        }
        6 => drop(object.insert("closed".to_owned(), json!(choices.yes()))),
        7 => {
            let place = match choices.up_to(4) {
                0 => json!({ "body": choices.of(&PLACES) }),
                3 => established(choices),
                1 => json!({ "query": choices.of(&NAMES) }),
                _ => json!({ "header": choices.of(&NAMES) }),
            };
            entry(object, "scope", choices.of(&["group", "target"]), place, choices.yes());
        }
        8 => drop(object.insert("effect".to_owned(), json!(choices.of(&EFFECTS)))),
        9 => drop(object.insert("content_type".to_owned(), json!("application/json"))),
        10 => drop(object.remove("content_type")),
        11 => drop(object.insert("method".to_owned(), json!(choices.of(&METHODS)))),
        12 | 13 => member(object, "requests", choices.of(&CONTRACTS), choices.yes()),
        14 => {
            entry(object, "scope", choices.of(&["group", "target"]), json!({ "argument": choices.of(&ARGUMENTS) }), choices.yes())
        }
        15 => {
            let mut labels = object.get("labels").cloned().unwrap_or(json!({}));
            member(labels.as_object_mut().unwrap(), "produces", choices.of(&LABELS), choices.yes());
            object.insert("labels".to_owned(), labels);
        }
        16 => drop(object.insert("effect".to_owned(), json!(choices.of(&EFFECTS)))),
        17 => entry(object, "limits", choices.of(&LIMITS), json!(choices.up_to(5) + 1), choices.yes()),
        18 => member(object, "imports", choices.of(&["casemate:plugin/log@0.1.0", "wasi:random/random@0.2.6"]), choices.yes()),
        19 => entry(object, "secrets", choices.of(&["api_key", "spare"]), json!({ "description": "x" }), choices.yes()),
        20 => {
            if let Some(Value::Object(page)) =
                object.get_mut("settings").and_then(|settings| settings.pointer_mut("/properties/page"))
            {
                page.insert(choices.of(&["minimum", "maximum"]).to_owned(), json!(choices.up_to(7)));
            }
        }
        _ => {
            let server = object.get_mut("upstream").and_then(|upstream| upstream.get_mut("server"));
            let Some(Value::Object(server)) = server else { return };
            match choices.up_to(4) {
                0 => drop(server.remove("default_origin")),
                1 => drop(server.insert("default_origin".to_owned(), json!("https://b.example"))),
                2 => drop(server.remove("credential")),
                _ => {
                    let contracts = server["request"].as_array_mut().unwrap();
                    contracts.retain(|known| known["name"] != CONTRACTS[contract]);
                }
            }
        }
    }
}

/// Something that the manifest is likely to allow.
fn element(manifest: &Manifest, choices: &mut Choices<'_>) -> Element {
    match choices.up_to(14) {
        0 => Element::Import(choices.of(&["casemate:plugin/log@0.1.0", "wasi:random/random@0.2.6"]).to_owned()),
        1 => Element::Secret(choices.of(&["api_key", "spare"]).to_owned()),
        2 => Element::Limit {
            name: choices.of(&LIMITS).to_owned(),
            amount: choices.up_to(20) as u64,
            default: choices.of(&[0, 3, 100]),
        },
        3 => Element::Page(i64::try_from(choices.up_to(9)).unwrap()),
        4 => Element::Unchosen(choices.of(&["https://b.example", "https://emulator.example.com"]).to_owned()),
        5 => Element::Credential(serde_json::to_string(&manifest.upstream.values().next().unwrap().credential).unwrap()),
        6 => Element::Unlabelled { tool: choices.of(&TOOLS).to_owned(), label: choices.of(&LABELS).to_owned() },
        _ => Element::Request(request(manifest, choices)),
    }
}

fn request(manifest: &Manifest, choices: &mut Choices<'_>) -> Request {
    let tool = choices.of(&TOOLS).to_owned();
    let usable: Vec<String> = manifest
        .tool
        .iter()
        .filter(|(name, _)| name.as_str() == tool)
        .flat_map(|(_, tool)| &tool.requests)
        .map(ToString::to_string)
        .collect();
    let contract = if usable.is_empty() { CONTRACTS[0].to_owned() } else { choices.of(&usable) };
    let known = manifest.upstream.values().flat_map(|upstream| &upstream.request).find(|one| one.name.as_str() == contract);
    let mut fill = |names: Vec<String>| -> BTreeMap<String, String> {
        names.into_iter().filter_map(|name| (choices.up_to(4) > 0).then(|| (name, choices.of(&VALUES).to_owned()))).collect()
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut inside = fill(named(&PLACES));
    let mut query = fill(named(&NAMES));
    let headers = fill(named(&NAMES));
    let arguments = fill(named(&ARGUMENTS));
    let mut granted: BTreeSet<String> = VALUES.iter().map(|value| (*value).to_owned()).collect();
    if choices.up_to(3) == 0 {
        granted.remove(choices.of(&VALUES));
    }
    let (mut method, mut path, mut body) = (Method::Get, String::new(), None);
    if let Some(known) = known {
        (method, path) = (known.method, known.path.clone());
        query.retain(|name, _| known.query.contains_key(name) || known.require.query.contains_key(name) || choices.up_to(8) == 0);
        let exact = |requirement: &crate::manifest::Requirement| match requirement {
            crate::manifest::Requirement::Exactly(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        inside.extend(known.require.body.iter().filter_map(|(place, wanted)| Some((place.clone(), exact(wanted)?))));
        query.extend(known.require.query.iter().filter_map(|(name, wanted)| Some((name.clone(), exact(wanted)?))));
        inside.retain(|place, _| !known.forbid.body.contains(place));
        if known.closed {
            let permitted =
                |place: &String| known.allow.body.contains(place) || known.require.body.contains_key(place) || place == "/group";
            inside.retain(|place, _| permitted(place));
        }
        body = known.content_type.clone().map(|kind| (kind, inside));
    }
    let shown = VALUES.iter().flat_map(|key| PLACES.iter().map(move |place| (key, place)));
    let shown = shown
        .map(|(key, place)| (("agent".to_owned(), (*key).to_owned(), (*place).to_owned()), choices.of(&VALUES).to_owned()))
        .collect();
    let headers = headers.into_iter().filter(|(name, _)| known.is_some_and(|known| known.headers.contains_key(name))).collect();
    Request {
        tool,
        contract,
        method,
        path,
        query,
        headers,
        body,
        arguments,
        granted,
        shown,
        greatest: choices.of(&[Effect::Write, Effect::Destructive]),
    }
}

#[test]
fn what_needs_no_consent_allows_nothing_new() {
    let (renewed, compared) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let bytes = prop::collection::vec(any::<u8>(), 997);
    let result = runner.run(&(bytes, 0usize..6, 1usize..3), |(bytes, before, after)| {
        let mut choices = Choices(bytes.iter().cycle());
        let mut installed = value();
        (0..before).for_each(|_| mutate(&mut installed, &mut choices));
        let mut candidate = installed.clone();
        (0..after).for_each(|_| mutate(&mut candidate, &mut choices));
        for (installed, candidate) in [(&installed, &candidate), (&candidate, &installed)] {
            let (installed, candidate) = (read(installed), read(candidate));
            let changes = Changes::between(&installed, &candidate);
            if changes.needs_consent() {
                continue;
            }
            renewed.fetch_add(usize::from(!changes.is_empty()), Ordering::Relaxed);
            for _ in 0..60 {
                let element = element(&candidate, &mut choices);
                if allows(&candidate, &element) {
                    compared.fetch_add(1, Ordering::Relaxed);
                    prop_assert!(allows(&installed, &element), "{element:?}\n{:#?}", changes.authority);
                }
            }
        }
        Ok(())
    });
    assert_eq!(result, Ok(()));
    // A property that holds because nothing was compared would say nothing.
    let (renewed, compared) = (renewed.into_inner(), compared.into_inner());
    assert!(renewed > 200 && compared > 5_000, "{renewed} renewals, {compared} elements");
}
