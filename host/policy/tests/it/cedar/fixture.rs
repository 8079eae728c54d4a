//! Two made-up plugins with every kind of argument, and one call of them that each test changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_policy::{
    ApprovalMode, ApprovalRule, GrantName, Mode, Principal, Timestamp, ToolRule, Window,
    cedar::{Ask, Denial, Known, Rules, RulesError, Verdict},
};
use casemate_signing::{
    Environment,
    manifest::{Label, ScopeKind, Tool},
};
use serde_json::{Value, json};

/// Friday, 2027-01-15, 08:00 UTC.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn tool(effect: &str, scope: Value, produces: &[&str], input_schema: Value) -> Tool {
    serde_json::from_value(json!({
        "title": "t", "description": "d", "effect": effect, "requests": ["r"], "scope": scope,
        "labels": { "produces": produces }, "input_schema": input_schema,
    }))
    .unwrap()
}

pub(super) fn rule(plugin: &str, name: &str, tool: Tool) -> ToolRule {
    let kinds = [("target", ScopeKind::Host), ("index", ScopeKind::GlobList)];
    ToolRule {
        served: format!("{plugin}_{name}").parse().unwrap(),
        plugin: format!("acme/{plugin}").parse().unwrap(),
        digest: "aa".repeat(32),
        tool: name.parse().unwrap(),
        manifest_tool: Arc::new(tool),
        dimensions: Arc::new(kinds.map(|(name, kind)| (name.parse().unwrap(), kind)).into()),
        pinned: true,
        enabled: true,
        dry_run: false,
        approval: ApprovalRule::of(ApprovalMode::None),
        roles: BTreeSet::new(),
    }
}

/// A tool with the given properties, of which none is required.
pub(super) fn open_tool(plugin: &str, effect: &str, properties: Value) -> ToolRule {
    let schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    rule(plugin, "run", tool(effect, json!({}), &[], schema))
}

/// `range`: scans hosts, wipes one, lists what there is. `notes`: searches, and writes one.
pub(super) fn tools() -> Vec<ToolRule> {
    let scan = json!({
        "type": "object", "additionalProperties": false, "required": ["targets", "count"],
        "properties": {
            "targets": { "type": "array", "items": { "type": "string" } },
            "count": { "type": "integer" },
            "ports": { "type": "array", "items": { "type": "integer" } },
            "loud": { "type": "boolean" },
            "note": { "type": ["string", "null"] },
            "priority": { "enum": ["low", "high"] },
            "options": { "type": "object", "required": ["depth"], "properties": {
                "depth": { "type": "integer" }, "tags": { "type": "array", "items": { "type": "string" } },
                "token": { "type": "string", "x-secret": true },
            } },
            "ratio": { "type": "number" },
            "either": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
            "user-agent": { "type": "string" },
            "if": { "type": "string" },
        },
    });
    let wipe = json!({
        "type": "object", "additionalProperties": false, "required": ["host"],
        "properties": { "host": { "type": "string" }, "why": { "type": "string" } },
    });
    let search = json!({
        "type": "object", "additionalProperties": false, "required": ["index"],
        "properties": { "index": { "type": "string" }, "count": { "type": "string" } },
    });
    let nothing = json!({ "type": "object", "additionalProperties": false, "properties": {} });
    vec![
        rule("range", "scan", tool("execute", json!({ "target": { "argument": "/targets" } }), &[], scan)),
        rule("range", "wipe", tool("destructive", json!({ "target": { "argument": "/host" } }), &[], wipe)),
        rule("range", "list", tool("read", json!({}), &["inventory"], nothing)),
        rule("notes", "search", tool("read", json!({ "index": { "argument": "/index" } }), &["sensitive"], search)),
    ]
}

pub(super) fn known() -> Known {
    Known {
        principals: ["local", "token:ci", "oidc:sub:7"].map(|id| id.parse().unwrap()).into(),
        by_role: false,
        roles: ["analyst", "red-team"].map(str::to_owned).into(),
        grants: ["lab", "night"].map(|name| name.parse().unwrap()).into(),
        windows: ["1h", "1d"].map(|window| window.parse().unwrap()).into(),
    }
}

/// One file, `a.cedar`.
pub(super) fn load(text: &str) -> Result<Rules, Vec<RulesError>> {
    load_with(&tools(), text)
}

pub(super) fn load_with(tools: &[ToolRule], text: &str) -> Result<Rules, Vec<RulesError>> {
    let tools: Vec<&ToolRule> = tools.iter().collect();
    Rules::new(&[("a.cedar".to_owned(), text.to_owned())], &tools, &known())
}

pub(super) fn rules(text: &str) -> Rules {
    load(text).unwrap_or_else(|errors| panic!("{text}\n{}", told(&errors)))
}

pub(super) fn told(errors: &[RulesError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A call, as a test changes it.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) principal: Principal,
    pub(super) roles: BTreeSet<String>,
    pub(super) grant: GrantName,
    pub(super) environment: Environment,
    pub(super) tool: ToolRule,
    pub(super) arguments: Value,
    pub(super) labels: BTreeSet<Label>,
    pub(super) tainted: BTreeSet<String>,
    pub(super) mode: Mode,
    pub(super) approved: bool,
    pub(super) budget: BTreeMap<Window, u32>,
    pub(super) now: Timestamp,
}

impl Question {
    /// A plain call by `local`, with arguments that fit.
    pub(super) fn of(tool: &str) -> Self {
        let arguments = match tool {
            "range_scan" => json!({ "targets": ["web.test"], "count": 5 }),
            "range_wipe" => json!({ "host": "web.test" }),
            "notes_search" => json!({ "index": "web-1" }),
            _ => json!({}),
        };
        Self {
            principal: Principal::new("local".parse().unwrap()),
            roles: BTreeSet::new(),
            grant: "lab".parse().unwrap(),
            environment: Environment::Dev,
            tool: tools().into_iter().find(|rule| rule.served.as_str() == tool).unwrap(),
            arguments,
            labels: BTreeSet::new(),
            tainted: BTreeSet::new(),
            mode: Mode::Real,
            approved: false,
            budget: BTreeMap::new(),
            now: NOW,
        }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// With one more argument, or another one.
    pub(super) fn argument(mut self, name: &str, value: Value) -> Self {
        self.arguments[name] = value;
        self
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            principal: &self.principal,
            roles: &self.roles,
            grant: &self.grant,
            environment: self.environment,
            tool: &self.tool,
            arguments: &self.arguments,
            labels: &self.labels,
            tainted: &self.tainted,
            mode: self.mode,
            approved: self.approved,
            budget: &self.budget,
            now: self.now,
        }
    }

    pub(super) fn denial(&self, rules: &Rules) -> Option<Denial> {
        match rules.judge(&self.ask()) {
            Verdict::Pass => None,
            Verdict::Deny(denial) => Some(denial),
        }
    }

    pub(super) fn is_denied(&self, rules: &Rules) -> bool {
        self.denial(rules).is_some()
    }
}

/// A policy's condition, in a `forbid` about every call; which of the calls it stops, without any fault.
pub(super) fn check(policy: &str, stopped: &[Question], passed: &[Question]) {
    let rules = rules(policy);
    for question in stopped {
        let denial = question.denial(&rules).unwrap_or_else(|| panic!("{policy}\nshould stop {question:?}"));
        assert!(!denial.is_fault(), "{policy}\n{}\n{question:?}", denial.for_operator());
        assert_eq!(denial.rules().count(), 1, "{policy}");
    }
    for question in passed {
        if let Some(denial) = question.denial(&rules) {
            panic!("{policy}\nshould pass {question:?}\n{}", denial.for_operator());
        }
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
