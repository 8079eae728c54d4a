//! Going back on purpose: one package, until a newer one comes. And going on without asking: only what a comparison proved.

use super::*;
use crate::{diff::Changes, highwater::RenewError};

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
    let (_, mut state) = installed(&installed_package);
    let renewal = Changes::between(installed_package.manifest(), narrower(2).manifest()).renewal().unwrap();
    state.renew(&narrower(2), &renewal).unwrap();
    assert_eq!(state.approval(narrower(2).id()), Some(narrower(2).approval()));
    assert_eq!(state.mark(narrower(2).id()).map(|mark| mark.release), Some(2));
    // What was agreed to is now the narrower one, so the same comparison proves nothing any more.
    let refused = state.renew(&narrower(3), &renewal);
    assert_eq!(refused, Err(RenewError::OtherAgreement(narrower(2).id().clone())));
}

#[test]
fn a_proof_is_for_the_packages_that_were_compared() {
    let (_, mut state) = installed(&release(2));
    let same = Changes::between(release(2).manifest(), release(3).manifest()).renewal().unwrap();
    let before = state.clone();
    let wider = verified(&[("/plugin/release", json!(3)), ("/limits/requests", json!(50))]);
    assert!(Changes::between(release(2).manifest(), wider.manifest()).renewal().is_none());
    assert!(matches!(state.renew(&wider, &same), Err(RenewError::OtherAgreement(_))));
    // The comparison of something that was never agreed to.
    let forged = Changes::between(wider.manifest(), wider.manifest()).renewal().unwrap();
    assert!(matches!(state.renew(&wider, &forged), Err(RenewError::OtherAgreement(_))));
    // Nothing was agreed to at all.
    assert!(matches!(HighWater::new().renew(&release(3), &same), Err(RenewError::OtherAgreement(_))));
    // An older release stays refused.
    let back = Changes::between(release(2).manifest(), release(1).manifest()).renewal().unwrap();
    assert!(matches!(state.renew(&release(1), &back), Err(RenewError::Rollback(_))));
    assert_eq!(state, before, "a refusal changes nothing");
}
