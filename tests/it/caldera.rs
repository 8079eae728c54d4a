//! Caldera's plugin as it is packed, through a real MCP client, against a Caldera that does what the original does, and worse.

mod approved;
mod arguments;
mod changes;
mod hostile;
pub(crate) mod range;
mod reads;
mod recorded;
mod unknown;
