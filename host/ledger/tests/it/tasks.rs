//! Tasks: one principal's, kept over a restart, within bounds, and ended once.

use casemate_ledger::{Ledger, TASK_KEPT_MS, Task, TaskState};
use casemate_policy::approval::ApprovalId;

use crate::fixture::{NOW, at, file, who};

fn id(number: usize) -> ApprovalId {
    format!("{number:020x}").parse().unwrap()
}

fn begin(ledger: &Ledger, number: usize, arguments: &str, now: i64) -> Option<Task> {
    ledger.begin_task(&who("local"), &id(number), "lab_run", arguments, "waits", at(now)).unwrap()
}

fn state(ledger: &Ledger, number: usize, now: i64) -> Option<TaskState> {
    ledger.task(&who("local"), &id(number), at(now)).unwrap().map(|task| task.state)
}

#[test]
fn a_task_and_its_result_survive_the_process() {
    let (_folder, path) = file();
    let ledger = Ledger::open(&path).unwrap();
    begin(&ledger, 1, r#"{"a":1}"#, NOW);
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    let task = ledger.task(&who("local"), &id(1), at(NOW + 1)).unwrap().unwrap();
    assert_eq!((task.tool.as_str(), task.arguments.as_str(), task.state), ("lab_run", r#"{"a":1}"#, TaskState::Waits));
    assert!(ledger.task_done(&who("local"), &id(1), "{}", at(NOW + 2)).unwrap());
    drop(ledger);
    let task = Ledger::open(&path).unwrap().task(&who("local"), &id(1), at(NOW + 3)).unwrap().unwrap();
    assert_eq!((task.created, task.updated, task.state), (at(NOW), at(NOW + 2), TaskState::Done("{}".to_owned())));
}

#[test]
fn nobody_elses_task_is_there() {
    let ledger = Ledger::in_memory().unwrap();
    begin(&ledger, 1, "{}", NOW);
    let other = who("token:ci");
    assert_eq!(ledger.task(&other, &id(1), at(NOW)).unwrap(), None);
    assert!(!ledger.task_cancelled(&other, &id(1), at(NOW)).unwrap());
    assert!(!ledger.task_done(&other, &id(1), "{}", at(NOW)).unwrap());
    assert_eq!(state(&ledger, 1, NOW), Some(TaskState::Waits));
}

#[test]
fn a_task_ends_once_and_only_a_cancelled_one_waits_again() {
    let ledger = Ledger::in_memory().unwrap();
    let local = who("local");
    begin(&ledger, 1, "{}", NOW);
    assert!(ledger.task_cancelled(&local, &id(1), at(NOW)).unwrap());
    assert!(!ledger.task_done(&local, &id(1), "{}", at(NOW)).unwrap());
    assert_eq!(begin(&ledger, 1, "{}", NOW + 1).unwrap().state, TaskState::Waits);
    assert!(ledger.task_done(&local, &id(1), "[1]", at(NOW)).unwrap());
    assert!(!ledger.task_cancelled(&local, &id(1), at(NOW)).unwrap());
    assert_eq!(begin(&ledger, 1, "{}", NOW + 2).unwrap().state, TaskState::Done("[1]".to_owned()));
}

#[test]
fn a_task_is_kept_for_so_long_and_then_forgotten() {
    let ledger = Ledger::in_memory().unwrap();
    begin(&ledger, 1, "{}", NOW);
    let end = NOW.saturating_add_unsigned(TASK_KEPT_MS);
    assert_eq!((state(&ledger, 1, end - 1), state(&ledger, 1, end)), (Some(TaskState::Waits), None));
    begin(&ledger, 2, "{}", end);
    assert_eq!(state(&ledger, 1, NOW), None, "it is not on file any more");
}

#[test]
fn the_newest_fit_and_nobody_elses_make_room() {
    let ledger = Ledger::in_memory().unwrap();
    ledger.begin_task(&who("token:ci"), &id(999), "t", "{}", "", at(NOW)).unwrap();
    for number in 0..140 {
        begin(&ledger, number, "{}", NOW + i64::try_from(number).unwrap());
    }
    assert_eq!((0..140).filter(|number| state(&ledger, *number, NOW).is_some()).count(), 128);
    assert!(state(&ledger, 11, NOW).is_none() && state(&ledger, 12, NOW).is_some());
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    for number in 200..205 {
        begin(&ledger, number, &large, NOW + i64::try_from(number).unwrap());
    }
    assert_eq!((0..205).filter(|number| state(&ledger, *number, NOW).is_some()).collect::<Vec<_>>(), [202, 203, 204]);
    // A result larger than everything is still handed out: it is what was waited for.
    assert!(ledger.task_done(&who("local"), &id(202), &"x".repeat(5 << 20), at(NOW + 300)).unwrap());
    assert_eq!((200..205).filter(|number| state(&ledger, *number, NOW).is_some()).collect::<Vec<_>>(), [202]);
    assert!(ledger.task(&who("token:ci"), &id(999), at(NOW)).unwrap().is_some());
}
