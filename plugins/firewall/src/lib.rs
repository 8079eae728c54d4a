//! Firewall: blocks of public addresses for minutes, by way of CrowdSec, which tells bouncers, which change firewalls.
//!
//! The tools are glue; each module holds one change, or what is needed for it. A yes of CrowdSec's is no block: what is in force is read
//! again after every change, from where bouncers read it, and that is what is told.

mod api;
mod blocks;
mod creation;
mod field;
mod removal;
mod rules;

use casemate_plugin::{Context, Failure, plugin, tool};

/// Block a public address at the firewall for 1 to 240 minutes, for a reason that people will read. What is in force is read back. A
/// bouncer blocks it when it next asks CrowdSec, which is seconds later. To end it sooner, call remove_firewall_block.
#[tool(effect = destructive, title = "Block an address")]
pub fn create_firewall_block(args: creation::Arguments, cx: &Context) -> Result<creation::Report, Failure> {
    creation::create(args, cx)
}

/// List the blocks that create_firewall_block made and that are in force, with their reasons and the seconds that are left. Blocks
/// that somebody else made are not shown.
#[tool(effect = read, idempotent, title = "Blocked addresses")]
pub fn list_firewall_blocks(args: blocks::Arguments, cx: &Context) -> Result<blocks::Report, Failure> {
    blocks::report(args, cx)
}

/// Lift a block that create_firewall_block made, by its address. Blocks that somebody else made stay.
#[tool(effect = write, idempotent, title = "Lift a block")]
pub fn remove_firewall_block(args: removal::Arguments, cx: &Context) -> Result<removal::Report, Failure> {
    removal::remove(args, cx)
}

plugin!(create_firewall_block, list_firewall_blocks, remove_firewall_block);
