//! The log: everything is appended through [`Log`], one record after the other, and never changed.
//!
//! A record is written (write(2)) under one lock before its method returns. A second thread makes records durable in
//! groups and signs checkpoints; who needs durability waits for it. The first failure of either ends the log: nothing is
//! written to it any more, and every method says so.

use std::{
    collections::BTreeSet,
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
    CallFacts, Checkpoint, DeniedFacts, EventFacts, EventId, ExchangeDetails, Hash, IntentFacts, KeptDetails, Keys, OpenIntent,
    Outcome, OutcomeFacts, Recorded, Withdrawal,
    chain::Chain,
    checkpoint,
    clock::Clock,
    details,
    disk::Disk,
    facts,
    id::IdSource,
    keeper, keys,
    meter::{Meter, Standing},
    prune::{self, PruneError, Removal},
    record::Draft,
    tiler,
    tlog::Tlog,
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
    /// But none for longer than this before an opening has signed its first: a log without a checkpoint vouches for nothing, and what
    /// a crash left without one has waited long enough.
    pub first_checkpoint_after: Duration,
    /// A new file is begun after this many bytes; also what the next opening reads again.
    pub segment_bytes: u64,
    /// What happens once the log cannot be written.
    pub on_failure: OnFailure,
    /// What tells the log from others that begin with the same key: lower-case letters, digits and `-`, or nothing.
    pub name: String,
}

impl Options {
    /// What a log that begins with this key calls itself.
    pub(crate) fn origin(&self, keys: &Keys) -> String {
        let own = keys.all().next().map(checkpoint::origin).unwrap_or_default();
        if self.name.is_empty() { own } else { format!("{own}/{}", self.name) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: Sync::Group,
            checkpoint_every: 1024,
            checkpoint_after: Duration::from_secs(60),
            first_checkpoint_after: Duration::ZERO,
            segment_bytes: 4 << 20,
            on_failure: OnFailure::Deny,
            name: String::new(),
        }
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

/// What happens once the log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing is called any more.
    Deny,
    /// Tools that only read are; [`Recorded::is_written`] says that nobody wrote it down.
    ReadOnly,
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
    /// The thread that syncs and signs, then the one that writes tiles.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the log and its keeper share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) work: Condvar,
    pub(crate) disk: Box<dyn Disk>,
    pub(crate) dir: Dir,
    pub(crate) key: SigningKey,
    /// What the log calls itself in its checkpoints.
    pub(crate) origin: String,
    pub(crate) options: Options,
    pub(crate) meter: Meter,
}

/// What changes with every record.
pub(crate) struct State {
    pub(crate) chain: Chain,
    pub(crate) ids: IdSource,
    pub(crate) file: Arc<File>,
    pub(crate) segment_bytes: u64,
    line: Vec<u8>,
    clock: Clock,
    /// Hashes of records that no tile has yet.
    pub(crate) untiled: Vec<Hash>,
    /// Calls that are made though nothing can be written.
    unwritten: BTreeSet<EventId>,
    /// Who waits for what is written by now to be durable.
    pub(crate) waiting: Vec<oneshot::Sender<Result<(), Arc<str>>>>,
    /// Who waits for what is written by now to be under a checkpoint.
    pub(crate) asked: Vec<oneshot::Sender<()>>,
    /// Since when something is written and not durable.
    pub(crate) unsynced: Option<Instant>,
    /// How many records the last checkpoint covers.
    pub(crate) signed: u64,
    /// Whether one was signed since the log was opened.
    pub(crate) has_signed: bool,
    /// The last checkpoint and its note, once it is durable.
    pub(crate) newest: Option<(Checkpoint, String)>,
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
    /// It is the last: nothing is written after it.
    Closes,
}

impl State {
    pub(crate) fn new(
        lock: File,
        chain: Chain,
        tag: u64,
        (file, segment_bytes): (File, u64),
        (newest, untiled): (Option<(Checkpoint, String)>, Vec<Hash>),
    ) -> Self {
        let signed = newest.as_ref().map_or(0, |(checkpoint, _)| checkpoint.size);
        Self {
            ids: IdSource::after(chain.last_id, tag),
            clock: Clock::after(chain.last_id),
            untiled,
            unwritten: BTreeSet::new(),
            unsigned: (chain.size() > signed).then(Instant::now),
            chain,
            file: Arc::new(file),
            segment_bytes,
            line: Vec::new(),
            waiting: Vec::new(),
            asked: Vec::new(),
            unsynced: None,
            signed,
            has_signed: false,
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
        self.sound()?;
        match self.stop {
            Some(_) => Err(AuditError::Closed),
            None => Ok(()),
        }
    }

    fn sound(&self) -> Result<(), AuditError> {
        match &self.failed {
            Some(cause) => Err(AuditError::Failed { cause: Arc::clone(cause) }),
            None => Ok(()),
        }
    }
}

impl Shared {
    pub(crate) fn new(
        state: State,
        disk: Box<dyn Disk>,
        dir: Dir,
        (key, origin): (SigningKey, String),
        options: Options,
    ) -> Self {
        Self { state: Mutex::new(state), work: Condvar::new(), disk, dir, key, origin, options, meter: Meter::new() }
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
        if let Some(from) = state.clock.went_back(draft.now) {
            self.put(state, &facts::clock_went_back(from, draft.now))?;
        }
        let id = self.put(state, draft)?;
        match link {
            Link::None => {}
            Link::Opens(intent) => drop(state.chain.open.insert(id, intent)),
            Link::Ends(intent) => drop(state.chain.open.remove(&intent)),
            Link::Closes => state.stop = Some(Stop::Close),
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

    /// Write one record.
    fn put(&self, state: &mut State, draft: &Draft) -> Result<EventId, AuditError> {
        let id = state.ids.next(draft.now);
        let hash = draft.seal(id, &state.chain.last, &mut state.line);
        if let Err(error) = self.disk.append(&state.file, &state.line) {
            state.fail(&error.to_string());
            self.work.notify_one();
            return Err(AuditError::Failed { cause: Arc::from(error.to_string()) });
        }
        self.meter.written();
        state.chain.advance(id, hash);
        state.untiled.push(hash);
        state.segment_bytes += state.line.len() as u64;
        Ok(id)
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
    pub(crate) fn start(shared: Arc<Shared>, tlog: Tlog) -> std::io::Result<Self> {
        let (tiles, tiler) = tiler::start(Arc::clone(&shared), tlog)?;
        let kept = Arc::clone(&shared);
        let keeper = std::thread::Builder::new().name("audit".to_owned()).spawn(move || keeper::keep(&kept, &tiles))?;
        Ok(Self { shared, threads: Mutex::new(vec![keeper, tiler]) })
    }

    /// Write down that a call is about to be made. Only what this returns can be run.
    ///
    /// For a tool above `read` the record is durable when this returns. Where the future is dropped before, the call is
    /// written down as not begun.
    pub async fn begin(&self, permit: Permit, facts: IntentFacts, now: Timestamp) -> Result<Recorded<Permit>, AuditError> {
        match self.intend(&permit, &facts, now).await {
            Ok(id) => Ok(Recorded::new(permit, id)),
            // The words are compared so that whatever is not exactly `read` is not called.
            Err(AuditError::Failed { .. })
                if self.shared.options.on_failure == OnFailure::ReadOnly && permit.effect().as_str() == "read" =>
            {
                let mut state = self.shared.lock();
                let id = state.ids.next(now);
                state.unwritten.insert(id);
                Ok(Recorded::unwritten(permit, id))
            }
            Err(error) => Err(error),
        }
    }

    async fn intend(&self, permit: &Permit, facts: &IntentFacts, now: Timestamp) -> Result<EventId, AuditError> {
        // The word is compared so that whatever is not exactly `read` waits for the disk.
        let durable = permit.effect().as_str() != "read" || self.always();
        let intent = OpenIntent { principal_id: permit.principal().id().to_string(), tool_name: permit.served().to_string() };
        let (id, wait) = self.shared.append(&facts::intent(permit, facts, now), Link::Opens(intent.clone()), durable)?;
        if let Some(wait) = wait {
            let not_begun = NotBegun { shared: &self.shared, id, intent, now };
            wait.reached().await?;
            std::mem::forget(not_begun);
        }
        Ok(id)
    }

    /// Keep what a call has sent and got, without secrets. It is on disk when this returns, for the outcome to name. `omitted`
    /// are bytes of bodies that are not among them any more. Waits for the disk.
    pub fn keep(&self, intent: EventId, exchanges: &[ExchangeDetails], omitted: u64) -> Result<KeptDetails, AuditError> {
        {
            let state = self.shared.lock();
            state.usable()?;
            if !state.chain.open.contains_key(&intent) {
                return Err(AuditError::NoSuchIntent(intent));
            }
        }
        details::write(&*self.shared.disk, &self.shared.dir, intent, (exchanges, omitted)).map_err(|error| self.failed(&error))
    }

    /// Write down how a call ended. An intent has one outcome.
    pub async fn outcome(&self, intent: EventId, facts: OutcomeFacts, now: Timestamp) -> Result<EventId, AuditError> {
        let of = {
            let mut state = self.shared.lock();
            if state.unwritten.remove(&intent) {
                return Ok(intent);
            }
            state.chain.open.get(&intent).cloned()
        };
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

    /// How the log stands. It takes no lock, so no record waits for whoever asks.
    pub fn standing(&self) -> Standing {
        self.shared.meter.standing()
    }

    /// The newest checkpoint that is durable, signed: to be kept elsewhere, for [`crate::verify_against`]. It is what this log
    /// wrote, whatever is in the folder by now.
    pub fn checkpoint(&self) -> Option<String> {
        self.shared.lock().newest.as_ref().map(|(_, note)| note.clone())
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
        self.end_open(now)?;
        self.halt(Stop::Close);
        self.release();
        self.shared.lock().sound()
    }

    /// Hand the log over to another key and end it: the last record under this key names the next, the last checkpoint covers
    /// it, and both keys sign that one follows the other. Open the log again with the next. Waits for the disk.
    pub fn hand_over(&self, next: &SigningKey, by: &str, now: Timestamp) -> Result<(), AuditError> {
        self.end_open(now)?;
        let Shared { disk, dir, key, origin, .. } = &*self.shared;
        let draft = facts::handed_over(by, &key.verifying_key(), &next.verifying_key(), now);
        self.shared.append(&draft, Link::Closes, false)?;
        self.halt(Stop::Close);
        let size = {
            let state = self.shared.lock();
            state.sound()?;
            state.chain.size()
        };
        // Not before the checkpoint over the record is durable: whoever follows the keys finds it.
        let note = keys::handover(origin, size, key, next);
        let written = disk.open_append(dir, keys::FILE, false).and_then(|file| {
            disk.append(&file, note.as_bytes())?;
            disk.sync(&file)?;
            disk.sync_dir(dir, ".")
        });
        let written = written.map_err(|error| self.failed(&error));
        self.release();
        written
    }

    /// Remove whole files with nothing in them younger than `older_than`. Their hashes stay, and so does a signed record of
    /// what was removed, and by whom: it is written first. Waits for the disk.
    pub async fn prune(&self, older_than: Timestamp, by: &str, now: Timestamp) -> Result<Removal, PruneError> {
        let Shared { disk, dir, key, .. } = &*self.shared;
        let keys = Keys::read(dir, &key.verifying_key())?.map_err(crate::Failure::Keys)?;
        let open: Vec<EventId> = self.shared.lock().chain.open.keys().copied().collect();
        let removal = prune::plan(dir, &keys, &open, older_than)?;
        self.write(&facts::pruned(by, &removal, now), Link::None).await?;
        self.sign().await?;
        prune::remove(&**disk, dir, &removal)?;
        Ok(removal)
    }

    /// What the log calls itself in its checkpoints.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    fn end_open(&self, now: Timestamp) -> Result<(), AuditError> {
        let open = self.shared.lock().chain.open.clone();
        for (id, intent) in open {
            let draft = facts::unfinished(id, &intent, (Outcome::Unknown, "host-stopped"), None, now);
            match self.end(id, &draft) {
                // Its call ended just now.
                Ok(_) | Err(AuditError::NoSuchIntent(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.shared.dir
    }

    /// Something beside the records could not be written: they are no longer written either.
    pub(crate) fn failed(&self, error: &std::io::Error) -> AuditError {
        let mut state = self.shared.lock();
        state.fail(&error.to_string());
        self.shared.work.notify_one();
        AuditError::Failed { cause: Arc::from(error.to_string()) }
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

    /// Nothing is written any more, and the threads come to their end.
    fn halt(&self, how: Stop) {
        self.shared.lock().stop.get_or_insert(how);
        self.shared.work.notify_one();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                self.shared.lock().fail("the thread that syncs it stopped");
            }
        }
    }

    /// Another may open the log.
    fn release(&self) {
        self.shared.lock().lock = None;
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.halt(Stop::Drop);
        self.release();
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
        let draft = facts::unfinished(self.id, &self.intent, (Outcome::Error, "not-begun"), None, self.now);
        let _ = self.shared.append(&draft, Link::Ends(self.id), false);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
