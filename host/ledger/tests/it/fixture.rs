//! A house with one tool, and what people, callers and results do in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_ledger::{ChargeError, Ledger, Observation, Receipt};
use casemate_policy::{
    ApprovalMode, ApprovalRule, Budget, Call, Charge, Decision, Deferred, Grant, Guards, Measure, Permit, Policy, Principal,
    PrincipalId, Readings, Timestamp, ToolRule,
    approval::{ApprovalId, Approver, Approvers, Said, Statement, Subject, Vote},
    decide,
    egress::Plan,
    needs,
    session::{SessionRules, Values},
};
use casemate_signing::{
    Environment,
    key::PrivateKey,
    manifest::{ArgumentPlace, Effect, Label, Labels, ScopeKind, Tool},
};
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_790_000_000_000;
/// The most that upstreams may answer in one call.
pub(crate) const MOST: u64 = 1000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// The targets that the grant allows.
pub(crate) const TARGETS: usize = 60;

pub(crate) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn who(id: &str) -> PrincipalId {
    id.parse().unwrap()
}

/// What stands in the operator's file and the manifest of one tool, `eye_look`.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) effect: Effect,
    pub(crate) approval: ApprovalRule,
    pub(crate) budgets: Vec<Budget>,
    pub(crate) guards: Guards,
    pub(crate) principals: Vec<&'static str>,
    /// Whether its arguments name a group.
    pub(crate) scoped: bool,
}

impl House {
    pub(crate) fn of(effect: Effect) -> Self {
        Self {
            effect,
            approval: ApprovalRule::of(ApprovalMode::None),
            budgets: Vec::new(),
            guards: Guards { approvers: approvers(), ..Guards::default() },
            principals: vec!["local", "token:ci"],
            scoped: false,
        }
    }

    /// A tool that runs something, which so many people have to agree to, and may be called so often in an hour.
    pub(crate) fn asking(mode: ApprovalMode, quorum: u32, calls: u32) -> Self {
        Self {
            approval: ApprovalRule { quorum, ..ApprovalRule::of(mode) },
            budgets: vec![budget(Measure::Calls(calls), "1h")],
            ..Self::of(Effect::Execute)
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        let rule = rule("eye_look", self.effect, self.approval.clone(), self.scoped, Labels::default());
        let mut grant = grant(&self.principals, self.budgets.clone());
        if self.scoped {
            grant.scope.insert("group".parse().unwrap(), (0..TARGETS).map(|number| format!("group-{number}")).collect());
        }
        Policy::new(Environment::Dev, vec![grant], vec![rule], self.guards.clone()).unwrap()
    }
}

pub(crate) fn rule(served: &str, effect: Effect, approval: ApprovalRule, scoped: bool, labels: Labels) -> ToolRule {
    let group = || "group".parse().unwrap();
    let tool = Tool {
        title: "Look".to_owned(),
        description: "Looks.".to_owned(),
        icon: None,
        effect,
        requests: Default::default(),
        scope: if scoped { [(group(), ArgumentPlace { argument: "/group".to_owned() })].into() } else { BTreeMap::new() },
        idempotent: true,
        labels,
        input_schema: json!({"type": "object"}),
        output_schema: None,
    };
    let dimensions = if scoped { [(group(), ScopeKind::Name)].into() } else { BTreeMap::new() };
    ToolRule {
        served: served.parse().unwrap(),
        plugin: "acme/eye".parse().unwrap(),
        digest: "ab".repeat(32),
        tool: served.split_once('_').unwrap().1.parse().unwrap(),
        manifest_tool: Arc::new(tool),
        dimensions: Arc::new(dimensions),
        pinned: true,
        enabled: true,
        dry_run: false,
        approval,
        roles: BTreeSet::new(),
    }
}

pub(crate) fn grant(principals: &[&str], budgets: Vec<Budget>) -> Grant {
    Grant {
        name: "lab".parse().unwrap(),
        principals: principals.iter().map(|id| who(id)).collect(),
        tools: vec!["*".parse().unwrap()],
        max_effect: Effect::Destructive,
        scope: BTreeMap::new(),
        expires: None,
        session: None,
        roles: BTreeSet::new(),
        max_result_kib: None,
        budgets,
    }
}

pub(crate) fn budget(measure: Measure, per: &str) -> Budget {
    Budget { tools: Vec::new(), effect: None, measure, per: per.parse().unwrap() }
}

/// A permit for one call by `principal` under budgets of so many calls per window.
pub(crate) fn permit(principal: &'static str, effect: Effect, budgets: &[(u32, &str)]) -> Permit {
    let budgets = budgets.iter().map(|(calls, per)| budget(Measure::Calls(*calls), per)).collect();
    let house = House { budgets, principals: vec![principal], ..House::of(effect) };
    unread(&house.policy(), principal, json!({}))
}

/// A permit as if nothing had happened yet: the ledger is what holds the line.
pub(crate) fn unread(policy: &Policy, principal: &str, arguments: Value) -> Permit {
    let (principal, call) = (Principal::new(who(principal)), Call::new("eye_look", arguments));
    match decide(policy, &principal, &call, &Readings::fresh(&needs(policy, &principal, &call)), at(NOW)) {
        Decision::Permit(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// What is decided with what the ledger knows.
pub(crate) fn decision(ledger: &Ledger, policy: &Policy, principal: &str, arguments: Value, now: i64) -> Decision {
    decision_on(ledger, policy, principal, "eye_look", arguments, now)
}

pub(crate) fn decision_on(ledger: &Ledger, policy: &Policy, principal: &str, tool: &str, arguments: Value, now: i64) -> Decision {
    let (principal, call) = (Principal::new(who(principal)), Call::new(tool, arguments));
    let readings = ledger.readings(&needs(policy, &principal, &call), policy.guards().session, at(now)).unwrap();
    decide(policy, &principal, &call, &readings, at(now))
}

#[track_caller]
pub(crate) fn permitted(decision: Decision) -> Permit {
    match decision {
        Decision::Permit(permit) => permit,
        other => panic!("should be permitted: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn deferred(decision: Decision) -> Deferred {
    match decision {
        Decision::Deferred(deferred) => deferred,
        other => panic!("should wait: {other:?}"),
    }
}

pub(crate) fn code(decision: &Decision) -> Option<&'static str> {
    match decision {
        Decision::Permit(_) => None,
        Decision::Deferred(deferred) => Some(deferred.reason().code()),
        Decision::Denied(denied) => Some(denied.reason().code()),
    }
}

/// What a call would spend.
pub(crate) fn charges(policy: &Policy, principal: &str, arguments: Value) -> Vec<Charge> {
    needs(policy, &Principal::new(who(principal)), &Call::new("eye_look", arguments)).charges
}

/// What the permit's budgets have spent.
pub(crate) fn spent(ledger: &Ledger, permit: &Permit, now: i64) -> Vec<u32> {
    permit.charges().iter().map(|charge| spent_of(ledger, charge, now)).collect()
}

pub(crate) fn spent_of(ledger: &Ledger, charge: &Charge, now: i64) -> u32 {
    ledger.spent(charge, at(now)).unwrap().spent.try_into().unwrap()
}

#[track_caller]
pub(crate) fn exhausted(result: Result<Receipt, ChargeError>) -> (String, Option<u64>) {
    match result {
        Err(ChargeError::Exhausted { key, retry_after_ms, .. }) => (key.to_string(), retry_after_ms),
        other => panic!("{other:?}"),
    }
}

/// Alice and Bob are on duty; Carol is who `local` acts for.
pub(crate) fn approvers() -> Approvers {
    let approver = |name: &str, person: u8, principals: &[&str]| Approver {
        name: name.parse().unwrap(),
        key: key(person).public_key(),
        principals: principals.iter().map(|id| who(id)).collect(),
        roles: BTreeSet::new(),
    };
    Approvers::new([approver("alice", b'a', &[]), approver("bob", b'b', &[]), approver("carol", b'c', &["local"])]).unwrap()
}

fn key(person: u8) -> PrivateKey {
    PrivateKey::from_seed(&[person; 32])
}

/// What a person says of a subject, signed with their own key.
pub(crate) fn says(person: &str, said: Said, subject: &Subject, at: Timestamp) -> (Statement, Vote) {
    signed_by(person, person, said, subject, at)
}

/// The same, signed with somebody's key.
pub(crate) fn signed_by(signer: &str, person: &str, said: Said, subject: &Subject, at: Timestamp) -> (Statement, Vote) {
    let statement =
        Statement { approver: person.parse().unwrap(), said, reason: "seen".to_owned(), at, subject: subject.clone() };
    let payload = statement.payload().unwrap();
    let signature = key(signer.as_bytes()[0]).sign(&Statement::to_sign(&payload));
    (statement, Vote { payload, signature, delegation: None })
}

/// Make a call that has to wait: it is planned, charged for that, and asked for.
pub(crate) fn ask(ledger: &Ledger, policy: &Policy, principal: &str, arguments: Value, now: i64) -> (ApprovalId, Subject) {
    let deferred = deferred(decision(ledger, policy, principal, arguments, now));
    let receipt = ledger.charge(deferred.permit(), MOST, at(now)).unwrap();
    request(ledger, &deferred, receipt, now)
}

pub(crate) fn request(ledger: &Ledger, deferred: &Deferred, receipt: Receipt, now: i64) -> (ApprovalId, Subject) {
    let subject = subject(deferred, now);
    let id = ledger.request(&subject, receipt).unwrap();
    (id, subject)
}

pub(crate) fn subject(deferred: &Deferred, now: i64) -> Subject {
    deferred.subject(deferred.arguments().clone(), &Plan::default(), at(now))
}

/// Write down that a person agrees.
pub(crate) fn approve(ledger: &Ledger, person: &str, id: &ApprovalId, subject: &Subject, now: i64) {
    let (statement, vote) = says(person, Said::Approve, subject, at(now));
    ledger.vote(id, &statement, &vote, at(now)).unwrap();
}

/// A result is read.
#[derive(Clone)]
pub(crate) struct Reading<'a> {
    pub(crate) principal: &'a str,
    pub(crate) grant: &'a str,
    pub(crate) labels: &'a [&'a str],
    pub(crate) said: Value,
    pub(crate) shown: Value,
    pub(crate) rules: SessionRules,
}

impl Reading<'_> {
    /// Something untrusted, by `local`.
    pub(crate) fn of(shown: Value) -> Self {
        let (principal, grant, labels) = ("local", "lab", ["untrusted"].as_slice());
        Self { principal, grant, labels, said: json!({}), shown, rules: SessionRules::default() }
    }

    /// The caller says something, and the result is empty.
    pub(crate) fn saying(said: Value) -> Self {
        Self { said, ..Self::of(json!(null)) }
    }

    pub(crate) fn at(&self, ledger: &Ledger, now: i64) {
        self.remember(ledger, &values(&self.said), &values(&self.shown), now);
    }

    pub(crate) fn remember(&self, ledger: &Ledger, said: &Values, shown: &Values, now: i64) {
        let labels: Vec<Label> = self.labels.iter().map(|label| label.parse().unwrap()).collect();
        let seen = Observation {
            principal: &who(self.principal),
            grant: &self.grant.parse().unwrap(),
            tool: &"eye_read".parse().unwrap(),
            labels: &labels.iter().collect::<Vec<_>>(),
            said,
            shown,
            audit_id: "1-7",
        };
        ledger.observe(&seen, self.rules, at(now)).unwrap();
    }
}

pub(crate) fn values(document: &Value) -> Values {
    let mut values = Values::default();
    values.add(document);
    values
}

/// A folder with the path of a ledger in it.
pub(crate) fn file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    (folder, path)
}
