//! `casemate audit chain`: what led to a call.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    trail::{self, Look},
};

/// Which chain, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A record, a call or an approval, by its id.
    id: String,
    /// Also as a picture, in this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Show it.
pub(super) fn run(state: &Path, args: &Args, context: &Context) -> Outcome {
    let chain = trail::chain::chain(state, &args.id)?;
    if let Some(file) = &args.svg {
        fs::write(file, trail::svg(&chain, Look::Alone))
            .map_err(|error| Failure::failed(format!("`{}` cannot be written: {error}", file.display())))?;
    }
    print::result(context.format, || trail::tree(&chain), || chain.to_json());
    Ok(Exit::Done)
}
