//! Votes that a console session gives: what its delegation has to be.

#![expect(clippy::unwrap_used, reason = "tests")]

use casemate_signing::dsse::pae;

use super::{
    tests::{NOW, key, people, rule, statement, subject},
    *,
};

/// The seeds of two sessions' keys.
const SESSION: u8 = 50;
const OTHER_SESSION: u8 = 51;
const HOUR: u64 = 3_600_000;

fn delegation() -> Delegation {
    Delegation {
        approver: "alice".parse().unwrap(),
        key: key(SESSION).public_key(),
        environment: Environment::Prod,
        audience: "console".to_owned(),
        not_before: NOW,
        expires: NOW.plus_millis(8 * HOUR),
    }
}

fn delegated(delegation: &Delegation, signer: u8) -> SignedDelegation {
    let payload = delegation.payload().unwrap();
    let signature = key(signer).sign(&pae(DELEGATION_TYPE, &payload));
    SignedDelegation { payload, signature }
}

/// What a session says under a delegation.
fn says(statement: &Statement, delegation: SignedDelegation, session: u8) -> Vote {
    let payload = statement.payload().unwrap();
    let signature = key(session).sign(&delegation.to_sign(&payload));
    Vote { payload, signature, delegation: Some(delegation) }
}

fn fault(vote: &Vote) -> VoteFault {
    vote.verify(&subject(), &rule(ApprovalMode::Operator, 1, &[]), &people()).unwrap_err()
}

#[track_caller]
fn refused(delegation: &Delegation, expected: DelegationFault) {
    let vote = says(&statement("alice", Said::Approve), delegated(delegation, 1), SESSION);
    assert_eq!(fault(&vote), VoteFault::Delegation(expected));
}

fn alice() -> ApproverName {
    "alice".parse().unwrap()
}

#[test]
fn a_session_speaks_for_the_approver_whose_key_lets_it() {
    let vote = says(&statement("alice", Said::Approve), delegated(&delegation(), 1), SESSION);
    let said = vote.verify(&subject(), &rule(ApprovalMode::Operator, 1, &["commander"]), &people()).unwrap();
    assert_eq!(said.approver, alice());
    let payload = delegation().payload().unwrap();
    assert_eq!(Delegation::from_payload(&payload), Some(delegation()));
}

#[test]
fn a_delegation_is_of_its_time() {
    let at = NOW.plus_millis(1000);
    for (not_before, expires) in [(NOW, at), (at.plus_millis(1), at.plus_millis(HOUR))] {
        let time = DelegationFault::Time { from: not_before, until: expires };
        refused(&Delegation { not_before, expires, ..delegation() }, time);
    }
    let too_long = Delegation { expires: NOW.plus_millis(MAX_DELEGATION_MS + 1), ..delegation() };
    refused(&too_long, DelegationFault::Length);
    refused(&Delegation { expires: NOW, ..delegation() }, DelegationFault::Length);
}

#[test]
fn a_delegation_is_for_its_environment_and_its_approver() {
    refused(&Delegation { environment: Environment::Dev, ..delegation() }, DelegationFault::Environment(Environment::Dev));
    // Bob lets the session speak for him, and it speaks for Alice.
    let of_bob = delegated(&Delegation { approver: "bob".parse().unwrap(), ..delegation() }, 2);
    let vote = says(&statement("alice", Said::Approve), of_bob, SESSION);
    assert_eq!(fault(&vote), VoteFault::Delegation(DelegationFault::OtherApprover("bob".parse().unwrap())));
    // Nobody of that name.
    let of_mallory = delegated(&Delegation { approver: "mallory".parse().unwrap(), ..delegation() }, 9);
    let vote = says(&statement("alice", Said::Approve), of_mallory, SESSION);
    assert_eq!(fault(&vote), VoteFault::Delegation(DelegationFault::NotEnrolled("mallory".parse().unwrap())));
}

#[test]
fn a_delegation_that_was_edited_or_made_up_lets_nobody_speak() {
    let statement = statement("alice", Said::Approve);
    let not_hers = VoteFault::Delegation(DelegationFault::Signature(alice()));
    assert_eq!(fault(&says(&statement, delegated(&delegation(), SESSION), SESSION)), not_hers, "made up by the console");
    let longer = Delegation { expires: NOW.plus_millis(9 * HOUR), ..delegation() };
    let edited = SignedDelegation { payload: longer.payload().unwrap(), ..delegated(&delegation(), 1) };
    assert_eq!(fault(&says(&statement, edited, SESSION)), not_hers);
    let mut trailing = delegated(&delegation(), 1);
    trailing.payload.push(b' ');
    assert_eq!(fault(&says(&statement, trailing, SESSION)), VoteFault::Delegation(DelegationFault::Malformed));
}

#[test]
fn a_delegation_is_of_one_session() {
    let statement = statement("alice", Said::Approve);
    let replayed = says(&statement, delegated(&delegation(), 1), OTHER_SESSION);
    assert_eq!(fault(&replayed), VoteFault::Signature(alice()));
    // A vote is bound to the delegation that it was given under, also where another names the same key.
    let mut moved = says(&statement, delegated(&delegation(), 1), SESSION);
    moved.delegation = Some(delegated(&Delegation { audience: "elsewhere".to_owned(), ..delegation() }, 1));
    assert_eq!(fault(&moved), VoteFault::Signature(alice()));
}

#[test]
fn nobody_gives_a_delegation_on() {
    let onward = Delegation { key: key(OTHER_SESSION).public_key(), ..delegation() };
    let vote = says(&statement("alice", Said::Approve), delegated(&onward, SESSION), OTHER_SESSION);
    assert_eq!(fault(&vote), VoteFault::Delegation(DelegationFault::Signature(alice())));
    // Nor does one person get another's word.
    refused(&Delegation { key: key(2).public_key(), ..delegation() }, DelegationFault::Person("bob".parse().unwrap()));
}

/// A signature of one kind is none of another.
#[test]
fn what_is_signed_as_one_thing_is_not_another() {
    let payload = statement("alice", Said::Approve).payload().unwrap();
    let signed = delegated(&delegation(), 1);
    let check = |vote: Vote| assert_eq!(fault(&vote), VoteFault::Signature(alice()));
    // The session's key signs as if it were hers, with and without the delegation.
    let signature = key(SESSION).sign(&Statement::to_sign(&payload));
    check(Vote { payload: payload.clone(), signature, delegation: None });
    check(Vote { payload: payload.clone(), signature, delegation: Some(signed.clone()) });
    // What the session signed stands alone.
    let signature = key(SESSION).sign(&signed.to_sign(&payload));
    check(Vote { payload: payload.clone(), signature, delegation: None });
    // Her own key signs what only a session signs, and the delegation's own signature is shown as a vote's.
    let signature = key(1).sign(&signed.to_sign(&payload));
    check(Vote { payload: payload.clone(), signature, delegation: None });
    check(Vote { payload, signature: signed.signature, delegation: None });
}

#[test]
fn who_asked_and_who_lacks_the_role_agree_through_no_console() {
    let of_carol = delegated(&Delegation { approver: "carol".parse().unwrap(), ..delegation() }, 3);
    let own = says(&statement("carol", Said::Approve), of_carol, SESSION);
    assert!(matches!(fault(&own), VoteFault::Requester(_)));
    let of_bob = delegated(&Delegation { approver: "bob".parse().unwrap(), ..delegation() }, 2);
    let vote = says(&statement("bob", Said::Approve), of_bob, SESSION);
    let commanders = rule(ApprovalMode::Operator, 1, &["commander"]);
    assert!(matches!(vote.verify(&subject(), &commanders, &people()).unwrap_err(), VoteFault::Role(..)));
}
