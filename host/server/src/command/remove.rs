//! `casemate remove`: a plugin goes.

use super::{Context, print};
use crate::{
    exit::{Exit, Outcome},
    installing::Installing,
};

/// Take a plugin away: its lock entry, what was agreed to, and its files.
///
/// A running server stops serving it within a second. The highest release this host has seen stays known, so that installing it
/// again cannot bring an older release back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its short name, or publisher/name.
    name: String,
}

/// Remove it.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let mut installing = Installing::begin(context)?;
    let (id, locked) = installing.named(&args.name)?;
    let facts = installing.remove(&id)?;
    print::result(context.format, || format!("removed {id} {}", locked.version), || facts);
    if let Some(section) = installing.config.plugins.get(&id.name) {
        print::note(format_args!(
            "{}: the configuration still has a section for `{}`, and a server refuses to start with it\nhelp: remove it, and the grants that name its tools",
            section.place, id.name
        ));
    }
    Ok(Exit::Done)
}
