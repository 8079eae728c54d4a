//! What a person asks of a log.

use casemate_audit::{Filter, Follow, Options, ReadError, Sync, read};
use casemate_policy::{ApprovalMode, Decision};
use casemate_signing::manifest::Effect;
use serde_json::json;

use crate::{
    calls::{decision, ended, facts, permit},
    fixture::{FIRST, Folder, NOW, event, quiet, wait},
};

#[track_caller]
fn check(folder: &Folder, filter: Filter, expected: &[&str]) {
    let dir = folder.dir();
    let types: Vec<String> = read(&dir, filter).unwrap().map(|entry| entry.unwrap().event_type().to_owned()).collect();
    assert_eq!(types, expected);
}

#[test]
fn entries_are_found_by_what_they_are_about() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    wait(log.event(event(0), NOW)).unwrap();
    let id = wait(log.begin(permit(Effect::Read), facts(), NOW.plus_millis(10))).unwrap().id();
    wait(log.outcome(id, ended(), NOW.plus_millis(20))).unwrap();
    let Decision::Denied(denied) = decision(Effect::Read, json!({}), ApprovalMode::None) else { panic!() };
    wait(log.denied(&denied, facts(), NOW.plus_millis(30))).unwrap();
    log.close(NOW).unwrap();

    let some = |text: &str| Some(text.to_owned());
    check(&folder, Filter::default(), &["config.loaded", "intent", "outcome", "denied"]);
    check(&folder, Filter { principal: some("local"), ..Filter::default() }, &["intent", "outcome", "denied"]);
    check(&folder, Filter { principal: some("loc"), ..Filter::default() }, &[]);
    check(&folder, Filter { tool: some("eye_look"), outcome: some("allowed"), ..Filter::default() }, &["intent", "outcome"]);
    check(&folder, Filter { event_type: some("config."), ..Filter::default() }, &["config.loaded"]);
    check(&folder, Filter { event_type: some("config"), ..Filter::default() }, &["config.loaded"]);
    check(&folder, Filter { event_type: some("conf"), ..Filter::default() }, &[]);
    check(&folder, Filter { event_type: some("intent."), ..Filter::default() }, &[]);
    check(&folder, Filter { call_id: some("call-1"), ..Filter::default() }, &["intent", "outcome", "denied"]);
    check(&folder, Filter { event: Some(id), ..Filter::default() }, &["intent", "outcome"]);
    let texts = |texts: &[&str]| aho_corasick::AhoCorasick::new(texts).ok().map(std::sync::Arc::new);
    check(&folder, Filter { mentions: texts(&["nowhere", &id.to_string()]), ..Filter::default() }, &["intent", "outcome"]);
    check(&folder, Filter { mentions: texts(&[]), ..Filter::default() }, &[]);
    check(
        &folder,
        Filter { since: Some(NOW.plus_millis(10)), until: Some(NOW.plus_millis(30)), ..Filter::default() },
        &["intent", "outcome"],
    );
}

#[test]
fn who_follows_a_log_sees_every_record_once() {
    let folder = Folder::new();
    let (log, _) = folder.open(Options { segment_bytes: 1024, sync: Sync::Always, ..quiet() }).unwrap();
    wait(log.event(event(0), NOW)).unwrap();
    let dir = folder.dir();
    let mut follow = Follow::recent(&dir, 1).unwrap();
    let mut more = || -> Vec<u64> {
        follow.more(&dir, &Filter::default(), usize::MAX).unwrap().iter().map(|entry| entry.place.record).collect()
    };
    assert_eq!(more(), [0]);
    assert!(more().is_empty());
    assert_eq!("0/1/1/9".parse::<Follow>().unwrap().to_string(), "0/1/1/9");
    assert!("0/1/1".parse::<Follow>().is_err() && "".parse::<Follow>().is_err() && "0/1/1/-9".parse::<Follow>().is_err());
    let mut seen = Vec::new();
    for number in 1..20 {
        wait(log.event(event(number), NOW)).unwrap();
        if number % 3 == 0 {
            seen.extend(more());
        }
    }
    seen.extend(more());
    assert_eq!(seen, (1..20).collect::<Vec<_>>());
    // Whoever comes late begins so many files before the end. The newest may have been begun and hold nothing yet.
    log.close(NOW).unwrap();
    let begins = |segments| {
        let late = Follow::recent(&dir, segments).unwrap().more(&dir, &Filter::default(), usize::MAX).unwrap();
        late.first().map(|entry| entry.place.record)
    };
    let newest = begins(1);
    assert!(newest.is_none() || newest > begins(2));
    assert!(begins(4) > begins(1000), "{:?}", begins(4));
    assert_eq!(begins(1000), Some(0));
}

#[test]
fn a_record_that_is_half_written_is_waited_for() {
    let folder = Folder::new();
    folder.write(FIRST, b"{\"event_id\":\"a\"}\n{\"event_");
    let dir = folder.dir();
    let mut follow = Follow::default();
    assert_eq!(follow.more(&dir, &Filter::default(), usize::MAX).unwrap().len(), 1);
    assert!(follow.more(&dir, &Filter::default(), usize::MAX).unwrap().is_empty());
    folder.write(FIRST, b"{\"event_id\":\"a\"}\n{\"event_id\":\"b\"}\n");
    let more = follow.more(&dir, &Filter::default(), usize::MAX).unwrap();
    assert_eq!(more.iter().map(casemate_audit::Entry::event_id).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_line_that_is_no_record_is_named_and_ends_the_reading() {
    let folder = Folder::new();
    folder.write(FIRST, b"{\"event_id\":\"a\"}\nnonsense\n{}\n");
    let dir = folder.dir();
    let mut entries = read(&dir, Filter::default()).unwrap();
    assert!(entries.next().unwrap().is_ok());
    let Some(Err(ReadError::NotRecord(place))) = entries.next() else { panic!() };
    assert_eq!((place.record, place.line, place.offset), (1, 2, 17));
    assert!(entries.next().is_none());
}
