//! `casemate inspect`: a page that tells a reviewer everything an installed plugin can ever do.

use casemate_signing::{
    lock::{LockFile, Locked},
    manifest::PluginId,
};

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
    let (id, locked) = named(&lock, &args.name)?;
    let (verified, _) = verified(&store::installed(&context.folders, id, &locked.version), context, environment)?;
    let provenance = provenance(&verified);
    print::result(context.format, || sheet::page(verified.manifest(), &provenance), || serde_json::json!(verified.manifest()));
    Ok(Exit::Done)
}

/// The one installed plugin that a person means by its short name, or publisher/name.
pub(crate) fn named<'a>(lock: &'a LockFile, name: &str) -> Result<(&'a PluginId, &'a Locked), Failure> {
    let mut found = lock.plugins().iter().filter(|(id, _)| id.name.as_str() == name || id.to_string() == name);
    let Some(first) = found.next() else {
        let meant = nearest(name, lock.plugins().keys().map(|id| id.name.as_str()))
            .map_or_else(|| "casemate list shows what is installed".to_owned(), |name| format!("did you mean `{name}`?"));
        return Err(Failure::invalid(format!("no plugin `{name}` is installed\nhelp: {meant}")));
    };
    if found.next().is_some() {
        return Err(Failure::invalid(format!("more than one publisher has a plugin `{name}`\nhelp: name it publisher/name")));
    }
    Ok(first)
}
