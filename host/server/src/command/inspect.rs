//! `casemate inspect`: a page that tells a reviewer everything an installed plugin can ever do.

use casemate_signing::manifest::PluginId;

use super::{
    Context, print,
    verify::{provenance, verified},
};
use crate::{
    config::{Config, nearest},
    exit::{Exit, Failure, Outcome},
    house::store,
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
    let environment = Config::read(&context.folders.config)?.environment;
    let lock = store::lock(&context.folders)?;
    let named = |id: &&PluginId| id.name.as_str() == args.name || id.to_string() == args.name;
    let mut found = lock.plugins().keys().filter(named);
    let Some(id) = found.next() else {
        let meant = nearest(&args.name, lock.plugins().keys().map(|id| id.name.as_str()))
            .map_or_else(|| "casemate list shows what is installed".to_owned(), |name| format!("did you mean `{name}`?"));
        return Err(Failure::invalid(format!("no plugin `{}` is installed\nhelp: {meant}", args.name)));
    };
    if found.next().is_some() {
        return Err(Failure::invalid(format!(
            "more than one publisher has a plugin `{}`\nhelp: name it publisher/name",
            args.name
        )));
    }
    let Some(locked) = lock.plugin(id) else { return Err(Failure::failed("the lock file changed while it was read")) };
    let (verified, _) = verified(&store::installed(&context.folders, id, &locked.version), context, environment)?;
    let provenance = provenance(&verified);
    print::result(context.format, || sheet::page(verified.manifest(), &provenance), || serde_json::json!(verified.manifest()));
    Ok(Exit::Done)
}
