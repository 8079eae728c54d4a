//! Calls that wait for a person, as tasks (SEP-2663): a client asks after one, and the call is made when it may be.
//!
//! A task does nothing by itself. Whoever asks after it makes the call again, in the same way and within the same bounds as any call, and
//! only under the approval that it waits for. So nothing is done for a client that went away, and a task can do no more than its client.
//!
//! Tasks are one principal's, and on file: they survive the process, and several processes may serve one principal. Where the approval was
//! used and there is no result, another process is making the call; after the longest that a call may take, that process was killed, and
//! whoever asks is told that the approval is used up.

use std::{
    collections::{HashMap, hash_map::Entry::Vacant},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use casemate_ledger::{Closed, Ledger, LedgerError, State, TASK_KEPT_MS, TaskState};
use casemate_policy::{PrincipalId, approval::ApprovalId};
use rmcp::model::{CreateTaskResult, DetailedTask, GetTaskResult, JsonObject, Task, TaskPayload, TaskStatus};
use tokio_util::sync::CancellationToken;

use super::{CallRequest, House};
use crate::clock;

/// How often a client is asked to look. People take their time.
const LOOK_MS: u64 = 5_000;

/// No call takes longer from the use of its approval to its result: what a manifest may ask for at most, and time to write it down.
const LONGEST_CALL_MS: u64 = 180_000;

/// The tasks of one principal.
pub(super) struct Tasks<H> {
    house: Arc<H>,
    principal: PrincipalId,
    /// Those that somebody asks after, whose call may be under way.
    looked: Mutex<HashMap<ApprovalId, Look>>,
}

#[derive(Debug)]
struct Look {
    token: CancellationToken,
    cancelled: bool,
}

/// The right to make a task's call. When it is dropped, whatever happened, the next one may try.
pub(super) struct Turn<'a, H: House> {
    tasks: &'a Tasks<H>,
    id: ApprovalId,
    request: CallRequest,
    token: CancellationToken,
}

impl<H: House> Tasks<H> {
    pub(super) fn new(house: Arc<H>, principal: PrincipalId) -> Self {
        Self { house, principal, looked: Mutex::default() }
    }

    /// A task for a call that waits for this approval. Two calls that wait for one approval are one task.
    pub(super) fn begin(
        &self,
        id: &ApprovalId,
        request: &CallRequest,
        message: &str,
    ) -> Result<Option<CreateTaskResult>, LedgerError> {
        let arguments = serde_json::Value::Object(request.arguments.clone()).to_string();
        let task = self.on_file(|ledger, who| ledger.begin_task(who, id, &request.tool, &arguments, message, clock::now()))?;
        Ok(task.map(|task| CreateTaskResult::new(wire(id, &task))))
    }

    /// What is known of a task; none where there is none of this principal.
    pub(super) fn shown(&self, id: &ApprovalId) -> Result<Option<GetTaskResult>, LedgerError> {
        let Some(task) = self.found(id)? else { return Ok(None) };
        let payload = match &task.state {
            TaskState::Waits => TaskPayload::Working,
            TaskState::Done(result) => {
                TaskPayload::Completed { result: serde_json::from_str(result).map_err(LedgerError::text)? }
            }
            TaskState::Cancelled => TaskPayload::Cancelled,
        };
        Ok(Some(GetTaskResult::new(DetailedTask::new(wire(id, &task), payload))))
    }

    /// The turn to make the call of a task that waits, if nobody has it. `cancel` ends the call with whoever asks.
    pub(super) fn turn(&self, id: &ApprovalId, cancel: &CancellationToken) -> Result<Option<Turn<'_, H>>, LedgerError> {
        let mut looked = self.looked();
        let Vacant(place) = looked.entry(id.clone()) else { return Ok(None) };
        // Under the lock: a task that is over is not found waiting by the next one.
        let Some(task) = self.found(id)?.filter(|task| task.state == TaskState::Waits) else { return Ok(None) };
        if self.made_elsewhere(id)? {
            return Ok(None);
        }
        let arguments: JsonObject = serde_json::from_str(&task.arguments).map_err(LedgerError::text)?;
        let request = CallRequest { tool: task.tool, arguments, answer: None, awaits: Some(id.clone()), trace: None };
        let token = cancel.child_token();
        place.insert(Look { token: token.clone(), cancelled: false });
        Ok(Some(Turn { tasks: self, id: id.clone(), request, token }))
    }

    /// No call of this task is begun any more, and one that is under way is told to end. Gives whether there is such a task.
    pub(super) fn cancel(&self, id: &ApprovalId) -> Result<bool, LedgerError> {
        let mut looked = self.looked();
        if let Some(look) = looked.get_mut(id) {
            // How a call ends is known when it has.
            look.token.cancel();
            look.cancelled = true;
            return Ok(true);
        }
        let ended = self.on_file(|ledger, who| ledger.task_cancelled(who, id, clock::now()))?;
        Ok(ended || self.found(id)?.is_some())
    }

    /// Whether a call that can still be under way has used the approval.
    fn made_elsewhere(&self, id: &ApprovalId) -> Result<bool, LedgerError> {
        let now = clock::now();
        let approval = self.on_file(|ledger, _| ledger.approval(id, now))?;
        Ok(approval.is_some_and(|approval| {
            approval.state == State::Closed(Closed::Taken)
                && approval.closed.is_some_and(|(_, at)| now.since(at) < LONGEST_CALL_MS)
        }))
    }

    fn found(&self, id: &ApprovalId) -> Result<Option<casemate_ledger::Task>, LedgerError> {
        self.on_file(|ledger, who| ledger.task(who, id, clock::now()))
    }

    fn on_file<T>(&self, look: impl FnOnce(&Ledger, &PrincipalId) -> T) -> T {
        self.house.ledger(|ledger| look(ledger, &self.principal))
    }

    fn looked(&self) -> MutexGuard<'_, HashMap<ApprovalId, Look>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wire(id: &ApprovalId, task: &casemate_ledger::Task) -> Task {
    let status = match task.state {
        TaskState::Waits => TaskStatus::Working,
        TaskState::Done(_) => TaskStatus::Completed,
        TaskState::Cancelled => TaskStatus::Cancelled,
    };
    Task::new(id.as_str(), status, task.created.to_string(), task.updated.to_string())
        .with_status_message(task.message.clone())
        .with_ttl_ms(TASK_KEPT_MS)
        .with_poll_interval_ms(LOOK_MS)
}

impl<H: House> Turn<'_, H> {
    /// The call to make, and what cancels it.
    pub(super) fn call(&self) -> (CallRequest, CancellationToken) {
        (self.request.clone(), self.token.clone())
    }

    /// The call has this result, and the task is over; unless the call was refused because another process is making it.
    pub(super) fn done(self, result: &JsonObject, refused_as_used: bool) -> Result<(), LedgerError> {
        if refused_as_used && self.tasks.made_elsewhere(&self.id)? {
            return Ok(());
        }
        let result = serde_json::to_string(result).map_err(LedgerError::text)?;
        self.tasks.on_file(|ledger, who| ledger.task_done(who, &self.id, &result, clock::now())).map(drop)
    }
}

impl<H: House> Drop for Turn<'_, H> {
    fn drop(&mut self) {
        let mut looked = self.tasks.looked();
        let cancelled = looked.remove(&self.id).is_some_and(|look| look.cancelled);
        // One that is done stays so.
        if cancelled && let Err(error) = self.tasks.on_file(|ledger, who| ledger.task_cancelled(who, &self.id, clock::now())) {
            tracing::error!(%error, task = %self.id, "a task could not be cancelled");
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::mcp::tests::FakeHouse;

    fn tasks() -> Tasks<FakeHouse> {
        Tasks::new(Arc::default(), "local".parse().unwrap())
    }

    fn request() -> CallRequest {
        let arguments = [("b".to_owned(), 1.into()), ("a".to_owned(), 2.into())].into_iter().collect();
        CallRequest { tool: "t".to_owned(), arguments, answer: None, awaits: None, trace: None }
    }

    fn id() -> ApprovalId {
        format!("{:020x}", 1).parse().unwrap()
    }

    fn status(tasks: &Tasks<FakeHouse>) -> TaskStatus {
        tasks.shown(&id()).unwrap().unwrap().task.status()
    }

    #[test]
    fn one_at_a_time_makes_the_call_and_only_while_it_waits() {
        let (tasks, cancel) = (tasks(), CancellationToken::new());
        let turn = || tasks.turn(&id(), &cancel).unwrap();
        assert!(turn().is_none() && tasks.shown(&id()).unwrap().is_none() && !tasks.cancel(&id()).unwrap());
        tasks.begin(&id(), &request(), "").unwrap();
        let first = turn().unwrap();
        assert_eq!(first.call().0, CallRequest { awaits: Some(id()), ..request() });
        assert!(turn().is_none());
        drop(first);
        turn().unwrap().done(&JsonObject::new(), false).unwrap();
        assert!(turn().is_none() && tasks.cancel(&id()).unwrap());
        assert_eq!(status(&tasks), TaskStatus::Completed);
    }

    #[test]
    fn a_cancelled_task_makes_no_call_until_it_is_called_again() {
        let (tasks, cancel) = (tasks(), CancellationToken::new());
        tasks.begin(&id(), &request(), "").unwrap();
        let turn = tasks.turn(&id(), &cancel).unwrap().unwrap();
        assert!(tasks.cancel(&id()).unwrap() && turn.call().1.is_cancelled() && !cancel.is_cancelled());
        drop(turn);
        assert!(tasks.turn(&id(), &cancel).unwrap().is_none());
        assert_eq!(status(&tasks), TaskStatus::Cancelled);
        tasks.begin(&id(), &request(), "").unwrap();
        assert_eq!(status(&tasks), TaskStatus::Working);
    }

    #[test]
    fn a_call_that_ended_before_its_cancellation_was_heard_has_its_result() {
        let (tasks, cancel) = (tasks(), CancellationToken::new());
        tasks.begin(&id(), &request(), "").unwrap();
        let turn = tasks.turn(&id(), &cancel).unwrap().unwrap();
        tasks.cancel(&id()).unwrap();
        turn.done(&JsonObject::new(), false).unwrap();
        assert_eq!(status(&tasks), TaskStatus::Completed);
    }
}
