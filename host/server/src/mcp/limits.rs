//! How much one client may ask for at once.

use std::time::Duration;

/// Calls that may be running or waiting for one client: a stdio session, or a principal on HTTP.
///
/// The sandbox runs fewer at a time and queues the rest; this is where queueing stops being useful.
const CALLS_IN_FLIGHT: usize = 1024;

/// The largest message. A tool takes up to 4 MiB of file content as base64 (5.4 MiB), with room for the rest.
const MESSAGE_BYTES: usize = 8 << 20;

/// Tools on one page of `tools/list`. Many clients never ask for a second page, so a page holds any ordinary list.
const TOOLS_PER_PAGE: usize = 500;

/// How long a person is waited for while a call is made. They are asked elsewhere too, and a connection that says nothing for longer is
/// cut on many ways.
const ANSWER: Duration = Duration::from_secs(5 * 60);

/// How long calls may run on when the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// The bounds of the protocol layer. The defaults suit everyone but tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls in flight for one client; above it a call is answered "busy".
    pub calls_in_flight: usize,
    /// Bytes of one message; a larger one is refused without being kept. On HTTP, the settings of the moment say it.
    pub message_bytes: usize,
    /// Tools on one page of `tools/list`.
    pub tools_per_page: usize,
    /// How long the answer to a question is waited for, in the revisions that ask while a call is made.
    pub answer: Duration,
    /// How long calls may run on when the server is told to stop. On HTTP, the settings of the moment say it.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_in_flight: CALLS_IN_FLIGHT,
            message_bytes: MESSAGE_BYTES,
            tools_per_page: TOOLS_PER_PAGE,
            answer: ANSWER,
            drain: DRAIN,
        }
    }
}
