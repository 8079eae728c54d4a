//! How much was written, and how old the oldest record is that is not on disk yet: to be read without the lock that records wait for.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// How a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Records that were written since the log was opened.
    pub records: u64,
    /// How long the oldest record has waited for the disk, if one does.
    pub lag: Option<Duration>,
}

/// Written under the lock of the log and by its keeper, read by anybody.
#[derive(Debug)]
pub(crate) struct Meter {
    began: Instant,
    records: AtomicU64,
    /// When the first record was written that no sync has begun for; as a [`Meter::moment`].
    waiting: AtomicU64,
    /// The same for the sync that is under way.
    syncing: AtomicU64,
}

/// No moment.
const NEVER: u64 = 0;

impl Meter {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), records: AtomicU64::new(0), waiting: NEVER.into(), syncing: NEVER.into() }
    }

    /// A record was written.
    pub(crate) fn written(&self) {
        self.records.fetch_add(1, Relaxed);
        if self.waiting.load(Relaxed) == NEVER {
            self.waiting.store(self.moment(), Relaxed);
        }
    }

    /// What is written by now is being synced.
    pub(crate) fn sync_begins(&self) {
        let oldest = self.waiting.swap(NEVER, Relaxed);
        self.syncing.store(oldest, Relaxed);
    }

    /// What was being synced is on disk.
    pub(crate) fn sync_ends(&self) {
        self.syncing.store(NEVER, Relaxed);
    }

    pub(crate) fn standing(&self) -> Standing {
        let moments = [self.syncing.load(Relaxed), self.waiting.load(Relaxed)];
        let oldest = moments.into_iter().filter(|moment| *moment != NEVER).min();
        let lag = oldest.map(|moment| Duration::from_micros(self.moment().saturating_sub(moment)));
        Standing { records: self.records.load(Relaxed), lag }
    }

    /// Microseconds since the log was opened, from 1 on.
    fn moment(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_lags_until_the_sync_that_began_after_it_has_ended() {
        let meter = Meter::new();
        assert_eq!(meter.standing(), Standing { records: 0, lag: None });
        meter.written();
        meter.sync_begins();
        assert!(meter.standing().lag.is_some(), "a sync that has begun is none that has ended");
        meter.written();
        meter.sync_ends();
        assert!(meter.standing().lag.is_some(), "the second record waits for the next sync");
        meter.sync_begins();
        meter.sync_ends();
        assert_eq!(meter.standing(), Standing { records: 2, lag: None });
    }
}
