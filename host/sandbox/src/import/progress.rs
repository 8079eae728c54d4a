//! `casemate:plugin/progress`: how far a call has come, for a client that asked.

use std::sync::Arc;

use tokio::sync::mpsc;
use wasmtime::component::HasData;

use crate::{call::ProgressReport, egress::Upstreams, state::bindings::casemate::plugin::progress::Host};

/// Reports one call may send; the rest are dropped.
const REPORTS: u32 = 256;
/// Bytes of one report's message.
const MESSAGE: usize = 256;

/// State of the import: where reports go, if anywhere, whose secrets are taken out of them, and how many went.
pub(crate) struct Progress {
    sink: Option<mpsc::Sender<ProgressReport>>,
    plugin: Option<Arc<Upstreams>>,
    sent: u32,
}

impl Progress {
    pub(crate) fn new(sink: Option<mpsc::Sender<ProgressReport>>, plugin: Option<Arc<Upstreams>>) -> Self {
        Self { sink, plugin, sent: 0 }
    }
}

impl HasData for Progress {
    type Data<'a> = &'a mut Progress;
}

impl Host for Progress {
    fn report(&mut self, done: u64, total: Option<u64>, message: String) {
        let Some(sink) = self.sink.as_ref().filter(|_| self.sent < REPORTS) else { return };
        self.sent += 1;
        // Whole first, then cut: half a secret is one still.
        let clean = self.plugin.as_ref().map(|plugin| plugin.redactor().redact(&message).0.into_owned());
        let message = clean.unwrap_or(message);
        let message = message.get(..message.floor_char_boundary(MESSAGE)).unwrap_or_default().to_owned();
        // A full channel means a slow client; a report is not worth waiting for.
        let _ = sink.try_send(ProgressReport { done, total, message });
    }
}
