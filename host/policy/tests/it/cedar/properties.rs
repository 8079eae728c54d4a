//! What holds for every set of policies, every call and every schema.

use casemate_policy::{Mode, Principal, Timestamp};
use casemate_signing::Environment;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixture::{Question, load, load_with, open_tool, told};

/// Heads and conditions that go together in any combination.
const HEADS: [&str; 7] = [
    "principal, action, resource",
    "principal == Principal::\"local\", action, resource",
    "principal, action in Action::\"range\", resource",
    "principal, action in [Action::\"read\", Action::\"destructive\"], resource",
    "principal, action == Action::\"range_scan\", resource",
    "principal, action, resource in Plugin::\"notes\"",
    "principal is Principal, action in Action::\"write\", resource",
];
const CONDITIONS: [&str; 11] = [
    "",
    "when { context.hour < 12 }",
    "unless { context.approved }",
    "when { principal.roles.contains(\"analyst\") }",
    "unless { principal.roles.contains(\"analyst\") }",
    "when { context.labels.contains(\"untrusted\") } unless { context.mode == \"dry-run\" }",
    "when { context.environment == \"prod\" }",
    "when { context has scope && context.time * 6000000 > 5 }",
    "when { !context.tainted.isEmpty() }",
    "when { resource.effect != \"read\" }",
    "when { context.budget has \"1h\" && context.budget[\"1h\"] < 3 }",
];

fn policy() -> impl Strategy<Value = String> {
    let forbid = (prop::sample::select(HEADS.to_vec()), prop::sample::select(CONDITIONS.to_vec()))
        .prop_map(|(head, condition)| format!("forbid({head}) {condition};\n"));
    prop_oneof![9 => forbid, 1 => Just("permit(principal, action, resource);\n".to_owned())]
}

fn question() -> impl Strategy<Value = Question> {
    let tool = prop::sample::select(vec!["range_scan", "range_wipe", "range_list", "notes_search"]);
    let moment = prop_oneof![4 => 1_700_000_000_000_i64..1_900_000_000_000, 1 => any::<i64>()];
    let count = prop_oneof![Just(json!(5)), Just(json!(u64::MAX)), Just(json!("x")), Just(json!(1.5))];
    let spent = prop::option::of(0_u32..6);
    (tool, any::<[bool; 7]>(), moment, count, spent).prop_map(|(tool, flags, moment, count, spent)| {
        let [token, analyst, prod, plan, approved, untrusted, tainted] = flags;
        Question::of(tool).argument("count", count).with(|q| {
            q.principal = Principal::new(if token { "token:ci" } else { "local" }.parse().unwrap());
            q.roles.extend(analyst.then(|| "analyst".to_owned()));
            q.environment = if prod { Environment::Prod } else { Environment::Dev };
            q.mode = if plan { Mode::DryRun } else { Mode::Real };
            q.approved = approved;
            q.labels.extend(untrusted.then(|| "untrusted".parse().unwrap()));
            q.tainted.extend(tainted.then(|| "/count".to_owned()));
            q.now = Timestamp::from_millis(moment);
            q.budget.extend(spent.map(|left| ("1h".parse().unwrap(), left)));
        })
    })
}

/// Any JSON, near to what a schema wants or far from it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("a")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]|.{0,3}", inner, 0..4).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// Any schema of one argument: of the kinds that tools have, inside one another.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!({ "type": "string" }),
        json!({ "type": "integer" }),
        json!({ "type": "boolean" }),
        json!({ "type": "number" }),
        json!({ "type": ["string", "null"] }),
        json!({ "enum": ["a", "b", null] }),
        json!({ "const": 7 }),
        json!({ "type": "null" }),
        json!({}),
    ]);
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            inner.clone().prop_map(|schema| json!({ "anyOf": [schema, { "type": "null" }] })),
            (prop::collection::btree_map("[abc]|.{0,3}", inner, 0..4), any::<bool>()).prop_map(|(properties, required)| {
                let names: Vec<&String> = if required { properties.keys().collect() } else { Vec::new() };
                json!({ "type": "object", "properties": properties, "required": names })
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// One more policy, wherever it stands: what was denied stays denied, by all that denied it.
    #[test]
    fn another_policy_never_permits(
        policies in prop::collection::vec((policy(), any::<bool>()), 0..7),
        question in question(),
    ) {
        let more: String = policies.iter().map(|(policy, _)| policy.as_str()).collect();
        let fewer: String = policies.iter().map(|(policy, kept)| if *kept { policy.as_str() } else { "\n" }).collect();
        let (fewer, more) = (load(&fewer).unwrap(), load(&more).unwrap());
        let (few, many) = (question.denial(&fewer), question.denial(&more));
        if let Some(few) = few {
            let many = many.unwrap();
            prop_assert!(few.is_fault() <= many.is_fault() || few.rules().count() == 0);
            for rule in few.rules() {
                prop_assert!(many.rules().any(|other| other == rule), "{rule:?}");
            }
        }
    }

    /// Nothing that is sent does more than be denied, and what was built of it is what the schema says: the question is held
    /// against it before it is asked.
    #[test]
    fn whatever_is_sent_has_an_answer(schema in schema(), value in value(), tainted in prop::collection::btree_set("(/[abc01]){0,3}|.{0,4}", 0..3)) {
        let tool = open_tool("any", "read", json!({ "a": schema }));
        let rules = load_with(std::slice::from_ref(&tool), "forbid(principal, action, resource) when { context.hour == 23 };").unwrap();
        let question = Question::of("range_list").with(|q| {
            q.tool = tool;
            q.arguments = json!({ "a": value });
            q.tainted = tainted;
        });
        if let Some(denial) = question.denial(&rules) {
            let told = denial.for_operator();
            prop_assert!(told.starts_with("the argument at `/a"), "{told}");
        }
    }

    /// Whatever is written in a file, it loads or is refused with a place in that file.
    #[test]
    fn whatever_is_written_is_answered(
        pieces in prop::collection::vec(prop_oneof![
            8 => prop::sample::select(vec![
                "forbid", "permit", "(", ")", "{", "}", "[", "]", ";", ",", "principal", "action", "resource", "context", ".", "has", "in", "==", "when", "unless", "@id(\"a\")", "\"", "//", "\n",
                "Action::\"read\"", "Tool::\"range_scan\"", "Principal::\"x\"", "?principal", "1", "\"x\"", "&&", "!", "-", "like", "is", "if", "then", "else", "labels", "arguments", "contains", "*", " ",
                "forbid(principal, action, resource)", "when { context", "};", "forbid(principal, action in Action::\"range\", resource) when { context.arguments has",
            ]).prop_map(str::to_owned),
            1 => ".{0,3}",
        ], 0..14),
    ) {
        let text = pieces.join(" ");
        if let Err(errors) = load(&text) {
            prop_assert!(!errors.is_empty());
            for error in &errors {
                prop_assert!(error.place().line() <= text.matches('\n').count() + 1 && error.place().file() == "a.cedar", "{}", told(&errors));
                prop_assert!(error.to_string().contains("\nhelp: "), "{error}");
            }
        }
    }
}
