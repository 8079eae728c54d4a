//! Explanations: what is reported is what was checked, step by step, and a refusal is the last of it.

use super::*;

fn steps(component: &[u8], bundle: Vec<u8>) -> (Vec<Step>, Result<Verified, VerifyError>) {
    let mut steps = Vec::new();
    let package = Untrusted::new(component.to_vec(), bundle);
    let result = package.verify_explained(&trust(), Environment::Dev, NOW, &mut |step| steps.push(step));
    (steps, result)
}

#[test]
fn every_step_of_a_good_package_is_reported_in_order() {
    use StepName::{
        Approval, Bundle, Component, Documents, Keys, Lock, Owner, Release, Revocations, Rules, Signatures, Size, Statement,
        Threshold,
    };
    let (mut steps, package) = steps(COMPONENT, signed(&manifest(&[]), &key(1)));
    let package = package.unwrap();
    let (lock, state) = installed(&package);
    package.approve_explained(&lock, &state, &mut |step| steps.push(step)).unwrap();
    let names: Vec<StepName> = steps.iter().map(|step| step.name).collect();
    let expected = [
        Size,
        Bundle,
        Keys,
        Signatures,
        Statement,
        Rules,
        Owner,
        Threshold,
        Component,
        Revocations,
        Documents,
        Release,
        Lock,
        Approval,
    ];
    assert_eq!(names, expected);
    assert!(steps.iter().all(|step| step.refused.is_none() && !step.detail.is_empty() && !step.detail.contains('\n')));
    let said = |name| steps.iter().find(|step| step.name == name).unwrap().detail.as_str();
    assert!(said(Threshold).contains(&key(1).public_key().fingerprint().to_string()));
    assert_eq!(said(Component), Digest::of(COMPONENT).to_string());
}

#[test]
fn a_refusal_is_the_last_step_and_has_the_error_s_code() {
    let mut changed = COMPONENT.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let large = vec![0; usize::try_from(MAX_COMPONENT).unwrap() + 1];
    let sign = |payload: &[u8]| Bundle::sign(payload.to_vec(), &key(1)).to_json().into_bytes();
    let forged = |seed: u8| {
        let text = String::from_utf8(signed(&manifest(&[]), &key(9))).unwrap();
        text.replace(&key(9).public_key().fingerprint().to_string(), &key(seed).public_key().fingerprint().to_string())
    };
    for (component, bundle, name) in [
        (large.as_slice(), vec![], StepName::Size),
        (COMPONENT, b"{}".to_vec(), StepName::Bundle),
        (COMPONENT, signed(&manifest(&[]), &key(9)), StepName::Keys),
        (COMPONENT, forged(1).into_bytes(), StepName::Signatures),
        (COMPONENT, sign(b"x"), StepName::Statement),
        (COMPONENT, signed(&manifest(&[("/plugin/release", json!(0))]), &key(1)), StepName::Rules),
        (COMPONENT, signed(&manifest(&[]), &key(3)), StepName::Owner),
        (COMPONENT, signed(&manifest(&[]), &key(2)), StepName::Threshold),
        (changed.as_slice(), signed(&manifest(&[]), &key(1)), StepName::Component),
    ] {
        let (steps, result) = steps(component, bundle);
        let last = steps.last().unwrap();
        assert_eq!((last.name, last.refused), (name, result.err().map(|error| error.code())));
        assert!(steps.iter().rev().skip(1).all(|step| step.refused.is_none()), "{name}");
    }
    let (lock, state) = installed(&verified(&[]));
    for (lock, state, name) in [(&LockFile::new(), &state, StepName::Lock), (&lock, &HighWater::new(), StepName::Approval)] {
        let mut steps = Vec::new();
        let refused = verified(&[]).approve_explained(lock, state, &mut |step| steps.push(step)).unwrap_err();
        assert_eq!(steps.last().map(|step| (step.name, step.refused)), Some((name, Some(refused.code()))));
    }
}

#[test]
fn a_step_shows_nothing_that_a_reader_cannot_see() {
    let hidden = manifest(&[("/plugin/description", json!("a\u{1b}[2Jb\u{202e}"))]);
    let (steps, result) = steps(COMPONENT, signed(&hidden, &key(1)));
    assert_eq!(result.err().map(|error| error.code()), Some("manifest-invalid"));
    let shown: String = steps.iter().map(|step| step.detail.as_str()).collect();
    assert!(!shown.contains(crate::manifest::text::is_hidden), "{shown:?}");
}
