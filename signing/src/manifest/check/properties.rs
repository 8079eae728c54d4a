//! Whatever a manifest holds, it is refused or accepted, and nothing panics.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::Value;

use super::{Manifest, check, schema};

fn valid() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/manifest.json")).unwrap()
}

/// A JSON value of any shape, with the words of manifests in it.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just("^("), Just("/{a}/b"), Just("none"), Just("#/$defs/a"), Just("https://[::1")].prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![Just("$ref"), Just("type"), Just("properties"), Just("body"), Just("/a"), Just("scope")]
            .prop_map(str::to_owned);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Replace the `index`-th value of a tree.
fn replace(node: &mut Value, index: &mut usize, value: &Value) {
    if *index == 0 {
        *node = value.clone();
    }
    *index = index.wrapping_sub(1);
    match node {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, index, value)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, index, value)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn never_panics_on_a_manifest_with_anything_anywhere(index in 0usize..260, value in any_value()) {
        let mut manifest = valid();
        replace(&mut manifest, &mut { index }, &value);
        if let Ok(manifest) = serde_json::from_value::<Manifest>(manifest) {
            let _ = check(&manifest);
            let _ = crate::lint::lint(&manifest, &[manifest.id()]);
        }
    }

    #[test]
    fn never_panics_on_a_schema_of_any_shape(value in any_value()) {
        let _ = (schema::input(&value), schema::output(&value));
    }
}
