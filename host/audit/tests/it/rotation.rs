//! Keys that hand a log over to the next, and those that were never handed anything.

use casemate_audit::{
    Checkpoint, CheckpointDamage, Failure, KeysDamage, Log, OpenError, Trust, prove, verify, verify_proof, verify_with,
};
use ed25519_dalek::SigningKey;

use crate::fixture::{Folder, NOW, event, small, wait};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Ten records under each of three keys.
fn rotated() -> Folder {
    let folder = Folder::new();
    for seed in 1..=3 {
        let (log, recovery) = Log::open(folder.dir(), key(seed), small(), NOW).unwrap();
        assert!(recovery.is_clean());
        for number in 0..10 {
            wait(log.event(event(number), NOW)).unwrap();
        }
        if seed < 3 {
            log.hand_over(&key(seed + 1), "local", NOW).unwrap();
            assert!(wait(log.event(event(0), NOW)).is_err(), "nothing follows under the old key");
        } else {
            log.close(NOW).unwrap();
        }
    }
    folder
}

#[test]
fn every_key_of_a_log_verifies_all_of_it() {
    let folder = rotated();
    for seed in 1..=3 {
        let public = key(seed).verifying_key();
        let report = verify(&folder.dir(), &public).unwrap();
        assert_eq!((report.records, report.covered, report.keys.all().count()), (32, 32, 3));
        for id in folder.ids().into_iter().step_by(7) {
            let proof = prove(&folder.dir(), &public, id).unwrap();
            for seed in 1..=3 {
                verify_proof(&proof, &key(seed).verifying_key(), &[]).unwrap();
            }
            assert!(verify_proof(&proof, &key(4).verifying_key(), &[]).is_err());
        }
    }
    let handover = &folder.entries()[10];
    assert_eq!((handover["event_type"].as_str(), handover["principal_id"].as_str()), (Some("audit.key-rotated"), Some("local")));
    let found = verify(&folder.dir(), &key(4).verifying_key());
    assert!(matches!(found, Err(Failure::Keys(KeysDamage::Stranger))), "{found:?}");
}

#[test]
fn only_the_newest_key_continues_a_log() {
    let folder = rotated();
    for seed in [1, 2] {
        assert!(matches!(Log::open(folder.dir(), key(seed), small(), NOW), Err(OpenError::Retired)));
    }
    assert!(matches!(Log::open(folder.dir(), key(4), small(), NOW), Err(OpenError::Broken(_))));
    Log::open(folder.dir(), key(3), small(), NOW).unwrap();
}

/// The last checkpoint stays the old key's: what is handed out of it, and what tiles are published under that are made anew.
#[test]
fn what_an_old_key_signed_is_not_signed_again_by_the_next() {
    let folder = Folder::new();
    let (log, _) = Log::open(folder.dir(), key(1), small(), NOW).unwrap();
    wait(log.event(event(1), NOW)).unwrap();
    log.hand_over(&key(2), "local", NOW).unwrap();
    std::fs::remove_dir_all(folder.path("tlog")).unwrap();
    let (log, _) = Log::open(folder.dir(), key(2), small(), NOW).unwrap();
    let keys = casemate_audit::keys(&folder.dir(), &key(2).verifying_key()).unwrap();
    assert_eq!(Checkpoint::open(&log.checkpoint().unwrap(), &keys).unwrap().size, 2);
    assert_eq!(verify(&folder.dir(), &key(2).verifying_key()).unwrap().tiled, 2);
    wait(log.event(event(2), NOW)).unwrap();
    log.close(NOW).unwrap();
    assert_eq!(Checkpoint::open(&log.checkpoint().unwrap(), &keys).unwrap().size, 3);
}

/// With a key that nothing was handed over to: a checkpoint by it, a handover to it that it alone has signed, and none at all.
#[test]
fn a_key_that_was_never_handed_over_to_signs_nothing() {
    let folder = rotated();
    let stolen = Folder::new();
    let (log, _) = Log::open(stolen.dir(), key(1), small(), NOW).unwrap();
    wait(log.event(event(1), NOW)).unwrap();
    log.hand_over(&key(9), "local", NOW).unwrap();
    let attack = folder.copy();
    attack.write("keys", &stolen.read("keys"));
    for seed in [1, 2, 3] {
        assert!(verify(&attack.dir(), &key(seed).verifying_key()).is_err(), "{seed}");
    }
    std::fs::remove_file(attack.path("keys")).unwrap();
    let found = verify(&attack.dir(), &key(1).verifying_key());
    assert!(matches!(found, Err(Failure::Checkpoint { damage: CheckpointDamage::Signature, .. })), "{found:?}");
    let found = verify(&attack.dir(), &key(3).verifying_key());
    assert!(matches!(found, Err(Failure::Checkpoint { damage: CheckpointDamage::Origin, .. })), "{found:?}");

    let whole = folder.read("keys");
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        attack.write("keys", &bytes);
        let found = verify(&attack.dir(), &key(1).verifying_key());
        assert!(found.is_err() || place + 1 == whole.len(), "byte {place}");
    }
}

/// Both keys signed it, and the log does not say so at that place.
#[test]
fn a_handover_that_the_log_does_not_tell_of_is_none() {
    let (folder, other) = (Folder::new(), Folder::new());
    for (folder, events) in [(&folder, 5), (&other, 4)] {
        let (log, _) = Log::open(folder.dir(), key(1), small(), NOW).unwrap();
        for number in 0..events {
            wait(log.event(event(number), NOW)).unwrap();
        }
        log.close(NOW).unwrap();
    }
    let (log, _) = Log::open(other.dir(), key(1), small(), NOW).unwrap();
    log.hand_over(&key(2), "local", NOW).unwrap();
    folder.write("keys", &other.read("keys"));
    let found = verify(&folder.dir(), &key(1).verifying_key());
    assert!(matches!(found, Err(Failure::Handover { record: 4 })), "{found:?}");
}

#[test]
fn a_handover_without_its_last_byte_did_not_happen() {
    let folder = Folder::new();
    let (log, _) = Log::open(folder.dir(), key(1), small(), NOW).unwrap();
    wait(log.event(event(1), NOW)).unwrap();
    log.hand_over(&key(2), "local", NOW).unwrap();
    let whole = folder.read("keys");
    folder.write("keys", &whole[..whole.len() - 150]);
    let (log, recovery) = Log::open(folder.dir(), key(1), small(), NOW).unwrap();
    assert!(recovery.torn_keys > 0 && !recovery.is_clean());
    log.hand_over(&key(2), "local", NOW).unwrap();
    Log::open(folder.dir(), key(2), small(), NOW).unwrap().0.close(NOW).unwrap();
    let trust = Trust { key: &key(1).verifying_key(), kept: &[], witnesses: &[] };
    assert_eq!(verify_with(&folder.dir(), trust).unwrap().keys.all().count(), 2);
}
