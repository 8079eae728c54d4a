//! Calls that wait for a person, as tasks (SEP-2663): a client asks after one, and the call is made when it may be.
//!
//! A task does nothing by itself. Whoever asks after it makes the call again, in the same way and within the same bounds as any call, and
//! only under the approval that it waits for. So nothing is done for a client that went away, and a task can do no more than its client.
//!
//! Tasks are one principal's, and end with the process. The approval does not: the same call, made again, finds what became of it.

use std::{
    collections::{
        HashMap,
        hash_map::Entry::{Occupied, Vacant},
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use casemate_policy::{Timestamp, approval::ApprovalId};
use rmcp::model::{CreateTaskResult, DetailedTask, GetTaskResult, JsonObject, Task, TaskPayload, TaskStatus};
use tokio_util::sync::CancellationToken;

use super::CallRequest;
use crate::clock;

/// Tasks of one principal. No more than so many approvals can wait; the rest are results that were not fetched.
const MOST: usize = 128;

/// Bytes of the arguments of one principal's tasks, as JSON. What comes in later takes the place of what has waited longest.
const MOST_BYTES: usize = 4 << 20;

/// How long a task is kept from its beginning. What it waits for may last longer.
const KEPT_MS: u64 = 24 * 3_600_000;

/// How often a client is asked to look. People take their time.
const LOOK_MS: u64 = 5_000;

/// The tasks of one principal.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<HashMap<ApprovalId, Entry>>);

#[derive(Debug)]
struct Entry {
    message: String,
    /// Of the arguments, as JSON.
    bytes: usize,
    created: Timestamp,
    updated: Timestamp,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The call is still to be made.
    Waits(CallRequest),
    /// Somebody asks after it, and the call may be under way.
    Looked {
        token: CancellationToken,
        cancelled: bool,
    },
    Done(JsonObject),
    Cancelled,
}

/// The right to make a task's call. When it is dropped, whatever happened, the next one may try.
pub(super) struct Turn<'a> {
    tasks: &'a Tasks,
    id: ApprovalId,
    request: CallRequest,
    token: CancellationToken,
}

impl Tasks {
    /// A task for a call that waits for this approval. Two calls that wait for one approval are one task.
    pub(super) fn begin(&self, id: &ApprovalId, request: CallRequest, message: String) -> CreateTaskResult {
        let (mut known, now) = (self.kept(), clock::now());
        let bytes = serde_json::to_string(&request.arguments).map_or(MOST_BYTES, |json| json.len());
        while !known.contains_key(id)
            && (known.len() >= MOST || bytes + known.values().map(|entry| entry.bytes).sum::<usize>() > MOST_BYTES)
            && let Some(oldest) = known.iter().min_by_key(|(_, entry)| entry.created).map(|(id, _)| id.clone())
        {
            known.remove(&oldest);
        }
        let waits = State::Waits(CallRequest { answer: None, awaits: Some(id.clone()), ..request });
        let entry = match known.entry(id.clone()) {
            Vacant(place) => place.insert(Entry { message, bytes, created: now, updated: now, state: waits }),
            Occupied(place) => {
                let entry = place.into_mut();
                if matches!(entry.state, State::Cancelled) {
                    entry.becomes(waits);
                }
                entry
            }
        };
        CreateTaskResult::new(entry.task(id))
    }

    /// What is known of a task; none where there is none of this principal.
    pub(super) fn shown(&self, id: &ApprovalId) -> Option<GetTaskResult> {
        let known = self.kept();
        let entry = known.get(id)?;
        let payload = match &entry.state {
            State::Waits(_) | State::Looked { .. } => TaskPayload::Working,
            State::Done(result) => TaskPayload::Completed { result: result.clone() },
            State::Cancelled => TaskPayload::Cancelled,
        };
        Some(GetTaskResult::new(DetailedTask::new(entry.task(id), payload)))
    }

    /// The turn to make the call of a task that waits, if nobody has it. `cancel` ends the call with whoever asks.
    pub(super) fn turn(&self, id: &ApprovalId, cancel: &CancellationToken) -> Option<Turn<'_>> {
        let mut known = self.kept();
        let entry = known.get_mut(id)?;
        let State::Waits(request) = &entry.state else { return None };
        let turn = Turn { tasks: self, id: id.clone(), request: request.clone(), token: cancel.child_token() };
        entry.state = State::Looked { token: turn.token.clone(), cancelled: false };
        Some(turn)
    }

    /// No call of this task is begun any more, and one that is under way is told to end. Gives whether there is such a task.
    pub(super) fn cancel(&self, id: &ApprovalId) -> bool {
        let mut known = self.lock();
        let Some(entry) = known.get_mut(id) else { return false };
        match &mut entry.state {
            State::Waits(_) => entry.becomes(State::Cancelled),
            // How a call ends is known when it has.
            State::Looked { token, cancelled } => {
                token.cancel();
                *cancelled = true;
            }
            State::Done(_) | State::Cancelled => {}
        }
        true
    }

    /// Those whose time is not over.
    fn kept(&self) -> MutexGuard<'_, HashMap<ApprovalId, Entry>> {
        let (mut known, now) = (self.lock(), clock::now());
        known.retain(|_, entry| now.since(entry.created) < KEPT_MS);
        known
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApprovalId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn task(&self, id: &ApprovalId) -> Task {
        let status = match &self.state {
            State::Waits(_) | State::Looked { .. } => TaskStatus::Working,
            State::Done(_) => TaskStatus::Completed,
            State::Cancelled => TaskStatus::Cancelled,
        };
        Task::new(id.as_str(), status, self.created.to_string(), self.updated.to_string())
            .with_status_message(self.message.clone())
            .with_ttl_ms(KEPT_MS)
            .with_poll_interval_ms(LOOK_MS)
    }

    fn becomes(&mut self, state: State) {
        (self.state, self.updated) = (state, clock::now());
    }
}

impl Turn<'_> {
    /// The call to make, and what cancels it.
    pub(super) fn call(&self) -> (CallRequest, CancellationToken) {
        (self.request.clone(), self.token.clone())
    }

    /// The call has this result, and the task is over.
    pub(super) fn done(self, result: JsonObject) {
        if let Some(entry) = self.tasks.lock().get_mut(&self.id) {
            entry.becomes(State::Done(result));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.tasks.lock().get_mut(&self.id)
            && let State::Looked { cancelled, .. } = entry.state
        {
            entry.state = if cancelled { State::Cancelled } else { State::Waits(self.request.clone()) };
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn request() -> CallRequest {
        CallRequest { tool: "t".to_owned(), arguments: JsonObject::new(), answer: None, awaits: None }
    }

    fn id(number: usize) -> ApprovalId {
        format!("{number:020x}").parse().unwrap()
    }

    fn status(tasks: &Tasks) -> TaskStatus {
        tasks.shown(&id(1)).unwrap().task.status()
    }

    #[test]
    fn one_at_a_time_makes_the_call_and_only_while_it_waits() {
        let (tasks, cancel) = (Tasks::default(), CancellationToken::new());
        assert!(tasks.turn(&id(1), &cancel).is_none() && tasks.shown(&id(1)).is_none() && !tasks.cancel(&id(1)));
        tasks.begin(&id(1), request(), String::new());
        let turn = tasks.turn(&id(1), &cancel).unwrap();
        assert_eq!(turn.call().0.awaits, Some(id(1)));
        assert!(tasks.turn(&id(1), &cancel).is_none());
        drop(turn);
        tasks.turn(&id(1), &cancel).unwrap().done(JsonObject::new());
        assert!(tasks.turn(&id(1), &cancel).is_none() && tasks.cancel(&id(1)));
        assert_eq!(status(&tasks), TaskStatus::Completed);
    }

    #[test]
    fn tasks_hold_a_bounded_amount() {
        let tasks = Tasks::default();
        let large = || CallRequest {
            arguments: [("a".to_owned(), "x".repeat(MOST_BYTES / 3).into())].into_iter().collect(),
            ..request()
        };
        for number in 1..=5 {
            tasks.begin(&id(number), large(), String::new());
        }
        assert!(tasks.shown(&id(5)).is_some(), "the newest stays");
        assert_eq!((1..=5).filter(|number| tasks.shown(&id(*number)).is_some()).count(), 2);
        tasks.begin(&id(5), large(), String::new());
        assert_eq!((1..=5).filter(|number| tasks.shown(&id(*number)).is_some()).count(), 2, "the same task needs no room");
    }

    #[test]
    fn a_cancelled_task_makes_no_call_until_it_is_called_again() {
        let (tasks, cancel) = (Tasks::default(), CancellationToken::new());
        tasks.begin(&id(1), request(), String::new());
        let turn = tasks.turn(&id(1), &cancel).unwrap();
        assert!(tasks.cancel(&id(1)) && turn.call().1.is_cancelled() && !cancel.is_cancelled());
        drop(turn);
        assert!(tasks.turn(&id(1), &cancel).is_none());
        assert_eq!(status(&tasks), TaskStatus::Cancelled);
        tasks.begin(&id(1), request(), String::new());
        assert_eq!(status(&tasks), TaskStatus::Working);
    }

    #[test]
    fn there_are_never_more_than_are_kept() {
        let tasks = Tasks::default();
        (0..MOST + 50).for_each(|number| drop(tasks.begin(&id(number), request(), String::new())));
        assert_eq!(tasks.lock().len(), MOST);
        assert!(tasks.shown(&id(MOST + 49)).is_some());
    }
}
