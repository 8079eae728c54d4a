//! What the audit log costs a call: intent and outcome of one that only reads, and of one that waits for the disk.
//!
//! `cargo bench -p casemate-audit`. The log grows while it is measured: what a record costs must not depend on how many there are.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use cap_std::{ambient_authority, fs::Dir};
use casemate_audit::{IntentFacts, Log, Options, Outcome, OutcomeFacts, RequestFacts, RequestStatus, Sync, verify};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Call, Decision, Grant, Guards, Permit, Policy, Principal, Readings, ServedName, Timestamp,
    ToolRule, decide, needs,
};
use casemate_signing::{
    Environment,
    manifest::{Effect, PluginId, Tool},
};
use criterion::{Criterion, criterion_group, criterion_main};
use ed25519_dalek::SigningKey;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SHA256: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

/// A permit for a lookup by hash.
fn permit() -> Permit {
    let tool: Tool = serde_json::from_value(json!({
        "title": "File report", "description": "Look a file up.", "effect": "read", "requests": [], "input_schema": {
            "type": "object", "additionalProperties": false, "properties": { "hash": { "type": "string", "maxLength": 64 } }
        }
    }))
    .unwrap();
    let (plugin, name) = ("lookup".parse().unwrap(), "file_report".parse().unwrap());
    let rule = ToolRule {
        served: ServedName::of(&plugin, &name).unwrap(),
        plugin: PluginId { publisher: "acme".parse().unwrap(), name: plugin },
        digest: SHA256.to_owned(),
        tool: name,
        manifest_tool: Arc::new(tool),
        dimensions: Arc::default(),
        pinned: true,
        enabled: true,
        dry_run: false,
        approval: ApprovalRule::of(ApprovalMode::None),
        roles: BTreeSet::new(),
    };
    let grant = Grant {
        name: "analyst".parse().unwrap(),
        principals: ["local".parse().unwrap()].into(),
        tools: vec!["*".parse().unwrap()],
        max_effect: Effect::Read,
        scope: BTreeMap::new(),
        expires: None,
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets: Vec::new(),
    };
    let policy = Policy::new(Environment::Dev, vec![grant], vec![rule], Guards::default()).unwrap();
    let call = Call::new("lookup_file_report", json!({ "hash": SHA256 }));
    let principal = Principal::new("local".parse().unwrap());
    match decide(&policy, &principal, &call, &Readings::fresh(&needs(&policy, &principal, &call)), NOW) {
        Decision::Permit(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn intent() -> IntentFacts {
    IntentFacts {
        call_id: "0123456789abcdef0123456789abcdef".to_owned(),
        via: "stdio",
        trace: None,
        arguments: json!({ "hash": SHA256 }),
    }
}

/// An outcome with one request that was answered.
fn outcome() -> OutcomeFacts {
    let request = RequestFacts {
        upstream: "lookup".to_owned(),
        contract: "get-file".to_owned(),
        method: "GET".to_owned(),
        url: format!("https://lookup.example.com/api/v3/files/{SHA256}"),
        effect: "read".to_owned(),
        request_bytes: 0,
        request_sha256: SHA256.to_owned(),
        status: RequestStatus::Answered { status: 200, bytes: 4096, address: Some([203, 0, 113, 7].into()) },
    };
    OutcomeFacts {
        call_id: intent().call_id,
        outcome: Outcome::Allowed,
        ending: Cow::Borrowed("returned"),
        detail: None,
        requests: vec![request],
        labels: vec!["untrusted".to_owned()],
        fuel: 123_456,
        memory_bytes: 1 << 20,
        duration_us: 1234,
        output_bytes: 2048,
        redactions: 0,
        flags: Vec::new(),
        plan_digest: None,
        details: None,
    }
}

fn log(sync: Sync) -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let (log, _) = Log::open(dir, SigningKey::from_bytes(&[7; 32]), Options { sync, ..Options::default() }, NOW).unwrap();
    (folder, log)
}

/// One call's two records.
async fn record(log: &Log, permit: &Permit) {
    let recorded = log.begin(permit.clone(), intent(), NOW).await.unwrap();
    log.outcome(recorded.id(), outcome(), NOW).await.unwrap();
}

fn append(criterion: &mut Criterion) {
    let (permit, runtime) = (permit(), tokio::runtime::Builder::new_current_thread().build().unwrap());
    let mut group = criterion.benchmark_group("audit, intent and outcome of one call");
    // What is measured is written: a second of it is some hundred megabytes.
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let (_folder, grouped) = log(Sync::Group);
    group.bench_function("written, synced in groups", |bencher| bencher.iter(|| runtime.block_on(record(&grouped, &permit))));
    let (_folder, always) = log(Sync::Always);
    group.sample_size(10);
    group.bench_function("each on disk before the call goes on", |bencher| {
        bencher.iter(|| runtime.block_on(record(&always, &permit)))
    });
    let (_folder, shared) = log(Sync::Always);
    group.bench_function("the same, 64 calls at a time", |bencher| bencher.iter(|| together(&runtime, &shared, &permit)));
    group.finish();
}

/// Calls that wait for the disk at the same time share one sync.
fn together(runtime: &Runtime, log: &Log, permit: &Permit) {
    let calls = std::iter::repeat_with(|| Box::pin(record(log, permit))).take(64);
    runtime.block_on(futures_util::future::join_all(calls));
}

/// Processor time of this process, all threads: the ones that sync and write tiles included.
fn processor_time() -> Duration {
    // proc_pid_stat(5): user and system time are the 14th and 15th field, in hundredths of a second; the 2nd ends with a bracket.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
    Duration::from_millis(10 * fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>())
}

/// A million records: what one costs the processor, and what it takes to check them all.
fn million(criterion: &mut Criterion) {
    const CALLS: u32 = 500_000;
    let (permit, runtime) = (permit(), tokio::runtime::Builder::new_current_thread().build().unwrap());
    let (folder, log) = log(Sync::Group);
    let (began, before) = (Instant::now(), processor_time());
    runtime.block_on(async {
        for _ in 0..CALLS {
            record(&log, &permit).await;
        }
    });
    log.close(NOW).unwrap();
    let (wall, spent) = (began.elapsed(), processor_time() - before);
    println!(
        "a million records written: {:?} each of processor time, {:?} by the clock",
        spent / (2 * CALLS),
        wall / (2 * CALLS)
    );
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let public = SigningKey::from_bytes(&[7; 32]).verifying_key();
    let began = Instant::now();
    let report = verify(&dir, &public).unwrap();
    println!("verified, {} of {} tiled: {:?}", report.tiled, report.records, began.elapsed());
    let id = casemate_audit::read(&dir, casemate_audit::Filter::default()).unwrap().next().unwrap().unwrap();
    let id = id.event_id().parse().unwrap();
    criterion.bench_function("audit, the proof of one of a million records", |bencher| {
        bencher.iter(|| casemate_audit::prove(&dir, &public, id).unwrap())
    });
}

criterion_group!(benches, append, million);
criterion_main!(benches);
