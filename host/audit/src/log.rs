//! The log: everything is appended through [`Log`], one record after the other, and never changed.
//!
//! A record is written (write(2)) under one lock before its method returns. A second thread makes records durable in
//! groups and signs checkpoints; who needs durability waits for it. The first failure of either ends the log: nothing is
//! written to it any more, and every method says so.

use std::{
    fs::File,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use cap_std::fs::Dir;
use casemate_policy::{Deferred, Denied, Permit, PrincipalId, Timestamp, approval::ApprovalId};
use ed25519_dalek::SigningKey;
use tokio::sync::oneshot;

use crate::{
    CallFacts, Checkpoint, DeniedFacts, EventFacts, EventId, IntentFacts, OpenIntent, Outcome, OutcomeFacts, Recorded,
    Withdrawal, chain::Chain, disk::Disk, facts, id::IdSource, record::Draft,
};

/// How the log is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which records are durable before the call goes on.
    pub sync: Sync,
    /// At most this many records are without a checkpoint.
    pub checkpoint_every: u64,
    /// And none for longer than this.
    pub checkpoint_after: Duration,
    /// A new file is begun after this many bytes; also what the next opening reads again.
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: Sync::Group, checkpoint_every: 1024, checkpoint_after: Duration::from_secs(60), segment_bytes: 4 << 20 }
    }
}

/// Which records are durable (fdatasync) before their method returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Intents of calls above `read`. The rest is written at once and durable within 50 ms.
    Group,
    /// All.
    Always,
}

/// A record that could not be written. What it was about must not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuditError {
    /// Writing or syncing failed, now or before; nothing is written any more.
    #[error(
        "the audit log cannot be written: {cause}\nhelp: see to the disk that holds the audit folder, then start casemate again"
    )]
    Failed {
        /// The first failure.
        cause: Arc<str>,
    },
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// An outcome for an intent that has one already, or never was.
    #[error("there is no unfinished intent `{0}`")]
    NoSuchIntent(EventId),
}

/// An open audit log: the one writer of its folder. Share it in an [`Arc`].
///
/// [`Log::close`] ends it in good order. Dropping it makes what was written durable and signs nothing.
pub struct Log {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What the log and its keeper share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) work: Condvar,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) dir: Dir,
    pub(crate) key: SigningKey,
    pub(crate) options: Options,
}

/// What changes with every record.
pub(crate) struct State {
    pub(crate) chain: Chain,
    pub(crate) ids: IdSource,
    pub(crate) file: Arc<File>,
    pub(crate) segment_bytes: u64,
    line: Vec<u8>,
    /// Who waits for what is written by now to be durable.
    pub(crate) waiting: Vec<oneshot::Sender<Result<(), Arc<str>>>>,
    /// Who waits for what is written by now to be under a checkpoint.
    pub(crate) asked: Vec<oneshot::Sender<()>>,
    /// Since when something is written and not durable.
    pub(crate) unsynced: Option<Instant>,
    /// How many records the last checkpoint covers.
    pub(crate) signed: u64,
    /// The last checkpoint, once it is durable.
    pub(crate) newest: Option<Checkpoint>,
    /// Since when something is without a checkpoint.
    pub(crate) unsigned: Option<Instant>,
    pub(crate) stop: Option<Stop>,
    pub(crate) failed: Option<Arc<str>>,
    /// Held, as a lock on the folder, until nothing can be written any more.
    lock: Option<File>,
}

/// How the log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// With a checkpoint.
    Close,
    /// Without.
    Drop,
}

/// What a record does to the set of unfinished intents.
enum Link {
    None,
    Opens(OpenIntent),
    Ends(EventId),
}

impl State {
    pub(crate) fn new(lock: File, chain: Chain, tag: u64, file: File, segment_bytes: u64, newest: Option<Checkpoint>) -> Self {
        let signed = newest.as_ref().map_or(0, |checkpoint| checkpoint.size);
        Self {
            ids: IdSource::after(chain.last_id, tag),
            unsigned: (chain.size() > signed).then(Instant::now),
            chain,
            file: Arc::new(file),
            segment_bytes,
            line: Vec::new(),
            waiting: Vec::new(),
            asked: Vec::new(),
            unsynced: None,
            signed,
            newest,
            stop: None,
            failed: None,
            lock: Some(lock),
        }
    }

    /// From now on nothing is written.
    pub(crate) fn fail(&mut self, cause: &str) {
        let cause = Arc::clone(self.failed.get_or_insert_with(|| Arc::from(cause)));
        self.asked.clear();
        for waiting in self.waiting.drain(..) {
            // Who no longer waits need not know.
            let _ = waiting.send(Err(Arc::clone(&cause)));
        }
    }

    fn usable(&self) -> Result<(), AuditError> {
        match (&self.failed, self.stop) {
            (Some(cause), _) => Err(AuditError::Failed { cause: Arc::clone(cause) }),
            (None, Some(_)) => Err(AuditError::Closed),
            (None, None) => Ok(()),
        }
    }
}

impl Shared {
    pub(crate) fn new(state: State, disk: Box<dyn Disk>, dir: Dir, key: SigningKey, options: Options) -> Self {
        Self { state: Mutex::new(state), work: Condvar::new(), disk, dir, key, options }
    }

    /// A thread that panicked under the lock leaves a state nobody can vouch for.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            state.fail("a thread stopped in the middle of writing");
            state
        })
    }

    fn append(&self, draft: &Draft, link: Link, durable: bool) -> Result<(EventId, Option<Durable>), AuditError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.usable()?;
        if let Link::Ends(intent) = &link
            && !state.chain.open.contains_key(intent)
        {
            return Err(AuditError::NoSuchIntent(*intent));
        }
        let id = state.ids.next(draft.now);
        let hash = draft.seal(id, &state.chain.last, &mut state.line);
        if let Err(error) = self.disk.append(&state.file, &state.line) {
            state.fail(&error.to_string());
            self.work.notify_one();
            return Err(AuditError::Failed { cause: Arc::from(error.to_string()) });
        }
        state.chain.advance(id, hash);
        state.segment_bytes += state.line.len() as u64;
        match link {
            Link::None => {}
            Link::Opens(intent) => drop(state.chain.open.insert(id, intent)),
            Link::Ends(intent) => drop(state.chain.open.remove(&intent)),
        }
        let mut wake = state.unsynced.is_none() || state.chain.size() - state.signed == self.options.checkpoint_every;
        state.unsynced.get_or_insert_with(Instant::now);
        state.unsigned.get_or_insert_with(Instant::now);
        let wait = durable.then(|| {
            let (sender, receiver) = oneshot::channel();
            state.waiting.push(sender);
            wake = true;
            Durable(receiver)
        });
        drop(guard);
        if wake {
            self.work.notify_one();
        }
        Ok((id, wait))
    }
}

/// Resolves when a record is durable.
struct Durable(oneshot::Receiver<Result<(), Arc<str>>>);

impl Durable {
    async fn reached(self) -> Result<(), AuditError> {
        match self.0.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(AuditError::Failed { cause }),
            Err(_) => Err(AuditError::Failed { cause: Arc::from("the thread that syncs it is gone") }),
        }
    }
}

impl Log {
    pub(crate) fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let kept = Arc::clone(&shared);
        let keeper = std::thread::Builder::new().name("audit".to_owned()).spawn(move || crate::keeper::keep(&kept))?;
        Ok(Self { shared, keeper: Mutex::new(Some(keeper)) })
    }

    /// Write down that a call is about to be made. Only what this returns can be run.
    ///
    /// For a tool above `read` the record is durable when this returns. Where the future is dropped before, the call is
    /// written down as not begun.
    pub async fn begin(&self, permit: Permit, facts: IntentFacts, now: Timestamp) -> Result<Recorded<Permit>, AuditError> {
        // The word is compared so that whatever is not exactly `read` waits for the disk.
        let durable = permit.effect().as_str() != "read" || self.always();
        let intent = OpenIntent { principal_id: permit.principal().id().to_string(), tool_name: permit.served().to_string() };
        let (id, wait) = self.shared.append(&facts::intent(&permit, &facts, now), Link::Opens(intent.clone()), durable)?;
        if let Some(wait) = wait {
            let not_begun = NotBegun { shared: &self.shared, id, intent, now };
            wait.reached().await?;
            std::mem::forget(not_begun);
        }
        Ok(Recorded::new(permit, id))
    }

    /// Write down how a call ended. An intent has one outcome.
    pub async fn outcome(&self, intent: EventId, facts: OutcomeFacts, now: Timestamp) -> Result<EventId, AuditError> {
        let of = self.shared.lock().chain.open.get(&intent).cloned();
        // A failed log says so first.
        let draft = match &of {
            Some(of) => facts::outcome(intent, of, &facts, now),
            None => {
                self.shared.lock().usable()?;
                return Err(AuditError::NoSuchIntent(intent));
            }
        };
        self.write(&draft, Link::Ends(intent)).await
    }

    /// Write down that policy denied a call.
    pub async fn denied(&self, denied: &Denied, facts: DeniedFacts, now: Timestamp) -> Result<EventId, AuditError> {
        self.write(&facts::denied(denied, &facts, now), Link::None).await
    }

    /// Write down that a call waits for a person.
    pub async fn deferred(
        &self,
        deferred: &Deferred,
        approval: Option<&ApprovalId>,
        facts: DeniedFacts,
        now: Timestamp,
    ) -> Result<EventId, AuditError> {
        self.write(&facts::deferred(deferred, approval, &facts, now), Link::None).await
    }

    /// Write down that a permitted call is not made after all, and was not begun.
    pub async fn withdrawn(
        &self,
        permit: &Permit,
        facts: CallFacts,
        why: Withdrawal,
        now: Timestamp,
    ) -> Result<EventId, AuditError> {
        self.write(&facts::withdrawn(permit, &facts, &why, now), Link::None).await
    }

    /// Write down that a call was turned away before policy looked at it.
    pub async fn turned_away(
        &self,
        principal: &PrincipalId,
        tool: &str,
        facts: CallFacts,
        why: Withdrawal,
        now: Timestamp,
    ) -> Result<EventId, AuditError> {
        self.write(&facts::turned_away(principal, tool, &facts, &why, now), Link::None).await
    }

    /// Write down something apart from calls.
    pub async fn event(&self, facts: EventFacts, now: Timestamp) -> Result<EventId, AuditError> {
        self.write(&facts::event(&facts, now), Link::None).await
    }

    /// How many records there are.
    pub fn size(&self) -> u64 {
        self.shared.lock().chain.size()
    }

    /// The newest checkpoint that is durable, signed: to be kept elsewhere, for [`crate::verify_against`]. It is what this log
    /// wrote, whatever is in the folder by now.
    pub fn checkpoint(&self) -> Option<String> {
        let newest = self.shared.lock().newest.clone();
        newest.map(|checkpoint| checkpoint.sign(&self.shared.key))
    }

    /// Sign a checkpoint over what is written by now, without waiting for its time. It is durable when this returns.
    pub async fn sign(&self) -> Result<(), AuditError> {
        let signed = {
            let mut state = self.shared.lock();
            state.usable()?;
            if state.signed == state.chain.size() {
                return Ok(());
            }
            let (sender, receiver) = oneshot::channel();
            state.asked.push(sender);
            receiver
        };
        self.shared.work.notify_one();
        match signed.await {
            Ok(()) => Ok(()),
            Err(_) => {
                self.shared.lock().usable()?;
                Err(AuditError::Failed { cause: Arc::from("the thread that signs is gone") })
            }
        }
    }

    /// Why nothing is written any more, if that is so.
    pub fn failure(&self) -> Option<Arc<str>> {
        self.shared.lock().failed.clone()
    }

    /// End the log in good order: calls still under way get an outcome `unknown`, everything is made durable, and a last
    /// checkpoint is signed. Waits for the disk.
    pub fn close(&self, now: Timestamp) -> Result<(), AuditError> {
        let open = self.shared.lock().chain.open.clone();
        for (id, intent) in open {
            let draft = facts::unfinished(id, &intent, Outcome::Unknown, "host-stopped", now);
            match self.end(id, &draft) {
                // Its call ended just now.
                Ok(_) | Err(AuditError::NoSuchIntent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.stop(Stop::Close);
        match self.shared.lock().failed.clone() {
            Some(cause) => Err(AuditError::Failed { cause }),
            None => Ok(()),
        }
    }

    /// Append without waiting for the disk.
    pub(crate) fn write_now(&self, draft: &Draft) -> Result<EventId, AuditError> {
        self.shared.append(draft, Link::None, false).map(|(id, _)| id)
    }

    /// Append the outcome of an intent without waiting for the disk.
    pub(crate) fn end(&self, intent: EventId, draft: &Draft) -> Result<EventId, AuditError> {
        self.shared.append(draft, Link::Ends(intent), false).map(|(id, _)| id)
    }

    async fn write(&self, draft: &Draft, link: Link) -> Result<EventId, AuditError> {
        let (id, wait) = self.shared.append(draft, link, self.always())?;
        if let Some(wait) = wait {
            wait.reached().await?;
        }
        Ok(id)
    }

    fn always(&self) -> bool {
        self.shared.options.sync == Sync::Always
    }

    fn stop(&self, how: Stop) {
        self.shared.lock().stop.get_or_insert(how);
        self.shared.work.notify_one();
        let keeper = self.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if keeper.is_some_and(|keeper| keeper.join().is_err()) {
            self.shared.lock().fail("the thread that syncs it stopped");
        }
        self.shared.lock().lock = None;
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop(Stop::Drop);
    }
}

/// An intent whose caller has not got its proof yet.
struct NotBegun<'a> {
    shared: &'a Shared,
    id: EventId,
    intent: OpenIntent,
    now: Timestamp,
}

impl Drop for NotBegun<'_> {
    /// Where this cannot be written either, the next opening finds the intent unfinished.
    fn drop(&mut self) {
        let draft = facts::unfinished(self.id, &self.intent, Outcome::Error, "not-begun", self.now);
        let _ = self.shared.append(&draft, Link::Ends(self.id), false);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
