//! Calls to write down, and what policy says of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_audit::{CallFacts, Outcome, OutcomeFacts};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Call, Decision, Grant, Guards, Permit, Policy, Principal, Readings, ServedName, Timestamp,
    ToolRule, decide, needs,
};
use casemate_signing::{
    Environment,
    manifest::{Effect, Labels, Tool},
};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(crate) fn facts() -> CallFacts {
    CallFacts {
        call_id: "call-1".to_owned(), via: "stdio", trace: None, arguments: json!({"hash": "00ff", "token": "‹secret›"})
    }
}

pub(crate) fn ended() -> OutcomeFacts {
    OutcomeFacts {
        call_id: "call-1".to_owned(),
        outcome: Outcome::Allowed,
        ending: "returned".into(),
        detail: None,
        requests: Vec::new(),
        labels: vec!["untrusted".to_owned()],
        fuel: 12_345,
        memory_bytes: 1 << 20,
        duration_us: 1_500,
        output_bytes: 640,
        redactions: 0,
        flags: Vec::new(),
        plan_digest: None,
        details: None,
    }
}

/// What policy says of one call of a tool of this effect.
pub(crate) fn decision(effect: Effect, arguments: Value, approval: ApprovalMode) -> Decision {
    let schema = json!({"type": "object", "properties": {"hash": {"type": "string", "maxLength": 64}}, "required": ["hash"], "additionalProperties": false});
    let tool = Tool {
        title: "Look".to_owned(),
        description: "Looks.".to_owned(),
        icon: None,
        effect,
        requests: Default::default(),
        scope: BTreeMap::new(),
        idempotent: true,
        labels: Labels::default(),
        input_schema: schema,
        output_schema: None,
    };
    let served: ServedName = "eye_look".parse().unwrap();
    let rule = ToolRule {
        served: served.clone(),
        plugin: "acme/eye".parse().unwrap(),
        digest: "ab".repeat(32),
        tool: "look".parse().unwrap(),
        manifest_tool: Arc::new(tool),
        dimensions: Arc::default(),
        pinned: true,
        enabled: true,
        dry_run: false,
        approval: ApprovalRule::of(approval),
        roles: BTreeSet::new(),
    };
    let grant = Grant {
        name: "lab".parse().unwrap(),
        principals: ["local".parse().unwrap()].into(),
        tools: vec!["eye_*".parse().unwrap()],
        max_effect: Effect::Destructive,
        scope: BTreeMap::new(),
        expires: None,
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets: Vec::new(),
    };
    let policy = Policy::new(Environment::Dev, vec![grant], vec![rule], Guards::default()).unwrap();
    let (principal, call) = (Principal::new("local".parse().unwrap()), Call::new(served.as_str(), arguments));
    decide(&policy, &principal, &call, &Readings::fresh(&needs(&policy, &principal, &call)), NOW)
}

pub(crate) fn permit(effect: Effect) -> Permit {
    match decision(effect, json!({"hash": "00ff"}), ApprovalMode::None) {
        Decision::Permit(permit) => permit,
        other => panic!("{other:?}"),
    }
}
