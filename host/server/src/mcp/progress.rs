//! Progress of a running call, on its way to the client that asked for it.
//!
//! Reports are a courtesy: they never slow the call down, and a client that does not read loses some of them.

use std::time::Duration;

use rmcp::{
    Peer, RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
};
use tokio::sync::mpsc;

/// Reports that may wait for a slow client; more are dropped.
const REPORTS_WAITING: usize = 16;

/// How long a finished call waits for its last reports to be written before its answer goes out without them.
const LAST_REPORTS: Duration = Duration::from_millis(250);

/// Where a call reports how far it is. Exists only if the client asked for progress.
#[derive(Debug, Clone)]
pub struct ProgressSink {
    reports: mpsc::Sender<Report>,
}

#[derive(Debug)]
struct Report {
    progress: f64,
    total: Option<f64>,
    message: Option<String>,
}

impl ProgressSink {
    /// Reports `progress` of `total` in any unit, with a text for people. Never waits.
    ///
    /// A report that is not a finite number, or not above the one before, is not sent: the protocol asks for values
    /// that increase. The message reaches the client as it is; check guest text before.
    pub fn report(&self, progress: f64, total: Option<f64>, message: Option<String>) {
        let total = total.filter(|total| total.is_finite());
        // A full channel means that the client does not read; the report is lost and the call goes on.
        let _ = self.reports.try_send(Report { progress, total, message });
    }
}

/// The other end: sends what a [`ProgressSink`] takes in.
pub(super) struct ProgressFeed {
    reports: mpsc::Receiver<Report>,
    peer: Peer<RoleServer>,
    token: ProgressToken,
    highest: f64,
}

/// A sink for the call and the feed that empties it.
pub(super) fn channel(peer: Peer<RoleServer>, token: ProgressToken) -> (ProgressSink, ProgressFeed) {
    let (sender, reports) = mpsc::channel(REPORTS_WAITING);
    (ProgressSink { reports: sender }, ProgressFeed { reports, peer, token, highest: f64::NEG_INFINITY })
}

impl ProgressFeed {
    /// Drives `call` to its end while sending its reports; those already made are sent before its answer.
    pub(super) async fn alongside<T>(mut self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        let output = {
            let mut forward = std::pin::pin!(self.forward());
            tokio::select! {
                biased;
                output = &mut call => output,
                // Every sink is gone: nothing more to send.
                () = &mut forward => call.await,
            }
        };
        self.reports.close();
        let _ = tokio::time::timeout(LAST_REPORTS, self.forward()).await;
        output
    }

    async fn forward(&mut self) {
        while let Some(report) = self.reports.recv().await {
            if !report.progress.is_finite() || report.progress <= self.highest {
                continue;
            }
            self.highest = report.progress;
            let mut params = ProgressNotificationParam::new(self.token.clone(), report.progress);
            params.total = report.total;
            params.message = report.message;
            if self.peer.notify_progress(params).await.is_err() {
                return;
            }
        }
    }
}
