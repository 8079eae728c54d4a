//! Stratus Red Team: its catalogue of attack techniques in the cloud, and five of them against an AWS account of one's own.
//!
//! The tools are glue. [`catalogue`] is data; [`trail`], [`user`] and [`bucket`] hold one kind of prey each, with the techniques against it;
//! [`stage`] is what happens before any of them: whose keys these are, and whether that is where it was granted. There is nothing to keep
//! state in, so state is what AWS says it is.

mod aws;
mod bucket;
mod catalogue;
mod field;
mod stage;
mod technique;
mod trail;
mod user;
mod xml;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List Stratus Red Team's attack techniques: id, name, platform and tactics, whether one is slow or can be detonated only once, and
/// whether it can be carried out here. By platform and tactic where they are given.
#[tool(effect = read, idempotent, title = "Stratus techniques")]
pub fn list_techniques(args: catalogue::Arguments, _cx: &Context) -> Result<catalogue::Listing, Failure> {
    catalogue::list(&args)
}

/// Show one technique: what it is, and, where it can be carried out here, what warming up, detonating, reverting and cleaning up do.
#[tool(effect = read, idempotent, title = "Stratus technique")]
pub fn show_technique(args: catalogue::ShowArguments, _cx: &Context) -> Result<catalogue::Shown, Failure> {
    catalogue::show(&args)
}

/// Say whether a technique is cold, warm or detonated in an account and region, as AWS itself shows it now.
#[tool(effect = read, idempotent, title = "Status of a Stratus technique")]
pub fn status(args: stage::Arguments, cx: &Context) -> Result<stage::Report, Failure> {
    stage::status(args, cx)
}

/// Create what a technique needs, marked as Stratus Red Team's, in an account and region of your own. Nothing is attacked.
#[tool(effect = write, idempotent, title = "Warm up a Stratus technique")]
pub fn warm_up(args: stage::Arguments, cx: &Context) -> Result<stage::Report, Failure> {
    stage::warm_up(args, cx)
}

/// Carry out a technique's attack, against what warming up created and nothing else. One that cannot be repeated is refused while it is
/// detonated. Secrets that AWS hands out on the way are dropped.
#[tool(effect = destructive, title = "Detonate a Stratus technique")]
pub fn detonate(args: stage::Arguments, cx: &Context) -> Result<stage::Report, Failure> {
    stage::detonate(args, cx)
}

/// Undo what detonating a technique did, so that it is as it was before. Only what carries Stratus Red Team's mark is touched.
#[tool(effect = destructive, idempotent, title = "Revert a Stratus technique")]
pub fn revert(args: stage::Arguments, cx: &Context) -> Result<stage::Report, Failure> {
    stage::revert(args, cx)
}

/// Remove what warming a technique up created. A detonated one has to be reverted first.
#[tool(effect = destructive, idempotent, title = "Clean up a Stratus technique")]
pub fn clean_up(args: stage::Arguments, cx: &Context) -> Result<stage::Report, Failure> {
    stage::clean_up(args, cx)
}

plugin!(list_techniques, show_technique, status, warm_up, detonate, revert, clean_up);
