#![expect(clippy::unwrap_used, reason = "tests")]

use casemate_signing::key::PrivateKey;
use serde_json::json;

use super::*;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) fn key(person: u8) -> PrivateKey {
    PrivateKey::from_seed(&[person; 32])
}

fn approver(name: &str, person: u8, principals: &[&str], roles: &[&str]) -> Approver {
    Approver {
        name: name.parse().unwrap(),
        key: key(person).public_key(),
        principals: principals.iter().map(|text| text.parse().unwrap()).collect(),
        roles: roles.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

/// Alice and Bob are on duty, Carol runs the agent.
pub(super) fn people() -> Approvers {
    Approvers::new([
        approver("alice", 1, &[], &["commander"]),
        approver("bob", 2, &[], &[]),
        approver("carol", 3, &["token:ci"], &["commander"]),
    ])
    .unwrap()
}

pub(super) fn subject() -> Subject {
    Subject {
        environment: Environment::Prod,
        principal: "token:ci".parse().unwrap(),
        grant: "red-team".parse().unwrap(),
        plugin: "casemate/caldera".parse().unwrap(),
        plugin_digest: "ab".repeat(32),
        tool: "caldera_create_operation".parse().unwrap(),
        arguments: json!({ "group": "red-lab", "limit": 2.0 }),
        arguments_digest: "ef".repeat(32),
        plan: json!({ "requests": [{ "url": "https://caldera.test/api/v2/operations" }] }),
        plan_digest: "cd".repeat(32),
        why: vec!["`caldera_create_operation` needs a person's approval".to_owned()],
        quorum: 1,
        requested: NOW,
        expires: NOW.plus_millis(60_000),
    }
}

pub(super) fn statement(who: &str, said: Said) -> Statement {
    Statement { approver: who.parse().unwrap(), said, reason: "seen".to_owned(), at: NOW.plus_millis(1000), subject: subject() }
}

fn signed(statement: &Statement, person: u8) -> Vote {
    let payload = statement.payload().unwrap();
    let signature = key(person).sign(&Statement::to_sign(&payload));
    Vote { payload, signature, delegation: None }
}

fn vote(who: &str, person: u8) -> Vote {
    signed(&statement(who, Said::Approve), person)
}

pub(super) fn rule(mode: ApprovalMode, quorum: u32, roles: &[&str]) -> ApprovalRule {
    ApprovalRule { quorum, roles: roles.iter().map(|text| text.parse().unwrap()).collect(), ..ApprovalRule::of(mode) }
}

fn open(votes: &[Vote]) -> OpenApproval {
    OpenApproval { id: subject().id().unwrap(), subject: Arc::new(subject()), votes: votes.to_vec(), in_band: false }
}

/// Whether the call that was asked for may be made.
fn agreed(approval: &OpenApproval, rule: &ApprovalRule) -> Option<Agreed> {
    agreed_to(approval, rule, &subject(), NOW.plus_millis(2000))
}

fn agreed_to(approval: &OpenApproval, rule: &ApprovalRule, call: &Subject, now: Timestamp) -> Option<Agreed> {
    let asked = Asked {
        environment: call.environment,
        principal: &call.principal,
        grant: &call.grant,
        plugin: &call.plugin,
        plugin_digest: &call.plugin_digest,
        tool: &call.tool,
        arguments_digest: &call.arguments_digest,
    };
    approval.agreed(&asked, rule, &people(), now)
}

const OPERATOR: ApprovalMode = ApprovalMode::Operator;

#[test]
fn a_subject_and_a_statement_survive_being_written() {
    assert_eq!(Subject::from_json(&subject().to_json()), Some(subject()));
    let payload = statement("alice", Said::Deny).payload().unwrap();
    assert_eq!(Statement::from_payload(&payload).unwrap().payload().unwrap(), payload);
    assert_eq!(Statement::from_payload(&payload).unwrap().subject.digest(), subject().digest());
}

#[test]
fn one_person_is_enough_for_one_and_not_for_two() {
    let both = [vote("alice", 1), vote("bob", 2)];
    assert_eq!(agreed(&open(&both[..1]), &rule(OPERATOR, 1, &[])).unwrap().by, ["alice"]);
    assert_eq!(agreed(&open(&both[..1]), &rule(OPERATOR, 2, &[])), None);
    assert_eq!(agreed(&open(&both), &rule(OPERATOR, 2, &[])).unwrap().by, ["alice", "bob"]);
    assert_eq!(agreed(&open(&[]), &rule(OPERATOR, 0, &[])), None, "a quorum of nobody");
}

#[test]
fn one_person_counts_once() {
    let later = Statement { at: NOW.plus_millis(1500), ..statement("alice", Said::Approve) };
    let votes = [vote("alice", 1), vote("alice", 1), signed(&later, 1)];
    assert_eq!(agreed(&open(&votes), &rule(OPERATOR, 2, &[])), None);
    assert!(Approvers::new([approver("alice", 1, &[], &[]), approver("alias", 1, &[], &[])]).is_err());
}

#[test]
fn a_no_is_final() {
    let no = signed(&statement("bob", Said::Deny), 2);
    assert_eq!(agreed(&open(&[vote("alice", 1), no]), &rule(OPERATOR, 1, &[])), None);
}

#[test]
fn votes_that_do_not_count() {
    let check = |vote: Vote, rule: &ApprovalRule, expected: VoteFault| {
        assert_eq!(vote.verify(&subject(), rule, &people()).unwrap_err(), expected);
        assert_eq!(agreed(&open(&[vote]), rule), None, "{expected}");
    };
    let any = rule(OPERATOR, 1, &[]);
    let alice: ApproverName = "alice".parse().unwrap();
    check(vote("alice", 2), &any, VoteFault::Signature(alice.clone()));
    check(vote("mallory", 9), &any, VoteFault::NotEnrolled("`mallory`".to_owned()));
    check(vote("carol", 3), &any, VoteFault::Requester("carol".parse().unwrap()));
    check(vote("bob", 2), &rule(OPERATOR, 1, &["commander"]), VoteFault::Role("bob".parse().unwrap(), "commander".to_owned()));
    let at = |at| signed(&Statement { at, ..statement("alice", Said::Approve) }, 1);
    let late = NOW.plus_millis(60_000);
    check(at(late), &any, VoteFault::Time(late));
    let early = Timestamp::from_millis(NOW.as_millis() - 1);
    check(at(early), &any, VoteFault::Time(early));
    let other = Statement {
        subject: Subject { tool: "caldera_other".parse().unwrap(), ..subject() },
        ..statement("alice", Said::Approve)
    };
    check(signed(&other, 1), &any, VoteFault::OtherSubject);
    let mut flipped = vote("alice", 1);
    flipped.payload.push(b' ');
    check(flipped, &any, VoteFault::Malformed);
    let mut turned = signed(&statement("alice", Said::Deny), 1);
    turned.payload = statement("alice", Said::Approve).payload().unwrap();
    check(turned, &any, VoteFault::Signature(alice));
}

#[test]
fn a_token_of_the_same_name_is_the_same_person() {
    let own = Subject { principal: "token:alice".parse().unwrap(), ..subject() };
    let statement = Statement { subject: own.clone(), ..statement("alice", Said::Approve) };
    let fault = signed(&statement, 1).verify(&own, &rule(OPERATOR, 1, &[]), &people()).unwrap_err();
    assert!(matches!(fault, VoteFault::Requester(_)));
}

#[test]
fn it_is_good_for_the_very_call_and_no_other() {
    let approval = open(&[vote("alice", 1)]);
    let any = rule(OPERATOR, 1, &[]);
    let same = subject();
    let soon = NOW.plus_millis(2000);
    assert!(agreed_to(&approval, &any, &same, soon).is_some());
    let others = [
        Subject { environment: Environment::Stage, ..subject() },
        Subject { principal: "local".parse().unwrap(), ..subject() },
        Subject { grant: "blue-team".parse().unwrap(), ..subject() },
        Subject { plugin: "other/caldera".parse().unwrap(), ..subject() },
        Subject { plugin_digest: "ac".repeat(32), ..subject() },
        Subject { tool: "caldera_execute_ability".parse().unwrap(), ..subject() },
        Subject { arguments_digest: "ee".repeat(32), ..subject() },
    ];
    for other in others {
        assert_eq!(agreed_to(&approval, &any, &other, soon), None, "{other:?}");
    }
    assert_eq!(agreed_to(&approval, &any, &subject(), NOW.plus_millis(60_000)), None, "expired");
}

#[test]
fn a_row_that_was_changed_is_not_agreed_to() {
    let mut swapped = open(&[vote("alice", 1)]);
    swapped.subject = Arc::new(Subject { plan: json!({ "requests": [] }), ..subject() });
    assert_eq!(agreed(&swapped, &rule(OPERATOR, 1, &[])), None, "the vote is about another plan");
    let renamed = OpenApproval { id: "00000000000000000000".parse().unwrap(), ..open(&[vote("alice", 1)]) };
    assert_eq!(agreed(&renamed, &rule(OPERATOR, 1, &[])), None);
}

#[test]
fn what_was_shown_holds_when_the_rule_is_lowered_later() {
    let two = Subject { quorum: 2, ..subject() };
    let vote = signed(&Statement { subject: two.clone(), ..statement("alice", Said::Approve) }, 1);
    let approval = OpenApproval { id: two.id().unwrap(), subject: Arc::new(two.clone()), votes: vec![vote], in_band: false };
    assert_eq!(agreed_to(&approval, &rule(OPERATOR, 1, &[]), &two, NOW.plus_millis(2000)), None);
}

#[test]
fn the_client_alone_agrees_only_where_the_rule_says_in_band() {
    let approval = OpenApproval { in_band: true, ..open(&[]) };
    assert_eq!(agreed(&approval, &rule(ApprovalMode::InBand, 1, &[])).unwrap().by, ["in-band:token:ci"]);
    assert_eq!(agreed(&approval, &rule(ApprovalMode::InBand, 2, &[])), None);
    assert_eq!(agreed(&approval, &rule(OPERATOR, 1, &[])), None);
    assert_eq!(agreed(&approval, &rule(ApprovalMode::None, 1, &[])), None, "a flow rule asks for an operator");
}
