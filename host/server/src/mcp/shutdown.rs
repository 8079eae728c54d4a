//! How a server is told to stop: first to finish what it has begun, then at once.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long cancelled calls have to end. A call that takes longer is left behind: its intent is already in the audit log, without an
/// outcome.
pub(crate) const LAST_CALLS: Duration = Duration::from_secs(3);

/// A request to stop, in two steps. Clones are the same request.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    asked: CancellationToken,
    hurried: CancellationToken,
}

impl Shutdown {
    /// Nothing new is begun; what runs may run on for as long as the transport lets it.
    pub fn ask(&self) {
        self.asked.cancel();
    }

    /// What runs is cancelled now.
    pub fn hurry(&self) {
        self.asked.cancel();
        self.hurried.cancel();
    }

    /// Cancelled from the first step on.
    #[must_use]
    pub fn asked(&self) -> &CancellationToken {
        &self.asked
    }

    /// Resolves when what runs shall be cancelled: `drain` after the first step, or with the second.
    pub(super) async fn over(&self, drain: Duration) {
        self.asked.cancelled().await;
        // A second word may come during the drain.
        let _ = tokio::time::timeout(drain, self.hurried.cancelled()).await;
    }
}

/// What is under way, counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(watch::Sender<usize>);

/// One thing that is under way as long as this lives.
#[derive(Debug)]
pub(crate) struct Begun(watch::Sender<usize>);

impl UnderWay {
    /// One more.
    pub(crate) fn begin(&self) -> Begun {
        self.0.send_modify(|count| *count += 1);
        Begun(self.0.clone())
    }

    /// Resolves when nothing is under way.
    pub(crate) async fn none(&self) {
        // The sender is in `self`: waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
