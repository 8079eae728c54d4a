//! `casemate sbom`: what a plugin is made of.

use std::path::Path;

use auditable_serde::{DependencyKind, Package};
use casemate_policy::text::visible;
use casemate_sandbox::{Examined, examine};

use super::{Context, print, verify::verified};
use crate::{
    config::Config,
    cyclonedx,
    exit::{Exit, Failure, Outcome},
    house::{Shelf, pending, store},
    installing::{acquire, named},
};

/// Show what a plugin is made of: every crate its publisher listed in it, and signed.
///
/// A file is verified first, as `casemate install` does, and nothing of it is compiled, run or kept. With --format json the list is a
/// CycloneDX 1.6 document.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An installed plugin's short name or publisher/name; or a signed component, FILE.wasm.
    #[arg(value_name = "NAME|FILE")]
    plugin: String,
}

/// Verify, read, show.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let path = Path::new(&args.plugin);
    // No plugin's name has a dot in it.
    let examined = if path.extension().is_some_and(|extension| extension == "wasm") {
        file(path, context, &config)?
    } else {
        let keys = store::keys(&context.folders.state(config.environment))?;
        let shelf = Shelf::open(&context.folders, config.environment, &keys)?;
        let (id, locked) = named(&shelf.lock, &args.plugin)?;
        examine(shelf.loadable(id, locked)?).map_err(Failure::denied)?
    };
    let manifest = examined.manifest();
    let Some(dependencies) = examined.dependencies() else {
        return Err(Failure::failed(format!(
            "`{}` does not list what it is made of\nhelp: ask the publisher to pack it from its source",
            examined.id()
        )));
    };
    print::result(context.format, || table(dependencies.packages()), || cyclonedx::document(manifest, dependencies));
    Ok(Exit::Done)
}

/// A package that is not installed, looked at as far as installing it would before anybody is asked: a trusted publisher signed it for here,
/// and it is no older than what was. The lock and the marks that say so are this function's own, and gone at its end.
fn file(path: &Path, context: &Context, config: &Config) -> Result<Examined, Failure> {
    let package = verified(acquire::from_file(path)?, context, config)?;
    let keys = store::keys(&context.folders.state(config.environment))?;
    let (mut lock, mut highwater) = pending::installed(&context.folders, config.environment, &keys)?;
    highwater.accept(&package).map_err(Failure::denied)?;
    lock.insert(package.id().clone(), package.locked(path.display().to_string()));
    let approved = package.approve(&lock, &highwater).map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
    examine(approved.loadable()).map_err(Failure::denied)
}

fn table(packages: &[Package]) -> String {
    let mut rows = vec![["CRATE", "VERSION", "SOURCE", "FOR"].map(str::to_owned).to_vec()];
    rows.extend(packages.iter().map(|package| {
        let role = match package.kind {
            _ if package.root => "the plugin itself",
            DependencyKind::Runtime => "the plugin",
            DependencyKind::Build => "building it",
        };
        let source = String::from(package.source.clone());
        [package.name.as_str(), &package.version.to_string(), &source, role].map(|cell| visible(cell).into_owned()).to_vec()
    }));
    print::table(&rows)
}
