//! The state is read back by its own key only, and what is in it only rises.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn key() -> HostKey {
    HostKey::from_bytes(&[5; HOST_KEY_BYTES])
}

fn state() -> HighWater {
    let plugin: PluginId = "acme/emulator".parse().unwrap();
    let mark = Mark { release: 7, statement: Digest::of(b"seven") };
    let approval = Approval { capabilities: Digest::of(b"all"), tools: [("start".parse().unwrap(), Digest::of(b"text"))].into() };
    HighWater { marks: [(plugin.clone(), mark)].into(), approvals: [(plugin, approval)].into(), ..HighWater::new() }
}

#[test]
fn what_is_sealed_is_opened_by_the_same_key_only() {
    let sealed = state().seal(&key());
    assert_eq!(HighWater::open(&sealed, &key()), Ok(state()));
    let other = HostKey::from_bytes(&[6; HOST_KEY_BYTES]);
    assert_eq!(HighWater::open(&sealed, &other), Err(StateError::Tampered));
}

#[test]
fn any_changed_byte_is_noticed() {
    let sealed = state().seal(&key());
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << bit;
            }
            let opened = HighWater::open(&changed, &key());
            assert!(matches!(opened, Err(StateError::NotAuthenticated | StateError::Tampered)), "byte {at} bit {bit}");
        }
    }
    for length in 0..sealed.len() {
        assert!(HighWater::open(sealed.get(..length).unwrap(), &key()).is_err(), "{length} bytes");
    }
    assert_eq!(HighWater::open(&[&sealed[..], b" "].concat(), &key()), Err(StateError::Tampered));
}

#[test]
fn a_state_without_a_mac_is_refused() {
    let state = serde_json::to_vec(&state()).unwrap();
    assert_eq!(HighWater::open(&state, &key()), Err(StateError::NotAuthenticated));
    assert_eq!(HighWater::open(b"", &key()), Err(StateError::NotAuthenticated));
    let zero = [HEADER, b" ", "0".repeat(HEX_MAC).as_bytes(), b"\n", &state].concat();
    assert_eq!(HighWater::open(&zero, &key()), Err(StateError::Tampered));
}

#[test]
fn an_authentic_state_of_another_shape_is_refused() {
    let seal = |state: &str| {
        let mac = Digest::from_mac(key().mac(state.as_bytes()).finalize().into_bytes().into());
        [HEADER, b" ", mac.to_hex().as_bytes(), b"\n", state.as_bytes()].concat()
    };
    assert_eq!(HighWater::open(&seal("{}"), &key()), Err(StateError::Shape));
    assert_eq!(HighWater::open(&seal(r#"{"marks":{},"approvals":{},"extra":1}"#), &key()), Err(StateError::Shape));
    assert!(matches!(HighWater::open(&seal("{"), &key()), Err(StateError::Json(_))));
}

/// What hosts wrote before there were exceptions and marks of documents.
#[test]
fn a_state_without_the_newer_fields_is_opened() {
    let seal = |state: &str| {
        let mac = Digest::from_mac(key().mac(state.as_bytes()).finalize().into_bytes().into());
        [HEADER, b" ", mac.to_hex().as_bytes(), b"\n", state.as_bytes()].concat()
    };
    let old = seal(r#"{"marks":{},"approvals":{}}"#);
    assert_eq!(HighWater::open(&old, &key()), Ok(HighWater::new()));
    assert_eq!(HighWater::new().seal(&key()), old, "and is written as before while there is nothing new in it");
    let publisher: PublisherName = "acme".parse().unwrap();
    let mark = DocumentMark { version: 3, digest: Digest::of(b"three") };
    let new = HighWater {
        exceptions: [("acme/emulator".parse().unwrap(), Mark { release: 6, statement: Digest::of(b"six") })].into(),
        keysets: [(publisher.clone(), mark.clone())].into(),
        revocations: [(publisher.clone(), mark.clone())].into(),
        ..state()
    };
    assert_eq!(HighWater::open(&new.seal(&key()), &key()), Ok(new.clone()));
    assert_eq!((new.keyset(&publisher), new.revocations(&publisher)), (Some(&mark), Some(&mark)));
}

#[test]
fn releases_only_rise() {
    let plugin: PluginId = "acme/emulator".parse().unwrap();
    let (seven, other) = (Digest::of(b"seven"), Digest::of(b"other"));
    let state = state();
    assert_eq!(state.admits(&plugin, 7, &seven), Ok(()));
    assert_eq!(state.admits(&plugin, 8, &other), Ok(()));
    assert_eq!(state.admits(&"acme/unseen".parse().unwrap(), 1, &other), Ok(()));
    assert!(matches!(state.admits(&plugin, 6, &seven), Err(RollbackError::Older { mark: 7, .. })));
    assert!(matches!(state.admits(&plugin, 7, &other), Err(RollbackError::Replaced { .. })));
}

#[test]
fn withdrawing_an_approval_keeps_the_mark() {
    let plugin: PluginId = "acme/emulator".parse().unwrap();
    let mut state = state();
    assert!(state.withdraw(&plugin).is_some());
    assert!(state.approval(&plugin).is_none() && state.mark(&plugin).is_some());
}
