//! What was read before, how callers behaved, and what people agreed to.

use std::sync::Arc;

use casemate_policy::{
    ApprovalMode, ApprovalRule, Decision, Deferred, Guards, Layer, Outcome, Timestamp,
    approval::{Approver, Approvers, OpenApproval, Said, Statement, Subject, Vote},
    breaker::{BreakerReading, BreakerRules, Pause, Rate},
    egress::Plan,
    flow::{FlowRule, FlowWhen, Forbidden},
    session::{Carried, Read, SessionReading},
};
use casemate_signing::{
    key::PrivateKey,
    manifest::{Effect, Label},
};

use crate::fixture::{House, NOW};

impl House {
    pub(crate) fn guard(mut self, change: impl FnOnce(&mut Guards)) -> Self {
        change(&mut self.guards);
        self
    }

    /// Alice and Bob may agree, and Carol, who is `local` herself.
    pub(crate) fn with_approvers(self) -> Self {
        let approver = |name: &str, principals: &[&str], roles: &[&str]| Approver {
            name: name.parse().unwrap(),
            key: key(name).public_key(),
            principals: principals.iter().map(|id| id.parse().unwrap()).collect(),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        };
        let all =
            [approver("alice", &[], &["commander"]), approver("bob", &[], &[]), approver("carol", &["local"], &["commander"])];
        self.guard(|guards| guards.approvers = Approvers::new(all).unwrap())
    }

    /// `local` has read results with these labels under the first grant.
    pub(crate) fn has_read(self, labels: &[&str]) -> Self {
        let read = Read { tool: "lab_read_file".parse().unwrap(), at: NOW, audit_id: "0-7".to_owned() };
        let labels = labels.iter().map(|label| (label.parse().unwrap(), read.clone())).collect();
        let reading = SessionReading { labels, ..SessionReading::default() };
        let grant = self.grants[0].name.clone();
        self.knows(move |readings| readings.session(grant.clone(), reading.clone()))
    }

    /// The argument at `pointer` was seen first in a result with this label.
    pub(crate) fn carries(self, pointer: &str, label: &str) -> Self {
        let carried = Carried {
            argument: pointer.to_owned(),
            label: label.parse().unwrap(),
            from: "lab_read_file".to_owned(),
            audit_id: None,
        };
        let reading = SessionReading { carried: vec![carried], ..SessionReading::default() };
        let grant = self.grants[0].name.clone();
        self.knows(move |readings| readings.session(grant.clone(), reading.clone()))
    }

    /// The call was asked for under this house, and these people signed that they agree.
    pub(crate) fn agreed(self, tool: &str, people: &[&str]) -> Self {
        let approval = self.approval(tool, people);
        self.knows(move |readings| readings.approval(approval.clone()))
    }

    /// The approval of the call that waits in this house, with the votes of these people.
    pub(crate) fn approval(&self, tool: &str, people: &[&str]) -> OpenApproval {
        let Decision::Deferred(deferred) = self.call(tool) else { panic!("{tool} should wait: {:?}", self.call(tool)) };
        let subject = subject(&deferred, NOW);
        let vote = |person: &&str| {
            let statement = Statement {
                approver: person.parse().unwrap(),
                said: Said::Approve,
                reason: "seen".to_owned(),
                at: NOW,
                subject: subject.clone(),
            };
            let payload = statement.payload().unwrap();
            let signature = key(person).sign(&Statement::to_sign(&payload));
            Vote { payload, signature, delegation: None }
        };
        OpenApproval {
            id: subject.id().unwrap(),
            votes: people.iter().map(vote).collect(),
            subject: Arc::new(subject.clone()),
            in_band: false,
        }
    }
}

pub(crate) fn subject(deferred: &Deferred, now: Timestamp) -> Subject {
    deferred.subject(deferred.arguments().clone(), &Plan::default(), now)
}

fn key(person: &str) -> PrivateKey {
    PrivateKey::from_seed(&[person.as_bytes()[0]; 32])
}

/// A flow rule: `after` or `carries`, a label, and the least effect that it forbids.
pub(crate) fn flow(when: fn(Label) -> FlowWhen, label: &str, effect: Effect, unless_approved: bool) -> FlowRule {
    FlowRule {
        name: format!("{label}-{effect}-{unless_approved}").parse().unwrap(),
        when: when(label.parse().unwrap()),
        forbids: Forbidden { effect: Some(effect), tools: Vec::new() },
        unless_approved,
    }
}

/// What a session may have behind it when it calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Past {
    Read,
    Carried,
    Refused,
    Replayed,
    Paused,
    Agreed,
}

pub(crate) const PASTS: [Past; 6] = [Past::Read, Past::Carried, Past::Refused, Past::Replayed, Past::Paused, Past::Agreed];

pub(crate) fn happened(house: House, past: Past) -> House {
    match past {
        Past::Read => house.has_read(&["untrusted", "secret"]),
        Past::Carried => house.carries("/group", "untrusted"),
        Past::Refused => behaved(house, BreakerReading { denials: 20, ..BreakerReading::default() }),
        Past::Replayed => behaved(house, BreakerReading { variants: 12, ..BreakerReading::default() }),
        Past::Paused => paused(house),
        // Alice has agreed to this call as it would be asked for, in a house that asks.
        Past::Agreed => {
            let asking = House::open().with_approvers().rule("lab_operate", |r| r.approval.mode = ApprovalMode::Operator);
            let approval = asking.approval("lab_operate", &["alice"]);
            house.knows(move |readings| readings.approval(approval.clone()))
        }
    }
}

pub(crate) fn behaved(house: House, reading: BreakerReading) -> House {
    house.knows(move |readings| readings.breaker(reading.clone()))
}

pub(crate) fn paused(house: House) -> House {
    let pause = Pause { since: NOW, trip: "a test".to_owned() };
    behaved(house, BreakerReading { paused: Some(pause), ..BreakerReading::default() })
}

/// After anything untrusted was read, and with a value from there, nothing at all.
pub(crate) fn strict(guards: &mut Guards, unless_approved: bool) {
    for when in [FlowWhen::After as fn(Label) -> FlowWhen, FlowWhen::Carries] {
        let name = format!("rule-{}", guards.flows.len()).parse().unwrap();
        guards.flows.push(FlowRule { name, ..flow(when, "untrusted", Effect::Read, unless_approved) });
    }
}

/// A quarter of each rate.
pub(crate) fn impatient(rules: &mut BreakerRules) {
    for rate in [&mut rules.denials, &mut rules.variants, &mut rules.burst] {
        *rate = rate.map(|rate| Rate { count: rate.count / 4, ..rate });
    }
}

/// Two commanders.
pub(crate) fn demanding() -> ApprovalRule {
    ApprovalRule { quorum: 2, roles: ["commander".parse().unwrap()].into(), ..ApprovalRule::of(ApprovalMode::Operator) }
}

/// The layers that did not pass a call.
pub(crate) fn objectors(decision: &Decision) -> Vec<Layer> {
    let verdicts = match decision {
        Decision::Permit(permit) => permit.verdicts(),
        Decision::Deferred(deferred) => deferred.verdicts(),
        Decision::Denied(denied) => denied.verdicts(),
    };
    verdicts.iter().filter(|verdict| verdict.outcome != Outcome::Pass).map(|verdict| verdict.layer).collect()
}
