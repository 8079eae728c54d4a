//! Reading ahead: while one thread follows the chain, others read the next lines and look at each alone.
//!
//! What one line says of itself, its hash and its form, depends on no other line. It is most of the work. No more than a few batches are
//! under way, so that a log of any length takes the same memory.

use std::{
    io,
    num::NonZero,
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

use crate::{
    Damage, Failure, Place, Torn,
    canonical::is_canonical,
    record::{self, Checked},
    segment::{Found, Lines},
};

/// Bytes of a batch: a few hundred records.
const BATCH: usize = 256 << 10;

/// More threads than this do not help the one that follows the chain.
const MOST: usize = 8;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Hashes, links and checkpoints.
    Chain,
    /// Also that every line is written the one way, so that no reader can see anything else in it.
    Canonical,
}

/// A line, looked at alone, or what is there instead of one.
#[derive(Debug)]
pub(super) enum Seen {
    Record(Place, Checked),
    Damaged(Place, Damage),
    Torn(Torn),
    Gap { expected: u64, found: String },
}

/// What is done with each, until it is enough.
type Step<'f> = &'f mut dyn FnMut(Seen) -> Result<ControlFlow<()>, Failure>;

/// Look at every line, in order.
pub(super) fn each(mut lines: Lines<'_>, depth: Depth, step: Step<'_>) -> Result<(), Failure> {
    // A short log is not worth a thread.
    let first = Batch::read(&mut lines);
    let last = first.last;
    if first.look(depth).pass(step)?.is_break() || last {
        return Ok(());
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
    // Answers are waited for in the order of the lines, whichever is ready first.
    let (ask, asked) = sync_channel::<(Batch, Sender<Looked>)>(threads);
    let (queue, answers) = sync_channel::<Receiver<Looked>>(2 * threads);
    let asked = Mutex::new(asked);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| look_at(&asked, depth));
        }
        scope.spawn(move || read(&mut lines, &ask, &queue));
        let answers = answers;
        for answer in &answers {
            let looked = answer.recv().map_err(|_| io::Error::other("a thread that reads the log stopped"))?;
            if looked.pass(step)?.is_break() {
                break;
            }
        }
        // Who still reads finds that nobody waits for it.
        Ok(())
    })
}

/// Read batches, until the end or until nobody waits for them.
fn read(lines: &mut Lines<'_>, ask: &SyncSender<(Batch, Sender<Looked>)>, queue: &SyncSender<Receiver<Looked>>) {
    loop {
        let batch = Batch::read(lines);
        let last = batch.last;
        let (answer, answers) = channel();
        if queue.send(answers).is_err() || ask.send((batch, answer)).is_err() || last {
            return;
        }
    }
}

/// Look at batches as they come.
fn look_at(asked: &Mutex<Receiver<(Batch, Sender<Looked>)>>, depth: Depth) {
    loop {
        let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((batch, answer)) = next else { return };
        // Who no longer waits need not know.
        let _ = answer.send(batch.look(depth));
    }
}

/// Some lines.
struct Batch {
    bytes: Vec<u8>,
    /// What was found, and where its line ends in `bytes`.
    found: Vec<(Found, usize)>,
    failed: Option<io::Error>,
    /// Whether nothing comes after it.
    last: bool,
}

impl Batch {
    fn read(lines: &mut Lines<'_>) -> Self {
        let mut batch = Self { bytes: Vec::with_capacity(BATCH + BATCH / 8), found: Vec::new(), failed: None, last: false };
        let mut line = Vec::new();
        while batch.bytes.len() < BATCH && !batch.last {
            match lines.next(&mut line) {
                Ok(Some(found)) => {
                    // Nothing that follows is read as a line any more.
                    batch.last = matches!(found, Found::Torn(_) | Found::Gap { .. });
                    batch.bytes.extend_from_slice(&line);
                    batch.found.push((found, batch.bytes.len()));
                }
                Ok(None) => batch.last = true,
                Err(error) => (batch.failed, batch.last) = (Some(error), true),
            }
        }
        batch
    }

    /// Look at each line alone.
    fn look(self, depth: Depth) -> Looked {
        let (mut seen, mut start) = (Vec::with_capacity(self.found.len()), 0);
        for (found, end) in self.found {
            let line = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            seen.push(match found {
                Found::Line(place) => match record::check(line) {
                    Ok(_) if depth == Depth::Canonical && !is_canonical(line) => Seen::Damaged(place, Damage::NotCanonical),
                    Ok(record) => Seen::Record(place, record),
                    Err(damage) => Seen::Damaged(place, damage),
                },
                Found::Broken(place, damage) => Seen::Damaged(place, damage),
                Found::Torn(torn) => Seen::Torn(torn),
                Found::Gap { expected, found } => Seen::Gap { expected, found },
            });
        }
        Looked { seen, failed: self.failed }
    }
}

/// The same, looked at.
struct Looked {
    seen: Vec<Seen>,
    failed: Option<io::Error>,
}

impl Looked {
    /// Pass them on, in order.
    fn pass(self, step: Step<'_>) -> Result<ControlFlow<()>, Failure> {
        for seen in self.seen {
            if step(seen)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.failed.map_or(Ok(ControlFlow::Continue(())), |error| Err(error.into()))
    }
}
