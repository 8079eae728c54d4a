//! `casemate inspect`: a page that tells a reviewer everything an installed plugin can ever do.

use super::{Context, print};
use crate::{
    exit::{Exit, Outcome},
    installed, sheet,
};

/// Show everything an installed plugin can ever do: every request, every word, every limit.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its short name, or publisher/name.
    name: String,
}

/// Verify what is installed and show its sheet.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let (manifest, provenance) = installed::inspect(context, &args.name)?;
    let page = || print::fit::to_stdout(&sheet::page(&manifest, &provenance));
    print::result(context.format, page, || serde_json::json!(manifest));
    Ok(Exit::Done)
}
