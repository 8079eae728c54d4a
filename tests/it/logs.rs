//! The plugin that searches logs as it is packed, through a real MCP client, over files that grow, rotate, lie and are not there.

mod desk;
mod hostile;
mod offered;
mod searches;
