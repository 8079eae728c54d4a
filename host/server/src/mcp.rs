//! Speak the Model Context Protocol, and know nothing of policy.
//!
//! Everything a client says ends up in a question to a [`House`]: which tools, prompts and resources does this principal see, and
//! what happens when it calls, fills in or reads one. Who the principal is was settled before (see [`crate::identity`]); what may happen
//! is settled after, by the house. This module decides neither, and no word a client sends here changes either.
//!
//! Protocol revisions served, on both transports: 2026-07-28 (stateless requests, `server/discover`) and the
//! `initialize` revisions 2025-11-25 and 2025-06-18. `rmcp` implements the revisions. What it leaves open is closed
//! here, each with a test of its own in `tests`:
//!
//! | gap | closed in |
//! |---|---|
//! | bytes that are no JSON get no answer on stdio, and 415 on HTTP | `decode`, `lines`, `http` |
//! | a message over the size limit gets no answer | `lines`, `http` |
//! | a known method with wrong params is "method not found", or taken without them | `decode`, `handler` |
//! | a handler that panics never answers | `handler` |
//! | two requests in flight with one id share one answer | `in_flight` |
//! | calls in flight are not bounded | `in_flight`, `handler` |
//! | streams of changes are not bounded | `changes`, `handler` |
//! | calls outlive the client that asked for them | `lines`, `http::sessions` |
//! | a notification before `initialize` ends a stdio session | `stdio` |
//! | sockets as standard streams cost a thread's hand-over for every read and write | `stdio::socket` |
//! | a session id works for whoever knows it | `http` |

mod asking;
mod changes;
mod completion;
mod decode;
mod handler;
mod house;
pub mod http;
mod in_flight;
mod limits;
mod lines;
mod logging;
mod offers;
mod page;
mod progress;
mod prompts;
mod resources;
mod revision;
mod shutdown;
mod stdio;
mod tasks;
#[cfg(test)]
#[expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests;
mod trace;
mod wire;

pub use asking::FORGED;
pub use house::{Annotations, Answer, CallRequest, Content, House, Icon, LogLine, Question, Reply, Said, ToolListing, Weight};
pub use limits::Limits;
pub use offers::{Body, Completing, Contents, PromptArgumentListing, PromptListing, PromptText, ResourceListing, Unserved};
pub use progress::ProgressSink;
pub use revision::Revision;
pub use shutdown::Shutdown;
pub(crate) use shutdown::{LAST_CALLS, UnderWay};
#[cfg(any(test, fuzzing))]
pub(crate) use stdio::serve_streams;
pub use stdio::{StdioError, serve_stdio};

/// What is understood of one message.
#[cfg(any(test, fuzzing))]
pub(crate) fn understood(bytes: &[u8]) -> Option<rmcp::model::ClientJsonRpcMessage> {
    decode::decode(bytes).ok()
}
