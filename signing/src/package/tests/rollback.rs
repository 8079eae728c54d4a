//! Going back on purpose: one package, until a newer one comes. And going on without asking: only what a comparison proved.

use super::*;
use crate::{
    diff::{Changes, Renewal},
    highwater::RenewError,
};

fn release(number: u64) -> Verified {
    verified(&[("/plugin/release", json!(number)), ("/plugin/version", json!(format!("0.{number}.0")))])
}

#[test]
fn one_older_package_is_allowed_until_a_newer_one_is_accepted() {
    let (_, mut state) = installed(&release(5));
    let admits = |state: &HighWater, package: &Verified| {
        state.admits(package.id(), package.manifest().plugin.release, package.statement_digest()).is_ok()
    };
    assert!(!admits(&state, &release(3)));
    state.danger_allow_rollback(&release(3));
    assert_eq!(state.exception(release(3).id()).map(|mark| mark.release), Some(3));
    // Exactly that one: no other release, and no other package of that release.
    assert!(admits(&state, &release(3)) && !admits(&state, &release(4)) && !admits(&state, &release(2)));
    assert!(!admits(&state, &verified(&[("/plugin/release", json!(3))])));
    state.accept(&release(3)).unwrap();
    assert_eq!(state.mark(release(3).id()).map(|mark| mark.release), Some(5), "the mark is not lowered");
    assert!(admits(&state, &release(3)) && admits(&state, &release(5)));
    let mut lock = LockFile::new();
    lock.insert(release(3).id().clone(), release(3).locked(String::new()));
    assert!(release(3).approve(&lock, &state).is_ok());
    state.accept(&release(6)).unwrap();
    assert!(!admits(&state, &release(3)) && state.exception(release(3).id()).is_none());
}

#[test]
fn what_narrows_is_renewed_without_asking() {
    let installed_package = release(1);
    let narrower = |number: u64| {
        let version = json!(format!("0.{number}.0"));
        verified(&[("/plugin/release", json!(number)), ("/plugin/version", version), ("/limits/requests", json!(2))])
    };
    let (lock, mut state) = installed(&installed_package);
    let renewal = Changes::between(installed_package.manifest(), narrower(2).manifest()).renewal().unwrap();
    state.renew(&narrower(2), &lock, &renewal).unwrap();
    assert_eq!(state.approval(narrower(2).id()), Some(narrower(2).approval()));
    assert_eq!(state.mark(narrower(2).id()).map(|mark| mark.release), Some(2));
    // What was agreed to is now the narrower one, so the same comparison proves nothing any more.
    let refused = state.renew(&narrower(2), &lock, &renewal);
    assert_eq!(refused, Err(RenewError::OtherAgreement(narrower(2).id().clone())));
}

#[test]
fn a_proof_is_for_the_packages_that_were_compared() {
    let (lock, mut state) = installed(&release(2));
    let between = |one: &Verified, two: &Verified| Changes::between(one.manifest(), two.manifest()).renewal();
    let same = between(&release(2), &release(3)).unwrap();
    let before = state.clone();
    let mut check = |package: &Verified, lock: &LockFile, renewal: &Renewal, expected: &str| {
        assert_eq!(state.renew(package, lock, renewal).err().map(|error| error.code()), Some(expected));
        assert_eq!(state, before, "a refusal changes nothing");
    };
    let wider = verified(&[("/plugin/release", json!(3)), ("/limits/requests", json!(50))]);
    assert!(between(&release(2), &wider).is_none());
    check(&wider, &lock, &same, "renewal-other-packages");
    // The comparison of something that was never agreed to, whatever the lock file says.
    let forged = between(&wider, &wider).unwrap();
    check(&wider, &lock, &forged, "renewal-other-packages");
    check(&wider, &installed(&wider).0, &forged, "renewal-other-agreement");
    // An older release stays refused.
    let back = between(&release(2), &release(1)).unwrap();
    check(&release(1), &lock, &back, "release-older");
    // Nothing was agreed to at all.
    let refused = HighWater::new().renew(&release(3), &lock, &same);
    assert!(matches!(refused, Err(RenewError::OtherAgreement(_))), "{refused:?}");
}

#[test]
fn a_proof_does_not_count_for_another_pair_that_asks_for_the_same() {
    // One authority and one text in all of these: what was agreed to does not tell them apart, their statements do.
    let (lock, mut state) = installed(&release(2));
    let renewal = Changes::between(release(2).manifest(), release(3).manifest()).renewal().unwrap();
    let other = verified(&[("/plugin/release", json!(3))]);
    assert_eq!((other.approval(), other.id()), (release(3).approval(), release(3).id()));
    let refused = |state: &mut HighWater, package: &Verified, lock: &LockFile| {
        let before = state.clone();
        assert_eq!(state.renew(package, lock, &renewal), Err(RenewError::OtherPackages(package.id().clone())));
        assert_eq!(*state, before, "a refusal changes nothing");
    };
    // Another candidate.
    refused(&mut state, &other, &lock);
    refused(&mut state, &release(4), &lock);
    // Another package was installed meanwhile, or it was taken away.
    refused(&mut state, &release(3), &installed(&release(1)).0);
    refused(&mut state, &release(3), &installed(&verified(&[("/plugin/release", json!(2))])).0);
    refused(&mut state, &release(3), &LockFile::new());
    state.renew(&release(3), &lock, &renewal).unwrap();
    assert_eq!(state.mark(release(3).id()).map(|mark| mark.release), Some(3));
    // Once.
    refused(&mut state, &release(3), &installed(&release(3)).0);
}
