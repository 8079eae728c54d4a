//! Layers only ever take away: with any set of them, one more lets nothing more through.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::{
    Environment,
    manifest::{ArgumentPlace, Effect, ScopeKind, Tool},
};
use serde_json::{Value, json};

use super::{Judgement, Question, judge};
use crate::{
    ApprovalMode, ApprovalRule, Budget, Call, Grant, Guards, Measure, Policy, Principal, Readings, Timestamp, ToolRule,
    layer::{LAYERS, Look},
    needs,
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn grant() -> Grant {
    Grant {
        name: "lab".parse().unwrap(),
        principals: BTreeSet::from(["local".parse().unwrap()]),
        tools: vec!["*".parse().unwrap()],
        max_effect: Effect::Destructive,
        scope: BTreeMap::from([("group".parse().unwrap(), vec!["red".to_owned()])]),
        expires: None,
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets: vec![Budget { tools: Vec::new(), effect: None, measure: Measure::Calls(1), per: "1h".parse().unwrap() }],
    }
}

fn rule() -> ToolRule {
    let tool = Tool {
        title: "Look".to_owned(),
        description: "Looks.".to_owned(),
        icon: None,
        effect: Effect::Execute,
        requests: BTreeSet::new(),
        scope: [("group".parse().unwrap(), ArgumentPlace { argument: "/group".to_owned() })].into(),
        idempotent: false,
        labels: Default::default(),
        input_schema: json!({ "type": "object", "required": ["group"] }),
        output_schema: None,
    };
    ToolRule {
        served: "eye_look".parse().unwrap(),
        plugin: "acme/eye".parse().unwrap(),
        digest: "ab".repeat(32),
        tool: "look".parse().unwrap(),
        manifest_tool: Arc::new(tool),
        dimensions: Arc::new([("group".parse().unwrap(), ScopeKind::Name)].into()),
        pinned: true,
        enabled: true,
        dry_run: false,
        approval: ApprovalRule::of(ApprovalMode::None),
        roles: BTreeSet::new(),
    }
}

/// How much is let through: everything, nothing before somebody agrees, nothing.
fn taken(judgement: &Judgement) -> u8 {
    match judgement {
        Judgement::Pass(..) => 0,
        Judgement::Defer(..) => 1,
        Judgement::Deny(..) => 2,
    }
}

/// Of every set of layers, what it takes: by the bits of its layers.
fn of_every_set(environment: Environment, grant: Grant, rule: ToolRule, arguments: Value, known: bool) -> Vec<u8> {
    let policy = Policy::new(environment, vec![grant], vec![rule], Guards::default()).unwrap();
    let (principal, call) = (Principal::new("local".parse().unwrap()), Call::new("eye_look", arguments));
    let readings = if known { Readings::fresh(&needs(&policy, &principal, &call)) } else { Readings::none() };
    let question = Question::new(&policy, &principal, &call, &readings, NOW);
    let under = question.under(policy.covering(&principal, &Call::new("eye_look", Value::Null)).first().unwrap());
    let case = under.case(&question);
    (0..1_usize << LAYERS.len())
        .map(|set| {
            let layers: Vec<&dyn Look> =
                LAYERS.into_iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, look)| look).collect();
            taken(&judge(&case, &layers))
        })
        .collect()
}

#[test]
fn with_any_set_of_layers_one_more_lets_nothing_more_through() {
    let good = || json!({ "group": "red" });
    let asking = || ToolRule { approval: ApprovalRule::of(ApprovalMode::Operator), ..rule() };
    let cases = [
        ("nothing is wrong", 0, of_every_set(Environment::Dev, grant(), rule(), good(), true)),
        ("somebody is asked", 1, of_every_set(Environment::Dev, grant(), asking(), good(), true)),
        ("another group", 2, of_every_set(Environment::Dev, grant(), rule(), json!({ "group": "blue" }), true)),
        ("no arguments", 2, of_every_set(Environment::Dev, grant(), rule(), json!([]), true)),
        ("nothing is known", 2, of_every_set(Environment::Dev, grant(), asking(), good(), false)),
        ("it ended", 2, of_every_set(Environment::Dev, Grant { expires: Some(NOW), ..grant() }, asking(), good(), true)),
        ("it is off", 2, of_every_set(Environment::Prod, grant(), ToolRule { enabled: false, ..asking() }, good(), true)),
        ("it is another", 2, of_every_set(Environment::Dev, grant(), ToolRule { pinned: false, ..rule() }, good(), true)),
    ];
    for (what, all, taken) in cases {
        assert_eq!(taken.first(), Some(&0), "{what}: no layer, no objection");
        assert_eq!(taken.last(), Some(&all), "{what}: with every layer");
        for (set, before) in taken.iter().enumerate() {
            for bit in 0..LAYERS.len() {
                let after = taken.get(set | 1 << bit).unwrap();
                assert!(after >= before, "{what}: layers {set:012b} and one more at {bit}");
            }
        }
    }
}
