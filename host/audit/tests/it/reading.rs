//! What a person asks of a log.

use casemate_audit::{Filter, ReadError, read};
use casemate_policy::{ApprovalMode, Decision};
use casemate_signing::manifest::Effect;
use serde_json::json;

use crate::fixture::{FIRST, Folder, NOW, decision, ended, event, facts, permit, quiet, wait};

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
    check(&folder, Filter { event_type: some("config"), ..Filter::default() }, &[]);
    check(&folder, Filter { call_id: some("call-1"), ..Filter::default() }, &["intent", "outcome", "denied"]);
    check(&folder, Filter { event: Some(id), ..Filter::default() }, &["intent", "outcome"]);
    check(
        &folder,
        Filter { since: Some(NOW.plus_millis(10)), until: Some(NOW.plus_millis(30)), ..Filter::default() },
        &["intent", "outcome"],
    );
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
