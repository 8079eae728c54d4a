//! What a decision costs: all layers over one call, in a house with ten plugins and in one with a hundred and a thousand grants.
//!
//! `cargo bench -p casemate-policy`. A decision must not cost more because more is installed or granted: both are indexed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    sync::Arc,
    time::Instant,
};

use casemate_policy::{
    ApprovalMode, ApprovalRule, Budget, Call, Decision, Grant, Guards, Measure, Mode, Policy, Principal, Reading, Readings,
    ServedName, Timestamp, ToolRule,
    cedar::{self, Ask, Known, Rules},
    decide,
    egress::{Conduct, Gate, Outgoing, UpstreamBinding, Verdict},
    needs, visible,
};
use casemate_signing::{
    Environment,
    manifest::{Effect, Manifest},
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SHA256: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

/// A plugin with six tools, of which the fourth acts on a group and the others only read.
fn manifest(number: usize) -> Manifest {
    let tool = |title: &str, effect: &str, contract: &str, scope: Value| {
        json!({
            "title": title, "description": "What it does, in a sentence or two that a model reads.", "effect": effect, "requests": [contract],
            "scope": scope,
            "input_schema": {
                "type": "object", "additionalProperties": false, "required": ["hash"],
                "properties": {
                    "hash": { "type": "string", "maxLength": 64, "pattern": "^([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})$" },
                    "group": { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-z][a-z0-9-]{0,63}$" },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 100 },
                    "fields": { "type": "array", "maxItems": 10, "items": { "type": "string", "maxLength": 40, "enum": ["names", "tags", "dates"] } }
                }
            }
        })
    };
    let mut tools: BTreeMap<String, Value> = ["file", "url", "address", "domain", "analysis"]
        .map(|name| (name.to_owned(), tool(name, "read", "report", json!({}))))
        .into();
    tools.insert("isolate".to_owned(), tool("isolate", "execute", "isolate", json!({ "group": { "argument": "/group" } })));
    serde_json::from_value(json!({
        "plugin": {
            "name": format!("plugin-{number}"), "publisher": "acme", "version": "0.1.0", "release": 1,
            "description": "One of many", "license": "Apache-2.0", "source": "https://example.com/acme"
        },
        "wit": "casemate:plugin@0.1.0",
        "component": { "sha256": SHA256, "size": 64 },
        "imports": [],
        "secrets": { "api_key": { "description": "The key" } },
        "scope": { "group": { "kind": "name", "description": "Groups" } },
        "upstream": { "server": {
            "origin": "https://server.example.com",
            "credential": { "header": "x-api-key", "secret": "api_key" },
            "request": [
                { "name": "report", "method": "GET", "path": "/api/v3/files/{hash}", "parameters": { "hash": "^[0-9a-f]{32,64}$" } },
                { "name": "list", "method": "GET", "path": "/api/v3/files", "query": { "limit": "^[0-9]{1,3}$" } },
                {
                    "name": "isolate", "method": "POST", "path": "/api/v3/groups/isolate", "effect": "execute", "content_type": "application/json",
                    "scope": { "group": { "body": "/group" } }
                }
            ]
        } },
        "tool": tools
    }))
    .unwrap()
}

/// Houses that are measured: plugins, and grants.
const HOUSES: [(usize, usize); 2] = [(10, 3), (100, 1000)];
/// Decisions of which the slowest hundredth is looked at.
const DECISIONS: usize = 20_000;

/// A policy over `plugins` plugins, with three grants of which two cover what is called, and `grants` in all: the others are other people's.
fn policy(plugins: usize, grants: usize) -> Policy {
    let rules = (0..plugins).map(manifest).flat_map(|manifest| {
        let dimensions: Arc<BTreeMap<_, _>> =
            Arc::new(manifest.scope.iter().map(|(name, dimension)| (name.clone(), dimension.kind)).collect());
        manifest.tool.clone().into_iter().map(move |(name, tool)| ToolRule {
            served: ServedName::of(&manifest.plugin.name, &name).unwrap(),
            plugin: manifest.id(),
            digest: SHA256.to_owned(),
            tool: name,
            manifest_tool: Arc::new(tool),
            dimensions: Arc::clone(&dimensions),
            pinned: true,
            enabled: true,
            dry_run: false,
            approval: ApprovalRule::of(ApprovalMode::None),
            roles: BTreeSet::new(),
        })
    });
    let grant = |name: &str, tools: &str, max_effect, calls: &[(u32, &str)]| Grant {
        name: name.parse().unwrap(),
        principals: ["local", "token:ci"].map(|id| id.parse().unwrap()).into(),
        tools: vec![tools.parse().unwrap()],
        max_effect,
        scope: [("group".parse().unwrap(), vec!["lab".to_owned(), "lab-7".to_owned()])].into(),
        expires: Some(Timestamp::from_millis(1_900_000_000_000)),
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets: calls
            .iter()
            .map(|&(calls, per)| Budget {
                tools: Vec::new(),
                effect: None,
                measure: Measure::Calls(calls),
                per: per.parse().unwrap(),
            })
            .collect(),
    };
    let others = (3..grants).map(|number| Grant {
        principals: [format!("token:agent-{number}").parse().unwrap()].into(),
        ..grant(&format!("other-{number}"), &format!("plugin-{}_*", number % plugins), Effect::Execute, &[(10, "1h")])
    });
    let own = [
        grant("analyst", "*", Effect::Read, &[(4, "1m"), (500, "1d")]),
        grant("responder", "plugin-*_isolate", Effect::Execute, &[(10, "1h")]),
        grant("reviewer", "plugin-9_*", Effect::Read, &[]),
    ];
    let grants = own.into_iter().chain(others).collect();
    Policy::new(Environment::Dev, grants, rules.collect(), Guards::default()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn principal() -> Principal {
    Principal::new("local".parse().unwrap())
}

/// What the ledger would say: `spent` of every budget the call needs.
fn readings(policy: &Policy, call: &Call, spent: u64) -> Readings {
    let needs = needs(policy, &principal(), call);
    let mut readings = Readings::fresh(&needs);
    let oldest = (spent > 0).then_some(Timestamp::from_millis(NOW.as_millis() - 30_000));
    needs
        .charges
        .iter()
        .for_each(|charge| readings.budget(charge.key().clone(), Reading { spent, oldest, ..Reading::default() }));
    readings
}

/// Print the median and the slowest hundredth, in microseconds, of finding out what has to be known and deciding.
fn percentiles(name: &str, decided: impl Fn() -> Decision) {
    let mut times: Vec<u128> = (0..DECISIONS)
        .map(|_| {
            let began = Instant::now();
            drop(black_box(decided()));
            began.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    let at = |hundredths: usize| times.get(times.len() * hundredths / 100).copied().unwrap_or_default() / 1000;
    println!("{name}: p50 {} µs, p99 {} µs of {DECISIONS} decisions", at(50), at(99));
}

fn decisions(criterion: &mut Criterion) {
    let lookup = json!({ "hash": SHA256, "limit": 20, "fields": ["names", "tags"] });
    let isolate = |group: &str| json!({ "hash": SHA256, "group": group });
    let cases = [
        ("permitted, read", Call::new("plugin-3_file", lookup.clone()), 1, "permit"),
        ("permitted, in scope", Call::new("plugin-3_isolate", isolate("lab-7")), 1, "permit"),
        ("denied, arguments", Call::new("plugin-3_file", json!({ "hash": "not-a-hash; rm -rf /" })), 1, "arguments-invalid"),
        ("denied, out of scope", Call::new("plugin-3_isolate", isolate("production")), 1, "out-of-scope"),
        ("denied, budget", Call::new("plugin-3_file", lookup), 1000, "budget-exhausted"),
        ("denied, no such tool", Call::new("plugin-3_nothing", json!({})), 0, "unknown-tool"),
    ];
    for (plugins, grants) in HOUSES {
        let policy = policy(plugins, grants);
        let house = format!("decide, {plugins} plugins, {grants} grants");
        let mut group = criterion.benchmark_group(&house);
        for (name, call, spent, expected) in &cases {
            let readings = readings(&policy, call, *spent);
            let decided = || decide(&policy, &principal(), black_box(call), &readings, NOW);
            let outcome = match decided() {
                Decision::Permit(_) => "permit",
                Decision::Deferred(deferred) => deferred.reason().code(),
                Decision::Denied(denied) => denied.reason().code(),
            };
            assert_eq!(outcome, *expected, "{name}");
            percentiles(&format!("{house}/{name}"), || {
                black_box(needs(&policy, &principal(), call));
                decided()
            });
            group.bench_function(*name, |bencher| bencher.iter(decided));
        }
        group.bench_function("tools shown", |bencher| bencher.iter(|| visible(&policy, &principal(), NOW)));
        group.finish();
    }
}

/// The gate: one request of a running plugin, of which the contract is found, the target read, and the URL written again.
fn requests(criterion: &mut Criterion) {
    let (manifest, policy) = (manifest(3), policy(10, 3));
    let gate = Gate::new(&manifest, &BTreeMap::from([("server".parse().unwrap(), UpstreamBinding::default())])).unwrap();
    let gate = Arc::new(gate);
    let call = Call::new("plugin-3_isolate", json!({ "hash": SHA256, "group": "lab-7" }));
    let isolate = decide(&policy, &principal(), &call, &readings(&policy, &call, 0), NOW);
    let call = Call::new("plugin-3_file", json!({ "hash": SHA256 }));
    let lookup = decide(&policy, &principal(), &call, &readings(&policy, &call, 0), NOW);
    let outgoing = |method: &str, path: &str, body: Option<Value>| Outgoing {
        method: method.to_owned(),
        scheme: "https".to_owned(),
        authority: "server.example.com".to_owned(),
        path_and_query: path.to_owned(),
        headers: body.iter().map(|_| ("content-type".to_owned(), b"application/json".to_vec())).collect(),
        body: body.map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    };
    let cases = [
        ("sent, path parameter", &lookup, outgoing("GET", &format!("/api/v3/files/{SHA256}"), None), true),
        (
            "sent, target in the body",
            &isolate,
            outgoing("POST", "/api/v3/groups/isolate", Some(json!({ "group": "lab-7" }))),
            true,
        ),
        (
            "refused, another target",
            &isolate,
            outgoing("POST", "/api/v3/groups/isolate", Some(json!({ "group": "production" }))),
            false,
        ),
        ("refused, no contract", &lookup, outgoing("GET", "/api/v3/users/me", None), false),
    ];
    let mut group = criterion.benchmark_group("gate");
    for (name, decision, request, sent) in cases {
        let Decision::Permit(permit) = decision else { panic!("{name}: not permitted") };
        let check = || Conduct::new(Arc::clone(&gate), permit, None).check(black_box(request.clone()));
        let verdict = check();
        assert_eq!(matches!(verdict, Verdict::Send(_)), sent, "{name}: {verdict:?}");
        group.bench_function(name, |bencher| bencher.iter(check));
    }
    group.finish();
}

/// Policies that an operator would write, each about another tool, every third about every tool.
fn policies(count: usize) -> String {
    let about = |n: usize| match n % 3 {
        0 => format!(
            "forbid(principal, action == Action::\"plugin-{}_isolate\", resource) when {{ context.scope.group.contains(\"lab-{n}\") }};\n",
            n % 10
        ),
        1 => format!("forbid(principal, action in Action::\"execute\", resource) unless {{ context.hour >= {} }};\n", n % 8),
        _ => format!(
            "forbid(principal, action, resource) when {{ context.labels.contains(\"untrusted\") && context.time < {n} }};\n"
        ),
    };
    (0..count).map(about).collect()
}

/// The operator's own policies: one call, over all of them.
fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cedar");
    for (count, plugins) in [(1, 10), (50, 10), (50, 100)] {
        let policy = policy(plugins, 3);
        let tools: Vec<&ToolRule> = policy.tools().collect();
        let known = Known::of(policy.grants());
        let sources = [("policies.cedar".to_owned(), policies(count))];
        let rules = Rules::new(&sources, &tools, &known).unwrap_or_else(|errors| panic!("{errors:?}"));
        let (principal, labels) = (principal(), BTreeSet::from(["untrusted".parse().unwrap()]));
        let arguments = json!({ "hash": SHA256, "group": "lab", "limit": 20, "fields": ["names", "tags"] });
        let (grant, budget) = ("responder".parse().unwrap(), BTreeMap::from([("1h".parse().unwrap(), 10)]));
        let ask = Ask {
            principal: &principal,
            roles: &BTreeSet::new(),
            grant: &grant,
            environment: Environment::Dev,
            tool: tools.iter().find(|rule| rule.served.as_str() == "plugin-3_isolate").unwrap(),
            arguments: &arguments,
            labels: &labels,
            tainted: &BTreeSet::from(["/group".to_owned()]),
            mode: Mode::Real,
            approved: false,
            budget: &budget,
            now: Timestamp::from_millis(NOW.as_millis() + 43_200_000),
        };
        assert_eq!(rules.judge(&ask), cedar::Verdict::Pass);
        group.bench_function(format!("one call, {count} policies, {plugins} plugins"), |bencher| {
            bencher.iter(|| rules.judge(black_box(&ask)));
        });
        if plugins == 10 {
            group.bench_function(format!("load, {count} policies, {plugins} plugins"), |bencher| {
                bencher.iter(|| Rules::new(black_box(&sources), &tools, &known));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, decisions, requests, rules);
criterion_main!(benches);
