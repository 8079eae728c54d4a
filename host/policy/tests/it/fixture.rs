//! One made-up plugin with a tool of every effect, and an operator's rules for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use casemate_policy::{
    ApprovalMode, ApprovalRule, Budget, Call, Decision, Grant, Guards, Measure, Permit, Policy, Principal, Reading, Readings,
    ServedName, Timestamp, ToolRule, decide,
    egress::{Checked, Conduct, Gate, HeldPlan, Outgoing, Plan, Refusal, RefusalReason, UpstreamBinding, Verdict},
    needs,
};
use casemate_signing::{
    Environment,
    manifest::{Effect, Manifest},
};
use serde_json::{Value, json};

pub(crate) const ORIGIN: (&str, &str) = ("https", "api.lab.test:8443");
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// `printf 'mutation StartReplay { start }' | sha256sum`
pub(crate) const QUERY_DIGEST: &str = "ef7ce3b2930ab570de9300c7ccaaba7a506673e938923f0f1cfa07b32f9672c9";
pub(crate) const QUERY: &str = "mutation StartReplay { start }";

/// `lab`: agents in groups, hosts to replay to, files to look up.
pub(crate) fn manifest() -> Manifest {
    serde_json::from_value(json!({
        "plugin": {"name": "lab", "publisher": "acme", "version": "1.2.3", "release": 1, "description": "d", "license": "Apache-2.0", "source": "https://lab.test"},
        "wit": "casemate:plugin@0.1.0",
        "component": {"sha256": "aa".repeat(32), "size": 1},
        "imports": [],
        "secrets": {"api_key": {"description": "d"}, "token": {"description": "d"}},
        "scope": {
            "group": {"kind": "name", "description": "d"},
            "target": {"kind": "host", "description": "d"},
            "index": {"kind": "glob-list", "description": "d"},
            "limit": {"kind": "integer-max", "description": "d"},
        },
        "upstream": {
            "api": {
                "origin": "operator",
                "credential": {"header": "KEY", "secret": "api_key"},
                "request": [
                    {"name": "get-file", "method": "GET", "path": "/api/files/{hash}", "parameters": {"hash": "^[0-9a-f]{32}$"},
                     "query": {"fields": "^[a-z,]{1,40}$"}, "headers": {"x-trace": "^[a-z]{1,8}$"}, "effect": "read"},
                    {"name": "upload-url", "method": "GET", "path": "/api/files/upload_url", "effect": "read"},
                    {"name": "search", "method": "GET", "path": "/api/search/", "query": {"index": "^.{1,200}$", "q": "^.{0,200}$", "count": "^[0-9]{1,9}$"},
                     "effect": "read", "scope": {"index": {"query": "index"}, "limit": {"query": "count"}}},
                    {"name": "create-operation", "method": "POST", "path": "/api/operations", "effect": "destructive",
                     "content_type": "application/json", "closed": true, "scope": {"group": {"body": "/group"}}, "allow": {"body": ["/name", "/options"]}},
                    {"name": "tag", "method": "POST", "path": "/api/tags", "effect": "write", "content_type": "application/x-www-form-urlencoded",
                     "scope": {"group": {"form": "group"}}, "forbid": {"body": ["/admin"]}},
                    {"name": "delete-group", "method": "DELETE", "path": "/api/groups/{group}", "parameters": {"group": "^[^/]{1,64}$"},
                     "effect": "destructive", "scope": {"group": {"path": "group"}}},
                    {"name": "run-in-group", "method": "POST", "path": "/api/run", "headers": {"x-group": "^.{1,64}$"}, "effect": "execute",
                     "content_type": "application/json", "scope": {"group": {"header": "x-group"}}, "forbid": {"body": ["/extensions"]}},
                    {"name": "upload", "method": "POST", "path": "/api/files", "effect": "write", "content_type": "multipart/form-data",
                     "scope": "none", "reason": "a file has no group"},
                    {"name": "list-replays", "method": "POST", "path": "/graphql", "effect": "read", "reason": "a query", "content_type": "application/json",
                     "require": {"body": {"/operationName": "ListReplays"}}},
                    {"name": "start-replay", "method": "POST", "path": "/graphql", "effect": "execute", "content_type": "application/json",
                     "require": {"body": {"/operationName": "StartReplay", "/query": {"sha256": QUERY_DIGEST},
                                          "/variables/host": {"scope": "target"}, "/variables/port": 443, "/variables/note": {"pattern": "^[a-z ]{0,20}$"}}},
                     "closed": true},
                    {"name": "get-agent", "method": "GET", "path": "/api/agents/{paw}", "parameters": {"paw": "^[A-Za-z0-9 .-]{1,64}$"}, "effect": "read"},
                    {"name": "get-ability", "method": "GET", "path": "/api/{version}/abilities/{ability}",
                     "parameters": {"version": "^v[0-9]$", "ability": "^[0-9a-f]{1,8}$"}, "effect": "read"},
                    {"name": "link", "method": "POST", "path": "/api/links", "effect": "execute", "content_type": "application/json", "closed": true,
                     "scope": {"group": {"from": "get-agent", "key": {"paw": {"body": "/paw"}}, "value": "/group"},
                               "target": {"from": "get-agent", "key": {"paw": {"body": "/paw"}}, "value": "/hosts/*/name"}},
                     "require": {"body": {"/command": {"from": "get-ability", "key": {"version": {"query": "version"}, "ability": {"body": "/ability"}},
                                                       "value": "/executors/*/command"}}},
                     "query": {"version": "^v[0-9]$"}},
                    {"name": "open-case", "method": "POST", "path": "/api/cases", "effect": "write", "scope": "none", "reason": "a case has no group",
                     "content_type": "application/json", "closed": true, "allow": {"body": ["/title", "/nonce", "/meta"]},
                     "query": {"t": "^[0-9a-z]{1,20}$", "kind": "^[a-z]{1,20}$"}, "headers": {"x-request-id": "^[0-9a-z-]{1,40}$", "x-kind": "^[a-z]{1,20}$"},
                     "volatile": {"query": ["t"], "headers": ["x-request-id"], "body": ["/nonce", "/meta/at"]},
                     "assume": {"status": 201, "body": {"id": "c1"}}},
                    {"name": "add-note", "method": "PUT", "path": "/api/cases/{case}/notes", "parameters": {"case": "^[a-z0-9]{1,20}$"}, "effect": "write",
                     "scope": "none", "reason": "a note has no group", "content_type": "application/x-www-form-urlencoded", "closed": true,
                     "require": {"body": {"kind": "note"}}, "allow": {"body": ["text", "stamp"]}, "volatile": {"body": ["stamp"]}, "assume": {"status": 204}},
                    {"name": "close-case", "method": "POST", "path": "/api/cases/{case}/close", "parameters": {"case": "^[a-z0-9]{1,20}$"}, "effect": "execute",
                     "content_type": "application/json", "closed": true, "scope": {"group": {"body": "/group"}}, "allow": {"body": ["/why"]}},
                ],
            },
            "other": {
                "origin": "https://other.lab.test",
                "credential": {"query": "key", "secret": "token"},
                "request": [
                    {"name": "other-list", "method": "GET", "path": "/list", "query": {"page": "^[0-9]{1,4}$"}, "effect": "read"},
                    {"name": "other-clear", "method": "DELETE", "path": "/list", "query": {"page": "^[0-9]{1,4}$"}, "effect": "write", "scope": "none", "reason": "the list is its owner's"},
                ],
            },
        },
        "tool": {
            "read_file": tool("read", &["get-file", "upload-url", "other-list"], json!({}), &[("hash", "^[0-9a-f]{32}$")]),
            "search": tool("read", &["search"], json!({"index": {"argument": "/index"}}), &[("index", "^.{1,200}$")]),
            "tag": tool("write", &["tag", "get-file", "upload"], json!({"group": {"argument": "/group"}}), &[("group", "^.{1,64}$")]),
            "replay": tool("execute", &["list-replays", "start-replay", "run-in-group"], json!({"target": {"argument": "/host"}}), &[("host", "^.{1,64}$")]),
            "link": tool("execute", &["get-agent", "get-ability", "link", "get-file"], json!({}), &[("group", "^.{1,64}$")]),
            "case": tool("execute", &["open-case", "add-note", "close-case", "get-file", "other-clear"], json!({"group": {"argument": "/group"}}), &[("group", "^.{1,64}$")]),
            "operate": tool("destructive", &["create-operation", "delete-group", "get-file"], json!({"group": {"argument": "/group"}}), &[("group", "^.{1,64}$")]),
        },
    }))
    .unwrap()
}

fn tool(effect: &str, requests: &[&str], scope: Value, properties: &[(&str, &str)]) -> Value {
    let schemas: serde_json::Map<_, _> = properties
        .iter()
        .map(|(name, pattern)| ((*name).to_owned(), json!({"type": "string", "maxLength": 200, "pattern": pattern})))
        .collect();
    json!({
        "title": "t", "description": "d", "effect": effect, "requests": requests, "scope": scope,
        "input_schema": {"type": "object", "additionalProperties": false, "properties": schemas, "required": properties.iter().map(|(n, _)| n).collect::<Vec<_>>()},
    })
}

/// Arguments that every layer passes, per tool.
pub(crate) fn good_arguments(tool: &str) -> Value {
    match tool {
        "lab_read_file" => json!({"hash": "0".repeat(32)}),
        "lab_search" => json!({"index": "web-1"}),
        "lab_replay" => json!({"host": "web.test"}),
        _ => json!({"group": "red-lab"}),
    }
}

/// Something that the ledger would say.
type Known = Arc<dyn Fn(&mut Readings) + Send + Sync>;

/// An operator's rules: everything on and for real, unless a test narrows it.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) environment: Environment,
    pub(crate) grants: Vec<Grant>,
    pub(crate) rules: Vec<ToolRule>,
    pub(crate) guards: Guards,
    /// What is known beyond that nothing has happened yet.
    pub(crate) known: Vec<Known>,
    pub(crate) now: Timestamp,
}

impl House {
    /// Open: each test closes what it is about.
    pub(crate) fn open() -> Self {
        Self {
            environment: Environment::Dev,
            grants: vec![grant("a-red-team")],
            rules: rules(),
            guards: Guards::default(),
            known: Vec::new(),
            now: NOW,
        }
    }

    /// As the defaults of `Effect` have it.
    pub(crate) fn by_default() -> Self {
        let mut house = Self::open();
        for rule in &mut house.rules {
            let effect = rule.manifest_tool.effect;
            rule.enabled = casemate_policy::default_enabled(effect);
            rule.dry_run = casemate_policy::default_dry_run(effect);
            rule.approval = casemate_policy::default_approval(effect);
        }
        house
    }

    pub(crate) fn grant(mut self, change: impl FnOnce(&mut Grant)) -> Self {
        change(&mut self.grants[0]);
        self
    }

    pub(crate) fn rule(mut self, tool: &str, change: impl FnOnce(&mut ToolRule)) -> Self {
        change(self.rules.iter_mut().find(|rule| rule.served.as_str() == tool).unwrap());
        self
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::new(self.environment, self.grants.clone(), self.rules.clone(), self.guards.clone()).unwrap()
    }

    pub(crate) fn ask(&self, who: &str, tool: &str, arguments: Value) -> Decision {
        let (policy, call) = (self.policy(), Call::new(tool, arguments));
        let mut readings = Readings::fresh(&needs(&policy, &principal(who), &call));
        self.known.iter().for_each(|know| know(&mut readings));
        decide(&policy, &principal(who), &call, &readings, self.now)
    }

    pub(crate) fn call(&self, tool: &str) -> Decision {
        self.ask("local", tool, good_arguments(tool))
    }

    pub(crate) fn permit(&self, tool: &str) -> Permit {
        match self.call(tool) {
            Decision::Permit(permit) => permit,
            other => panic!("{tool} should be permitted: {other:?}"),
        }
    }

    /// The reason of a denial or deferral; none for a permit.
    pub(crate) fn code(&self, tool: &str) -> Option<&'static str> {
        code(&self.call(tool))
    }

    /// What the gate says of a request in a call of `tool`.
    pub(crate) fn send(&self, tool: &str, request: Outgoing) -> Verdict {
        self.run(tool).check(request)
    }

    /// A run of `tool` that nobody agreed to a plan of.
    pub(crate) fn run(&self, tool: &str) -> Conduct {
        run(&self.permit(tool), None)
    }

    pub(crate) fn knows(mut self, know: impl Fn(&mut Readings) + Send + Sync + 'static) -> Self {
        self.known.push(Arc::new(know));
        self
    }

    /// Spend budgets: every reading the decision needs.
    pub(crate) fn spent(self, tool: &str, spent: u64, oldest: Timestamp) -> Self {
        let call = Call::new(tool, good_arguments(tool));
        let charges = needs(&self.policy(), &principal("local"), &call).charges;
        self.knows(move |readings| {
            for charge in &charges {
                readings.budget(charge.key().clone(), Reading { spent, oldest: Some(oldest), ..Reading::default() });
            }
        })
    }
}

pub(crate) fn code(decision: &Decision) -> Option<&'static str> {
    match decision {
        Decision::Permit(_) => None,
        Decision::Deferred(deferred) => Some(deferred.reason().code()),
        Decision::Denied(denied) => Some(denied.reason().code()),
    }
}

pub(crate) fn principal(id: &str) -> Principal {
    Principal::new(id.parse().unwrap())
}

pub(crate) fn grant(name: &str) -> Grant {
    let values = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    Grant {
        name: name.parse().unwrap(),
        principals: BTreeSet::from(["local".parse().unwrap()]),
        tools: vec!["lab_*".parse().unwrap()],
        max_effect: Effect::Destructive,
        scope: BTreeMap::from([
            ("group".parse().unwrap(), values(&["red-lab", "blue-lab"])),
            ("target".parse().unwrap(), values(&["web.test"])),
            ("index".parse().unwrap(), values(&["web-*"])),
            ("limit".parse().unwrap(), values(&["100"])),
        ]),
        expires: None,
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets: Vec::new(),
    }
}

pub(crate) fn budget(tools: &[&str], calls: u32, per: &str) -> Budget {
    Budget {
        tools: tools.iter().map(|t| t.parse().unwrap()).collect(),
        effect: None,
        measure: Measure::Calls(calls),
        per: per.parse().unwrap(),
    }
}

pub(crate) fn rules() -> Vec<ToolRule> {
    let manifest = manifest();
    let dimensions = Arc::new(manifest.scope.iter().map(|(name, dimension)| (name.clone(), dimension.kind)).collect());
    manifest
        .tool
        .iter()
        .map(|(name, tool)| ToolRule {
            served: ServedName::of(&manifest.plugin.name, name).unwrap(),
            plugin: "acme/lab".parse().unwrap(),
            digest: manifest.component.sha256.clone(),
            tool: name.clone(),
            manifest_tool: Arc::new(tool.clone()),
            dimensions: Arc::clone(&dimensions),
            pinned: true,
            enabled: true,
            dry_run: false,
            approval: ApprovalRule::of(ApprovalMode::None),
            roles: BTreeSet::new(),
        })
        .collect()
}

pub(crate) fn gate() -> Gate {
    gate_of(&manifest()).unwrap()
}

pub(crate) fn gate_of(manifest: &Manifest) -> Result<Gate, casemate_policy::egress::GateError> {
    let binding = UpstreamBinding {
        origin: Some(format!("{}://{}", ORIGIN.0, ORIGIN.1)),
        allow_private: vec!["10.20.0.0/16".parse().unwrap()],
    };
    Gate::new(manifest, &BTreeMap::from([("api".parse().unwrap(), binding)]))
}

/// A request to the operator's upstream.
pub(crate) fn request(method: &str, path_and_query: &str) -> Outgoing {
    Outgoing {
        method: method.to_owned(),
        scheme: ORIGIN.0.to_owned(),
        authority: ORIGIN.1.to_owned(),
        path_and_query: path_and_query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn with_body(path: &str, content_type: &str, body: &str) -> Outgoing {
    Outgoing {
        headers: vec![("content-type".to_owned(), content_type.as_bytes().to_vec())],
        body: body.as_bytes().to_vec(),
        ..request("POST", path)
    }
}

pub(crate) fn json_body(path: &str, body: &str) -> Outgoing {
    with_body(path, "application/json", body)
}

pub(crate) fn form_body(path: &str, body: &str) -> Outgoing {
    with_body(path, "application/x-www-form-urlencoded", body)
}

/// A run under a permit, and perhaps held to a plan.
pub(crate) fn run(permit: &Permit, held: Option<HeldPlan>) -> Conduct {
    // Compiled once: some tests make hundreds of runs.
    static GATE: LazyLock<Arc<Gate>> = LazyLock::new(|| Arc::new(gate()));
    Conduct::new(Arc::clone(&GATE), permit, held)
}

/// A run of `tool` that only plans.
pub(crate) fn dry(tool: &str) -> Conduct {
    static PERMITS: LazyLock<BTreeMap<String, Permit>> =
        LazyLock::new(|| permits(|rule| rule.dry_run = rule.manifest_tool.effect > Effect::Read));
    run(&PERMITS[tool], None)
}

/// A run of `tool` for real.
pub(crate) fn real(tool: &str) -> Conduct {
    run(real_permit(tool), None)
}

/// A run of `tool` that a person agreed to as `plan`, kept as JSON meanwhile.
pub(crate) fn held(tool: &str, plan: &Plan) -> Conduct {
    run(real_permit(tool), Some(HeldPlan::read(&plan.to_json().to_string(), &plan.digest()).unwrap()))
}

pub(crate) fn real_permit(tool: &str) -> &'static Permit {
    static PERMITS: LazyLock<BTreeMap<String, Permit>> = LazyLock::new(|| permits(|_| {}));
    &PERMITS[tool]
}

/// A permit for every tool, by the name it is served under. Where a tool is told groups, it is told both that the grant allows, so that
/// what the gate says is not about those.
fn permits(change: impl Fn(&mut ToolRule)) -> BTreeMap<String, Permit> {
    let mut house = House::open();
    house.rules.iter_mut().for_each(change);
    house.rules.iter_mut().filter(|rule| is_told_groups(rule)).for_each(|rule| {
        let mut tool = (*rule.manifest_tool).clone();
        tool.input_schema["properties"]["group"] =
            json!({"type": "array", "maxItems": 5, "items": {"type": "string", "maxLength": 64}});
        rule.manifest_tool = tool.into();
    });
    let permit = |rule: &ToolRule| {
        let served = rule.served.as_str();
        let arguments = if is_told_groups(rule) { json!({"group": ["red-lab", "blue-lab"]}) } else { good_arguments(served) };
        match house.ask("local", served, arguments) {
            Decision::Permit(permit) => (served.to_owned(), permit),
            other => panic!("{served} should be permitted: {other:?}"),
        }
    };
    house.rules.iter().map(permit).collect()
}

fn is_told_groups(rule: &ToolRule) -> bool {
    rule.manifest_tool.scope.keys().any(|dimension| dimension.as_str() == "group")
}

pub(crate) fn with_header(name: &str, value: &str, mut request: Outgoing) -> Outgoing {
    request.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    request
}

/// The plan that a run ends with.
pub(crate) fn ended(verdict: Verdict) -> Plan {
    match verdict {
        Verdict::End(plan) => plan,
        other => panic!("should end as a plan: {other:?}"),
    }
}

pub(crate) fn sent(verdict: Verdict) -> Checked {
    match verdict {
        Verdict::Send(checked) => checked,
        other => panic!("should be sent: {other:?}"),
    }
}

pub(crate) fn refused(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refuse(refusal) => refusal,
        other => panic!("should be refused: {other:?}"),
    }
}

pub(crate) fn reason(verdict: Verdict) -> RefusalReason {
    refused(verdict).reason()
}
