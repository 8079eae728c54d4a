//! Permits with budgets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_ledger::{ChargeError, Ledger};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Budget, Call, Decision, Grant, Guards, Measure, Permit, Policy, Principal, Readings, Timestamp,
    ToolRule, decide, needs,
};
use casemate_signing::{
    Environment,
    manifest::{Effect, Labels, Tool},
};
use serde_json::json;

pub(crate) const NOW: i64 = 1_790_000_000_000;
/// The most that upstreams may answer in one call.
pub(crate) const MOST: u64 = 1000;
pub(crate) const MINUTE: i64 = 60_000;

pub(crate) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A permit for one call by `principal` under budgets of so many calls per window.
pub(crate) fn permit(principal: &str, effect: Effect, budgets: &[(u32, &str)]) -> Permit {
    let tool = Tool {
        title: "Look".to_owned(),
        description: "Looks.".to_owned(),
        effect,
        requests: Default::default(),
        scope: BTreeMap::new(),
        idempotent: true,
        labels: Labels::default(),
        input_schema: json!({"type": "object", "additionalProperties": false}),
        output_schema: None,
    };
    let rule = ToolRule {
        served: "eye_look".parse().unwrap(),
        plugin: "acme/eye".parse().unwrap(),
        digest: "ab".repeat(32),
        tool: "look".parse().unwrap(),
        manifest_tool: Arc::new(tool),
        dimensions: Arc::default(),
        pinned: true,
        enabled: true,
        dry_run: false,
        approval: ApprovalRule::of(ApprovalMode::None),
        roles: BTreeSet::new(),
    };
    let grant = Grant {
        name: "lab".parse().unwrap(),
        principals: [principal.parse().unwrap()].into(),
        tools: vec!["*".parse().unwrap()],
        max_effect: Effect::Destructive,
        scope: BTreeMap::new(),
        expires: None,
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets: budgets
            .iter()
            .map(|(calls, per)| Budget {
                tools: Vec::new(),
                effect: None,
                measure: Measure::Calls(*calls),
                per: per.parse().unwrap(),
            })
            .collect(),
    };
    let principal = Principal::new(principal.parse().unwrap());
    let policy = Policy::new(Environment::Dev, vec![grant], vec![rule], Guards::default()).unwrap();
    // As if nothing were spent: the ledger is what holds the line here.
    let call = Call::new("eye_look", json!({}));
    match decide(&policy, &principal, &call, &Readings::fresh(&needs(&policy, &principal, &call)), at(NOW)) {
        Decision::Permit(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// What the permit's budgets have spent.
pub(crate) fn spent(ledger: &Ledger, permit: &Permit, now: i64) -> Vec<u32> {
    permit.charges().iter().map(|charge| ledger.spent(charge, at(now)).unwrap().spent.try_into().unwrap()).collect()
}

#[track_caller]
pub(crate) fn exhausted(result: Result<casemate_ledger::Receipt, ChargeError>) -> (String, Option<u64>) {
    match result {
        Err(ChargeError::Exhausted { key, retry_after_ms, .. }) => (key.to_string(), retry_after_ms),
        other => panic!("{other:?}"),
    }
}
