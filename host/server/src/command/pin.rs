//! `casemate pin`: a plugin stays at its version.

use super::{Context, print};
use crate::{
    exit::{Exit, Outcome},
    installing::Installing,
};

/// Hold a plugin at the version that is installed: `casemate update` passes it by until it is let go.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its short name, or publisher/name.
    name: String,
    /// Let it go again.
    #[arg(long)]
    off: bool,
}

/// Pin it, or let it go.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let mut installing = Installing::begin(context)?;
    let (id, locked) = installing.named(&args.name)?;
    installing.pin(&id, !args.off)?;
    let state = if args.off { "follows updates again" } else { "is pinned" };
    print::result(
        context.format,
        || format!("{id} {state} (now {})", locked.version),
        || serde_json::json!({ "plugin": id.to_string(), "version": locked.version, "pinned": !args.off }),
    );
    Ok(Exit::Done)
}
