//! `casemate:plugin/progress`: how far a call has come, for a client that asked.

use tokio::sync::mpsc;
use wasmtime::component::HasData;

use crate::{call::ProgressReport, state::bindings::casemate::plugin::progress::Host};

/// Reports one call may send; the rest are dropped.
const REPORTS: u32 = 256;
/// Bytes of one report's message. A longer one is no message and is left out whole: what is looked for in it may stand where it would be cut.
const MESSAGE: usize = 4096;

/// State of the import: where reports go, if anywhere, and how many went.
pub(crate) struct Progress {
    sink: Option<mpsc::Sender<ProgressReport>>,
    sent: u32,
}

impl Progress {
    pub(crate) fn new(sink: Option<mpsc::Sender<ProgressReport>>) -> Self {
        Self { sink, sent: 0 }
    }
}

impl HasData for Progress {
    type Data<'a> = &'a mut Progress;
}

impl Host for Progress {
    fn report(&mut self, done: u64, total: Option<u64>, message: String) {
        let Some(sink) = self.sink.as_ref().filter(|_| self.sent < REPORTS) else { return };
        self.sent += 1;
        let message = if message.len() > MESSAGE { String::new() } else { message };
        // A full channel means a slow client; a report is not worth waiting for.
        let _ = sink.try_send(ProgressReport { done, total, message });
    }
}
