//! A folder with a log in it, and calls to write down.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cap_std::{ambient_authority, fs::Dir};
use casemate_audit::{
    CallFacts, EventFacts, EventKind, HOST, Log, OpenError, Options, Outcome, OutcomeFacts, Recovery, Report, verify,
};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Call, Decision, Grant, Guards, Permit, Policy, Principal, Readings, ServedName, Timestamp,
    ToolRule, decide, needs,
};
use casemate_signing::{
    Environment,
    manifest::{Effect, Labels, Tool},
};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

/// Nothing happens by time alone: what a test sees is what it asked for.
pub(crate) fn quiet() -> Options {
    Options { checkpoint_every: 100, checkpoint_after: Duration::from_secs(3600), ..Options::default() }
}

/// Run a future of the log.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The same files, for one attack.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for entry in fs::read_dir(self.0.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.0.path().join(entry.file_name())).unwrap();
        }
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn dir(&self) -> Dir {
        Dir::open_ambient_dir(self.0.path(), ambient_authority()).unwrap()
    }

    pub(crate) fn open(&self, options: Options) -> Result<(Log, Recovery), OpenError> {
        Log::open(self.dir(), key(), options, NOW)
    }

    pub(crate) fn verify(&self) -> Result<Report, casemate_audit::Failure> {
        verify(&self.dir(), &key().verifying_key())
    }

    pub(crate) fn entries(&self) -> Vec<Value> {
        casemate_audit::read(&self.dir(), casemate_audit::Filter::default()).unwrap().map(|entry| entry.unwrap().raw).collect()
    }

    /// The files with records in them, in order.
    pub(crate) fn segments(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".jsonl")).collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The lines of the first file.
    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.read(FIRST)).unwrap().lines().map(str::to_owned).collect()
    }

    pub(crate) fn write_lines(&self, lines: &[String]) {
        self.write(FIRST, lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes());
    }
}

pub(crate) const FIRST: &str = "00000000000000000000.jsonl";

pub(crate) fn event(number: usize) -> EventFacts {
    EventFacts {
        kind: EventKind::ConfigLoaded,
        principal: HOST.to_owned(),
        outcome: Outcome::Allowed,
        fields: json!({"number": number, "é": "\u{e9}"}),
    }
}

/// A log of `records` records with a checkpoint after every hundred, and after the last.
pub(crate) fn filled(records: usize, options: Options) -> Folder {
    let folder = Folder::new();
    let mut number = 0;
    loop {
        let (log, recovery) = folder.open(options.clone()).unwrap();
        assert!(recovery.is_clean() && recovery.records == number as u64);
        for number in number..records.min(number + 100) {
            wait(log.event(event(number), NOW.plus_millis(number as u64))).unwrap();
        }
        log.close(NOW).unwrap();
        number = records.min(number + 100);
        if number == records {
            return folder;
        }
    }
}

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
