//! `casemate inspect`: a page that tells a reviewer everything an installed plugin can ever do.

use super::{
    Context, print,
    verify::{provenance, verified},
};
use crate::{
    config::Config,
    exit::{Exit, Outcome},
    house::store,
    installing::{acquire, named},
    sheet,
};

/// Show everything an installed plugin can ever do: every request, every word, every limit.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its short name, or publisher/name.
    name: String,
}

/// Verify what is installed and show its sheet.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let lock = store::lock(&context.folders)?;
    let (id, locked) = named(&lock, &args.name)?;
    let verified = verified(acquire::installed(&store::installed(&context.folders, id, &locked.version))?, context, &config)?;
    let provenance = provenance(&verified);
    let page = || print::fit::to_stdout(&sheet::page(verified.manifest(), &provenance));
    print::result(context.format, page, || serde_json::json!(verified.manifest()));
    Ok(Exit::Done)
}
