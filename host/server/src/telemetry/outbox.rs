//! What waits to be sent: a bounded line, behind which nobody waits. What finds no room, or does not arrive, is counted and said once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::post::Poster;

/// Parcels that wait; each is of one call, or one line.
const WAITING: usize = 1024;
/// Items that are sent together.
const BATCH: usize = 2048;
/// How long the first of them waits for others.
const LINGER: Duration = Duration::from_secs(1);

/// What the host's log says while telemetry does not reach its collector.
const NOT_EXPORTED: &str = "telemetry-dropped";

/// A kind of telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Spans.
    Traces,
    /// Readings of the instruments.
    Metrics,
    /// The program's own log lines.
    Logs,
}

impl Signal {
    pub(super) const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// As in the URL it is sent to.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// What did not arrive, of one signal.
#[derive(Debug, Clone)]
pub(super) struct Losses {
    signal: Signal,
    count: Arc<AtomicU64>,
    /// Whether it was said, and not yet that it is over.
    said: Arc<AtomicBool>,
}

impl Losses {
    pub(super) fn none(signal: Signal) -> Self {
        Self { signal, count: Arc::default(), said: Arc::default() }
    }

    /// Which signal, and how many items since the start.
    pub(super) fn counted(&self) -> (Signal, u64) {
        (self.signal, self.count.load(Relaxed))
    }

    /// Counted without a word: whoever has no room left must not say so in a line that finds none, either.
    pub(super) fn count(&self, items: usize) {
        self.count.fetch_add(u64::try_from(items).unwrap_or(u64::MAX), Relaxed);
    }

    /// What came of sending some.
    pub(super) fn settle(&self, items: usize, sent: Result<u64, String>) {
        let (lost, fault) = match sent {
            Ok(0) => {
                if self.said.swap(false, Relaxed) {
                    info!(signal = self.signal.as_str(), "telemetry reaches the collector again");
                }
                return;
            }
            // It may say that it refused more than it was sent.
            Ok(refused) => (usize::try_from(refused).unwrap_or(items).min(items), "the collector refused some of it".to_owned()),
            Err(fault) => (items, fault),
        };
        self.count(lost);
        if !self.said.swap(true, Relaxed) {
            warn!(code = NOT_EXPORTED, signal = self.signal.as_str(), %fault, "telemetry did not reach the collector; it is counted, and calls go on");
        }
    }
}

/// Where what is to be sent is put.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    sender: mpsc::Sender<Vec<T>>,
    losses: Losses,
}

/// Where it is taken from.
pub(super) type Inbox<T> = mpsc::Receiver<Vec<T>>;

impl<T> Outbox<T> {
    pub(super) fn new(losses: Losses) -> (Self, Inbox<T>) {
        let (sender, inbox) = mpsc::channel(WAITING);
        (Self { sender, losses }, inbox)
    }

    /// Put it in line, or count it as lost. Never waits.
    pub(super) fn put(&self, parcel: Vec<T>) {
        if let Err(full) = self.sender.try_send(parcel) {
            self.losses.count(full.into_inner().len());
        }
    }
}

/// Send what is put in line, until `ended`; then what is left of it.
pub(super) async fn deliver<T>(
    mut inbox: Inbox<T>,
    poster: Poster,
    losses: Losses,
    wrap: impl Fn(Vec<T>) -> Vec<u8>,
    ended: CancellationToken,
) {
    let signal = losses.signal;
    loop {
        let mut batch = Vec::new();
        let open = !inbox.is_closed();
        let filled = async {
            while batch.len() < BATCH {
                match inbox.recv().await {
                    Some(parcel) => batch.extend(parcel),
                    None => return,
                }
            }
        };
        tokio::select! {
            biased;
            () = ended.cancelled(), if open => inbox.close(),
            () = filled => {}
            () = sleep(LINGER) => {}
        }
        if batch.is_empty() {
            if inbox.is_closed() && inbox.is_empty() {
                return;
            }
            continue;
        }
        let items = batch.len();
        losses.settle(items, poster.post(signal, wrap(batch)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_nobody_waits() {
        let losses = Losses::none(Signal::Traces);
        let (outbox, mut inbox) = Outbox::new(losses.clone());
        (0..WAITING + 3).for_each(|number| outbox.put(vec![number; 2]));
        assert_eq!(losses.counted(), (Signal::Traces, 6));
        inbox.close();
        let mut arrived = 0;
        while inbox.recv().await.is_some() {
            arrived += 1;
        }
        assert_eq!(arrived, WAITING);
        outbox.put(vec![0]);
        assert_eq!(losses.counted().1, 7, "nobody sends it any more");
    }

    #[test]
    fn a_loss_is_counted_however_it_came() {
        let losses = Losses::none(Signal::Logs);
        losses.settle(5, Ok(0));
        losses.settle(5, Ok(2));
        losses.settle(5, Err("gone".to_owned()));
        assert_eq!(losses.counted().1, 7);
        // A collector may say what it likes.
        losses.settle(5, Ok(u64::MAX));
        assert_eq!(losses.counted().1, 12);
    }
}
