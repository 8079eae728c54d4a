//! Behind the gate: checked requests become connections, and credentials are added where no guest can see them.

mod resolve;
mod secrets;
mod transport;

pub use secrets::Secrets;
pub(crate) use transport::{Answer, SendError, Upstreams};
pub use transport::{TransportError, UpstreamSettings};
