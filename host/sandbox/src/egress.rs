//! Behind the gate: checked requests become connections, and credentials are added where no guest can see them.

mod mcp_sse;
mod postgres;
mod probe;
mod resolve;
mod secrets;
mod sigv4;
mod supplied;
mod tls;
mod token;
mod transport;

pub use probe::Probed;
pub(crate) use secrets::LiveSecrets;
pub use secrets::Secrets;
pub(crate) use supplied::Settings;
pub(crate) use tls::Tls;
pub(crate) use token::Witness;
pub(crate) use transport::{Answer, Leaving, SendError, Upstreams};
pub use transport::{TransportError, UpstreamSettings};
