//! `casemate inspect`: a page that tells a reviewer everything a plugin can ever do.

use std::path::PathBuf;

use serde_json::json;

use super::{Context, lint::packaged, print};
use crate::{
    exit::{Exit, Outcome},
    installed,
    sheet::{self, Provenance, never::never},
};

/// Show everything a plugin can ever do: every request, every word, every limit.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The short name of an installed plugin, or publisher/name.
    #[arg(required_unless_present = "package")]
    name: Option<String>,
    /// A package that is not installed, as casemate pack wrote it. Where it is signed, its signature is verified.
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "name")]
    package: Option<PathBuf>,
    /// Show only what it can never do, as a list in Markdown for the plugin's own page.
    #[arg(long)]
    never: bool,
}

/// Show the sheet of what is installed, or packed, and whole.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let (manifest, provenance) = match (&args.package, &args.name) {
        (Some(file), _) => (packaged(file, context)?, Provenance::default()),
        (None, name) => installed::inspect(context, name.as_deref().unwrap_or_default())?,
    };
    if args.never {
        let list = || never(&manifest).iter().map(|sentence| format!("- {sentence}")).collect::<Vec<_>>().join("\n");
        print::result(context.format, list, || json!({ "never": never(&manifest) }));
    } else {
        let page = || print::fit::to_stdout(&sheet::page(&manifest, &provenance));
        print::result(context.format, page, || json!(manifest));
    }
    Ok(Exit::Done)
}
