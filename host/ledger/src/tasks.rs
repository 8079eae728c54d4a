//! Tasks: calls that wait for a person, for the client that will ask after them; and their results, until they were kept long enough.

use casemate_policy::{PrincipalId, Timestamp, approval::ApprovalId};
use rusqlite::{OptionalExtension as _, Row, Transaction, params, types::Type};

use crate::{Ledger, schema::LedgerError};

/// How long a task is kept from its beginning. What it waits for may last longer.
pub const TASK_KEPT_MS: u64 = 24 * 3_600_000;

/// Tasks of one principal. No more than so many approvals can wait; the rest are results that were not fetched.
const MOST: i64 = 128;

/// Bytes of the arguments and results of one principal's tasks. What comes in later takes the place of what is oldest.
const MOST_BYTES: i64 = 4 << 20;

/// A call that waits for an approval, or that once did. Its id is the approval's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The served name of the tool, as the client used it.
    pub tool: String,
    /// The arguments, as JSON.
    pub arguments: String,
    /// What it waits for, for people.
    pub message: String,
    /// Since when there is such a task.
    pub created: Timestamp,
    /// Since when it is in this state.
    pub updated: Timestamp,
    /// What became of it.
    pub state: TaskState,
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// The call is still to be made.
    Waits,
    /// The call has this result, as JSON.
    Done(String),
    /// The client no longer wants it.
    Cancelled,
}

impl Ledger {
    /// Keep a call that waits for this approval. Two calls that wait for one approval are one task; one that was cancelled waits again.
    pub fn begin_task(
        &self,
        principal: &PrincipalId,
        id: &ApprovalId,
        tool: &str,
        arguments: &str,
        message: &str,
        now: Timestamp,
    ) -> Result<Option<Task>, LedgerError> {
        self.write(true, |transaction| {
            let who = principal.as_str();
            transaction
                .prepare_cached("DELETE FROM tasks WHERE created_ms <= ?1")?
                .execute([now.as_millis().saturating_sub_unsigned(TASK_KEPT_MS)])?;
            transaction
                .prepare_cached(
                    "INSERT INTO tasks (principal, approval, tool, arguments, message, created_ms, updated_ms, state)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 'waits')
                     ON CONFLICT DO UPDATE SET state = 'waits', updated_ms = excluded.updated_ms WHERE state = 'cancelled'",
                )?
                .execute(params![who, id.as_str(), tool, arguments, message, now.as_millis()])?;
            make_room(transaction, principal, id)?;
            Ok(find(transaction, principal, id)?)
        })
    }

    /// A task of this principal that is still kept.
    pub fn task(&self, principal: &PrincipalId, id: &ApprovalId, now: Timestamp) -> Result<Option<Task>, LedgerError> {
        let task = self.read(|transaction| find(transaction, principal, id).map_err(LedgerError::from))?;
        Ok(task.filter(|task| now.since(task.created) < TASK_KEPT_MS))
    }

    /// The call of a task that waits has this result; gives whether there was one.
    pub fn task_done(&self, principal: &PrincipalId, id: &ApprovalId, result: &str, now: Timestamp) -> Result<bool, LedgerError> {
        self.write(true, |transaction| {
            let ended = end(transaction, principal, id, "done", Some(result), now)?;
            make_room(transaction, principal, id)?;
            Ok(ended)
        })
    }

    /// No call is made for a task that waits; gives whether there was one.
    pub fn task_cancelled(&self, principal: &PrincipalId, id: &ApprovalId, now: Timestamp) -> Result<bool, LedgerError> {
        self.write(true, |transaction| Ok(end(transaction, principal, id, "cancelled", None, now)?))
    }
}

fn end(
    transaction: &Transaction<'_>,
    principal: &PrincipalId,
    id: &ApprovalId,
    state: &str,
    result: Option<&str>,
    now: Timestamp,
) -> Result<bool, rusqlite::Error> {
    let ended = transaction
        .prepare_cached(
            "UPDATE tasks SET state = ?3, result = ?4, updated_ms = ?5 WHERE principal = ?1 AND approval = ?2 AND state = 'waits'",
        )?
        .execute(params![principal.as_str(), id.as_str(), state, result, now.as_millis()])?;
    Ok(ended > 0)
}

/// The oldest go until the others fit, but never this one.
fn make_room(transaction: &Transaction<'_>, principal: &PrincipalId, but: &ApprovalId) -> Result<(), rusqlite::Error> {
    // Each is kept where it and all that are newer fit.
    transaction
        .prepare_cached(
            "DELETE FROM tasks WHERE principal = ?1 AND approval IN (
                 SELECT approval FROM (
                     SELECT approval,
                            count(*) OVER newer AS number,
                            sum(length(CAST(arguments AS BLOB)) + coalesce(length(CAST(result AS BLOB)), 0)) OVER newer AS bytes
                     FROM tasks WHERE principal = ?1
                     WINDOW newer AS (ORDER BY approval = ?2 DESC, created_ms DESC, approval ROWS UNBOUNDED PRECEDING)
                 ) WHERE approval <> ?2 AND (number > ?3 OR bytes > ?4))",
        )?
        .execute(params![principal.as_str(), but.as_str(), MOST, MOST_BYTES])?;
    Ok(())
}

fn find(transaction: &Transaction<'_>, principal: &PrincipalId, id: &ApprovalId) -> Result<Option<Task>, rusqlite::Error> {
    transaction
        .prepare_cached(
            "SELECT tool, arguments, message, created_ms, updated_ms, state, result FROM tasks WHERE principal = ?1 AND approval = ?2",
        )?
        .query_row([principal.as_str(), id.as_str()], read)
        .optional()
}

fn read(row: &Row<'_>) -> Result<Task, rusqlite::Error> {
    let state: String = row.get(5)?;
    let state = match (state.as_str(), row.get(6)?) {
        ("waits", None) => TaskState::Waits,
        ("done", Some(result)) => TaskState::Done(result),
        ("cancelled", None) => TaskState::Cancelled,
        _ => return Err(rusqlite::Error::InvalidColumnType(5, state, Type::Text)),
    };
    Ok(Task {
        tool: row.get(0)?,
        arguments: row.get(1)?,
        message: row.get(2)?,
        created: Timestamp::from_millis(row.get(3)?),
        updated: Timestamp::from_millis(row.get(4)?),
        state,
    })
}
