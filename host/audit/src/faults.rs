//! Power cuts at every step: what the log asks of its disk is counted, and from one step on nothing is done any more.
//!
//! What was appended and not synced is half gone afterwards, and names may be what they were before, as after a real one.

mod power;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    time::Duration,
};

use cap_std::{ambient_authority, fs::Dir};
use casemate_policy::Timestamp;
use casemate_signing::manifest::Effect;
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::{
    AuditError, EventFacts, EventId, EventKind, ExchangeDetails, Filter, HOST, Keys, Log, OpenError, Options, Outcome,
    OutcomeFacts, Recovery, Report, Sync,
    disk::{Disk, Machine},
    faults::power::{Names, Power},
    read, verify,
};

/// Calls, as the tests from outside have them.
#[path = "../tests/it/calls.rs"]
mod testing;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn dir(folder: &tempfile::TempDir) -> Dir {
    Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn options() -> Options {
    Options {
        sync: Sync::Group,
        checkpoint_every: 3,
        checkpoint_after: Duration::from_secs(3600),
        segment_bytes: 3000,
        ..Options::default()
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn check(folder: &tempfile::TempDir) -> Report {
    verify(&dir(folder), &key(1).verifying_key()).unwrap()
}

/// What the world has seen of the calls.
#[derive(Default)]
struct World {
    /// Calls that were made.
    made: BTreeSet<EventId>,
    /// Calls whose outcome the log was given.
    ended: BTreeSet<EventId>,
    /// Those that it said it has.
    told: BTreeSet<EventId>,
}

/// A few calls; every effect is seen by the world.
fn calls(log: &Log, world: &mut World) -> Result<(), AuditError> {
    let exchange = ExchangeDetails {
        upstream: "lab".to_owned(),
        method: "POST".to_owned(),
        path: "/run".to_owned(),
        headers: Vec::new(),
        body: b"run".to_vec(),
        answer: None,
    };
    for _ in 0..4 {
        let recorded = wait(log.begin(testing::permit(Effect::Write), testing::facts(), NOW))?;
        world.made.insert(recorded.id());
        let details = log.keep(recorded.id(), std::slice::from_ref(&exchange), 0)?;
        world.ended.insert(recorded.id());
        wait(log.outcome(recorded.id(), OutcomeFacts { details: Some(details), ..testing::ended() }, NOW))?;
        world.told.insert(recorded.id());
    }
    Ok(())
}

/// The outcomes in a log, by the intents they end.
fn outcomes(folder: &tempfile::TempDir) -> BTreeMap<String, Vec<(String, String)>> {
    let mut outcomes: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for entry in read(&dir(folder), Filter::default()).unwrap() {
        let entry = entry.unwrap();
        let text = |name: &str| entry.field(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        match entry.event_type() {
            "intent" => drop(outcomes.entry(entry.event_id().to_owned()).or_default()),
            "outcome" => outcomes.entry(text("intent")).or_default().push((entry.outcome().to_owned(), text("ending"))),
            _ => {}
        }
    }
    outcomes
}

/// What may become of names that are not durable.
const NAMES: [Names; 3] = [Names::Kept, Names::Lost, Names::Some(1)];

/// Cut the power in one step after the other, until `attempt` says that it came to its end before.
fn at_every_step(least: u64, attempt: impl Fn(u64, Names) -> bool) {
    for names in NAMES {
        let steps = (0..).find(|steps| attempt(*steps, names)).unwrap();
        assert!(steps > least, "{steps} steps are too few to have been counted");
    }
}

/// Every step of writing calls, their details, checkpoints, tiles and new files.
#[test]
fn a_power_cut_at_any_step_leaves_no_effect_without_intent_and_no_invented_outcome() {
    at_every_step(60, |steps, names| {
        let (folder, mut world) = (tempfile::tempdir().unwrap(), World::default());
        let power = Power::for_steps(steps);
        let opened = Log::open_on(Box::new(power.clone()), dir(&folder), key(1), options(), NOW);
        let finished = opened.is_ok_and(|(log, _)| calls(&log, &mut world).is_ok() && log.close(NOW).is_ok());
        power.cut(folder.path(), names);
        let recovery = goes_on(&folder, &world, (steps, names));
        assert!(!finished || world.told.len() == 4 && check(&folder).details == 4 && recovery.is_clean());
        finished
    });
}

/// What the first process left is not durable yet when the second builds upon it.
#[test]
fn a_power_cut_after_a_killed_process_and_its_successor_leaves_what_was_told() {
    for killed in (0..120).step_by(2) {
        for (more, names) in [(u64::MAX, Names::Lost), (killed % 30, Names::Lost), (killed % 30, Names::Some(killed))] {
            let (folder, mut world) = (tempfile::tempdir().unwrap(), World::default());
            let power = Power::for_steps(killed);
            let open = || Log::open_on(Box::new(power.clone()), dir(&folder), key(1), options(), NOW);
            let _ = open().is_ok_and(|(log, _)| calls(&log, &mut world).is_ok() && log.close(NOW).is_ok());
            power.goes_on(more);
            let _ = open().is_ok_and(|(log, _)| calls(&log, &mut world).is_ok() && log.close(NOW).is_ok());
            power.cut(folder.path(), names);
            goes_on(&folder, &world, (killed, names));
        }
    }
}

/// Once the power is back: the log verifies, is opened, and says of what happened neither less nor more than there was.
fn goes_on(folder: &tempfile::TempDir, world: &World, at: (u64, Names)) -> Recovery {
    let before = verify(&dir(folder), &key(1).verifying_key()).unwrap_or_else(|failure| panic!("{at:?}: {failure}"));
    let (log, recovery) = Log::open(dir(folder), key(1), options(), NOW).unwrap_or_else(|error| panic!("{at:?}: {error}"));
    log.close(NOW).unwrap();
    drop(log);
    let report = check(folder);
    assert!(report.unfinished.is_empty() && report.records >= before.records, "{at:?}");
    let outcomes = outcomes(folder);
    for intent in &world.made {
        assert!(outcomes.contains_key(&intent.to_string()), "{at:?}: an effect without an intent");
    }
    for (intent, ends) in &outcomes {
        let [(outcome, ending)] = ends.as_slice() else { panic!("{at:?}: {ends:?}") };
        let intent: EventId = intent.parse().unwrap();
        match ending.as_str() {
            "returned" => assert!(world.ended.contains(&intent), "{at:?}: invented"),
            "not-begun" => assert!(!world.made.contains(&intent), "{at:?}"),
            _ => assert_eq!(outcome, "unknown", "{at:?}: {ending}"),
        }
    }
    recovery
}

/// A log of several files, closed.
fn filled(folder: &tempfile::TempDir) {
    let (log, _) = Log::open(dir(folder), key(1), options(), NOW).unwrap();
    for number in 0..30 {
        let facts = EventFacts {
            kind: EventKind::AuthRefused,
            principal: HOST.to_owned(),
            outcome: Outcome::Denied,
            fields: json!({ "number": number }),
        };
        wait(log.event(facts, NOW)).unwrap();
        wait(log.sign()).unwrap();
    }
    calls(&log, &mut World::default()).unwrap();
    log.close(NOW).unwrap();
}

#[test]
fn a_power_cut_at_any_step_of_a_removal_leaves_a_log_that_verifies() {
    let later = NOW.plus_millis(86_400_000);
    at_every_step(30, |steps, names| {
        let folder = tempfile::tempdir().unwrap();
        filled(&folder);
        let whole = check(&folder);
        let power = Power::for_steps(steps);
        let finished = Log::open_on(Box::new(power.clone()), dir(&folder), key(1), options(), later)
            .is_ok_and(|(log, _)| wait(log.prune(NOW, "local", later)).is_ok() && log.close(later).is_ok());
        power.cut(folder.path(), names);
        let report = check(&folder);
        assert!(report.records >= whole.records && report.covered >= whole.covered, "step {steps}");
        let (log, _) = Log::open(dir(&folder), key(1), options(), later).unwrap();
        let again = wait(log.prune(NOW, "local", later));
        log.close(later).unwrap();
        assert!(again.is_ok() || report.removed > 0, "step {steps}: {again:?}");
        let report = check(&folder);
        assert!(report.removed > 20 && report.tiled == report.covered, "step {steps}: {report:?}");
        finished
    });
}

#[test]
fn a_power_cut_at_any_step_of_a_handover_leaves_the_log_to_exactly_one_key() {
    at_every_step(20, |steps, names| {
        let folder = tempfile::tempdir().unwrap();
        let power = Power::for_steps(steps);
        let finished = Log::open_on(Box::new(power.clone()), dir(&folder), key(1), options(), NOW)
            .is_ok_and(|(log, _)| log.hand_over(&key(2), "local", NOW).is_ok());
        power.cut(folder.path(), names);
        check(&folder);
        let mut opened = 0;
        for seed in [1, 2] {
            match Log::open(dir(&folder), key(seed), options(), NOW) {
                Ok((log, _)) => {
                    calls(&log, &mut World::default()).unwrap();
                    log.close(NOW).unwrap();
                    opened += 1;
                }
                Err(OpenError::Retired | OpenError::Broken(_)) => {}
                Err(other) => panic!("step {steps}: {other}"),
            }
            if opened == 1 {
                // A log that was not handed over, and has nothing in it, would be begun by any key.
                break;
            }
        }
        assert_eq!(opened, 1, "step {steps}");
        let keys = check(&folder).keys;
        assert!(!finished || keys.all().count() == 2 && keys != Keys::only(key(1).verifying_key()));
        finished
    });
}

#[test]
fn a_folder_that_cannot_be_written_opens_nothing() {
    for error in [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull] {
        let folder = tempfile::tempdir().unwrap();
        let opened = Log::open_on(Box::new(Power::failing(0, error)), dir(&folder), key(1), options(), NOW);
        assert!(matches!(opened, Err(OpenError::Io(found)) if found.kind() == error));
    }
}

/// A disk on which every sync takes its time.
struct Slow(Duration);

impl Disk for Slow {
    fn sync(&self, file: &File) -> io::Result<()> {
        std::thread::sleep(self.0);
        Machine.sync(file)
    }
}

/// Reads wait for no sync, but for the one between two files; writes for the one that is under way, and for their own.
#[test]
fn on_a_slow_disk_whoever_appends_waits_a_bounded_time() {
    const SYNC: Duration = Duration::from_millis(100);
    let folder = tempfile::tempdir().unwrap();
    let (log, _) =
        Log::open_on(Box::new(Slow(SYNC)), dir(&folder), key(1), Options { segment_bytes: 1 << 20, ..options() }, NOW).unwrap();
    let (mut longest_read, mut longest_write) = (Duration::ZERO, Duration::ZERO);
    for number in 0..200 {
        let effect = if number % 50 == 0 { Effect::Write } else { Effect::Read };
        let began = std::time::Instant::now();
        let id = wait(log.begin(testing::permit(effect), testing::facts(), NOW)).unwrap().id();
        let longest = if effect == Effect::Read { &mut longest_read } else { &mut longest_write };
        *longest = (*longest).max(began.elapsed());
        wait(log.outcome(id, testing::ended(), NOW)).unwrap();
    }
    log.close(NOW).unwrap();
    assert!(longest_read < SYNC, "{longest_read:?}");
    assert!(longest_write < SYNC * 8, "{longest_write:?}: at most a sync, a checkpoint, and its own");
    check(&folder);
}

/// Only where the operator said so, only what reads, and it knows that nobody wrote it down.
#[test]
fn once_the_log_fails_reads_go_on_only_where_the_operator_said_so() {
    use crate::OnFailure;
    for (on_failure, effect, goes_on) in [
        (OnFailure::Deny, Effect::Read, false),
        (OnFailure::Deny, Effect::Write, false),
        (OnFailure::ReadOnly, Effect::Read, true),
        (OnFailure::ReadOnly, Effect::Write, false),
        (OnFailure::ReadOnly, Effect::Destructive, false),
    ] {
        let (folder, power) = (tempfile::tempdir().unwrap(), Power::for_steps(u64::MAX));
        let (log, _) =
            Log::open_on(Box::new(power.clone()), dir(&folder), key(1), Options { on_failure, ..options() }, NOW).unwrap();
        let before = wait(log.begin(testing::permit(Effect::Read), testing::facts(), NOW)).unwrap();
        assert!(before.is_written());
        power.ends_now();
        let begun = wait(log.begin(testing::permit(effect), testing::facts(), NOW));
        assert_eq!(begun.is_ok(), goes_on, "{on_failure:?} {effect:?}");
        if let Ok(recorded) = begun {
            assert!(!recorded.is_written());
            assert_eq!(wait(log.outcome(recorded.id(), testing::ended(), NOW)).unwrap(), recorded.id());
            assert!(wait(log.outcome(recorded.id(), testing::ended(), NOW)).is_err(), "once");
        }
        assert!(wait(log.outcome(before.id(), testing::ended(), NOW)).is_err());
        assert!(log.failure().is_some() && log.close(NOW).is_err());
        drop(log);
        let records = read(&dir(&folder), Filter::default()).unwrap().count();
        assert_eq!(records, 1, "nothing of it is in the log");
    }
}
