//! The thread that makes records durable in groups, signs checkpoints and begins new files.

use std::{
    io,
    sync::{Arc, mpsc::Sender},
    time::{Duration, Instant},
};

use crate::{
    Checkpoint, Hash, checkpoint, edge,
    log::{Shared, State, Stop},
    merkle::Tree,
    segment,
    tiler::Batch,
};

/// How long a record waits for others to be synced with it. Half of what is promised: the disk needs the rest.
const GROUP: Duration = Duration::from_millis(25);

/// With nothing written there is nothing to do; a look once in a while costs nothing.
const IDLE: Duration = Duration::from_secs(3600);

/// A file of this length is not continued after the log was closed: reading it again would be felt at the next start.
const CLOSED: u64 = 512 << 10;

/// Work until the log stops or fails.
pub(crate) fn keep(shared: &Shared, tiles: &Sender<Batch>) {
    if let Err(error) = work(shared, tiles) {
        shared.lock().fail(&error.to_string());
    }
}

fn work(shared: &Shared, tiles: &Sender<Batch>) -> io::Result<()> {
    let checkpoints = shared.disk.open_append(&shared.dir, checkpoint::FILE, false)?;
    shared.disk.sync_dir(&shared.dir, ".")?;
    loop {
        let mut state = shared.lock();
        while !is_due(&state, shared) {
            if state.failed.is_some() {
                return Ok(());
            }
            let wait = next_due(&state, shared).unwrap_or(IDLE);
            state = match shared.work.wait_timeout(state, wait) {
                Ok((state, _)) => state,
                Err(_) => return Err(io::Error::other("a thread stopped in the middle of writing")),
            };
        }
        let (file, waiting, stop) = (Arc::clone(&state.file), std::mem::take(&mut state.waiting), state.stop);
        let tree = checkpoint_due(&state, shared).then(|| (state.chain.tree.clone(), std::mem::take(&mut state.untiled)));
        let asked = std::mem::take(&mut state.asked);
        state.unsynced = None;
        shared.meter.sync_begins();
        drop(state);

        if let Err(error) = shared.disk.sync(&file) {
            // What a failed sync leaves on the disk is unknown, and a second one would not say: no retry.
            let mut state = shared.lock();
            state.waiting.extend(waiting);
            state.fail(&error.to_string());
            return Ok(());
        }
        shared.meter.sync_ends();
        for waiting in waiting {
            // Who no longer waits need not know.
            let _ = waiting.send(Ok(()));
        }
        if let Some((tree, hashes)) = tree {
            sign(shared, &checkpoints, tiles, &tree, hashes)?;
        }
        for asked in asked {
            let _ = asked.send(());
        }
        match stop {
            None => begin_segment(shared, shared.options.segment_bytes)?,
            // The next opening has less to read.
            Some(Stop::Close) => return begin_segment(shared, shared.options.segment_bytes.min(CLOSED)),
            Some(Stop::Drop) => return Ok(()),
        }
    }
}

fn is_due(state: &State, shared: &Shared) -> bool {
    let now = Instant::now();
    state.stop.is_some()
        || !state.waiting.is_empty()
        || !state.asked.is_empty()
        || state.unsynced.is_some_and(|since| now >= since + GROUP)
        || checkpoint_due(state, shared)
}

fn checkpoint_due(state: &State, shared: &Shared) -> bool {
    let uncovered = state.chain.size() - state.signed;
    let overdue = || state.unsigned.is_some_and(|since| Instant::now() >= since + uncovered_for(state, shared));
    uncovered > 0
        && match state.stop {
            Some(Stop::Close) => true,
            Some(Stop::Drop) => false,
            None => !state.asked.is_empty() || uncovered >= shared.options.checkpoint_every || overdue(),
        }
}

/// How long records may be without a checkpoint.
fn uncovered_for(state: &State, shared: &Shared) -> Duration {
    if state.has_signed { shared.options.checkpoint_after } else { shared.options.first_checkpoint_after }
}

fn next_due(state: &State, shared: &Shared) -> Option<Duration> {
    let synced = state.unsynced.map(|since| since + GROUP);
    let signed = state.unsigned.map(|since| since + uncovered_for(state, shared));
    let next = [synced, signed].into_iter().flatten().min()?;
    Some(next.saturating_duration_since(Instant::now()))
}

/// Only what is durable is signed for: a checkpoint must never outlive its records.
fn sign(shared: &Shared, checkpoints: &std::fs::File, tiles: &Sender<Batch>, tree: &Tree, hashes: Vec<Hash>) -> io::Result<()> {
    let checkpoint = Checkpoint::of(&shared.origin, tree);
    let note = checkpoint.sign(&shared.key);
    shared.disk.append(checkpoints, note.as_bytes())?;
    shared.disk.sync(checkpoints)?;
    // A thread that is gone has said why.
    let _ = tiles.send(Batch { hashes, checkpoint: checkpoint.clone(), note: note.clone() });
    let mut state = shared.lock();
    (state.signed, state.has_signed) = (tree.size(), true);
    state.newest = Some((checkpoint, note));
    state.unsigned = (state.chain.size() > tree.size()).then(Instant::now);
    Ok(())
}

/// Begin a new file where the current one has that many bytes. Whoever appends meanwhile waits for one sync of a few records.
fn begin_segment(shared: &Shared, bytes: u64) -> io::Result<()> {
    let mut state = shared.lock();
    if state.segment_bytes < bytes || state.failed.is_some() {
        return Ok(());
    }
    // The few records since the last sync: a file that is complete must also be complete on the disk before the next one is.
    shared.meter.sync_begins();
    shared.disk.sync(&state.file)?;
    shared.meter.sync_ends();
    for waiting in state.waiting.drain(..) {
        let _ = waiting.send(Ok(()));
    }
    let chain = state.chain.clone();
    state.file = Arc::new(shared.disk.open_append(&shared.dir, &segment::name(chain.size()), true)?);
    (state.segment_bytes, state.unsynced) = (0, None);
    drop(state);
    // Nothing in the new file counts as durable before this thread syncs it, and its name is by then.
    shared.disk.sync_dir(&shared.dir, ".")?;
    edge::write(&*shared.disk, &shared.dir, &chain, &shared.key)
}
