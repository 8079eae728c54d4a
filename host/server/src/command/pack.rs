//! `casemate pack`: from an author's folder to a package that can be signed.

mod build;
mod report;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use casemate_sandbox::{SERVED_WIT, describe, imports_of};
use casemate_signing::{
    digest::Digest,
    manifest::{ComponentFacts, Limits, Manifest, check::MAX_COMPONENT},
    source::{PluginToml, assemble, parse_description},
    statement,
};

pub(crate) use report::{Source, report};

use super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::store,
    origin::Origin,
};

/// Build a plugin and write what is to be signed: NAME-VERSION.wasm and its statement.
///
/// The component is asked for its tools once, here, in a sandbox without network, files or settings. Every rule of the loader
/// is checked, so what packs is what loads. The same source, Cargo.lock and toolchain make the same component in any folder; a
/// dependency by path outside the plugin's workspace is the exception.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with plugin.toml and Cargo.toml.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// A component that is built already; cargo is not run.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where the package goes.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
}

/// Build, describe, check, write.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let packed = pack(&args.folder, args.component.as_deref(), context)?;
    let path = packed.write(&args.out)?;
    let Packed { manifest, component, .. } = &packed;
    print::result(
        context.format,
        || {
            format!(
                "packed {} {} (release {}): {}, {} bytes\n       {}\nnext:  casemate sign {} --key KEY",
                manifest.id(),
                manifest.plugin.version,
                manifest.plugin.release,
                print::counted(manifest.tool.len(), "tool"),
                component.len(),
                path.display(),
                path.display(),
            )
        },
        || serde_json::json!({ "plugin": manifest.id().to_string(), "component": path, "sha256": manifest.component.sha256, "tools": manifest.tool.keys().map(|name| name.as_str()).collect::<Vec<_>>() }),
    );
    Ok(Exit::Done)
}

/// A plugin that keeps every rule of the loader, not written yet.
pub(crate) struct Packed {
    /// What will be signed.
    pub(crate) manifest: Manifest,
    /// What it is about.
    pub(crate) component: Vec<u8>,
    /// What its author wrote.
    pub(crate) source: Source,
}

/// Build the plugin in `folder`, or take a component that is built, and make its manifest.
pub(crate) fn pack(folder: &Path, component: Option<&Path>, context: &Context) -> Result<Packed, Failure> {
    let source = Source::read(folder)?;
    let declared = source.parse()?;
    let is_built = component.is_none();
    let built = match component {
        Some(path) => path.to_owned(),
        None => build::component(folder)?,
    };
    let component = store::file(&built, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?;
    let (imports, _) = imports_of(&component).map_err(Failure::invalid)?;
    let (component, origin) = Origin::embedded(component, is_built.then_some(folder))?;
    let manifest = origin.stated_in(manifest(&source, &declared, imports, &component, context)?, &component)?;
    Ok(Packed { manifest, component, source })
}

impl Packed {
    /// Write NAME-VERSION.wasm and its statement to `folder`; the component's path.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf, Failure> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}-{}.wasm", self.manifest.plugin.name, self.manifest.plugin.version));
        std::fs::write(&path, &self.component)?;
        std::fs::write(store::statement_of(&path), statement::to_bytes(&self.manifest))?;
        Ok(path)
    }
}

/// What the author wrote and what the component says of itself, put together and checked.
fn manifest(
    source: &Source,
    declared: &PluginToml,
    imports: BTreeSet<String>,
    component: &[u8],
    context: &Context,
) -> Result<Manifest, Failure> {
    let described = ask(component, &declared.limits, context)?;
    let described = parse_description(described.as_bytes()).map_err(Failure::invalid)?;
    let facts =
        ComponentFacts { sha256: Digest::of(component).to_hex(), size: u64::try_from(component.len()).unwrap_or(u64::MAX) };
    assemble(declared, &described, facts, imports, SERVED_WIT.to_owned())
        .map_err(|errors| Failure::invalid(report(Some(source), "help", &errors)))
}

/// Ask the component for its tools, in a sandbox that gives it nothing.
fn ask(component: &[u8], limits: &Limits, context: &Context) -> Result<String, Failure> {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    executor.block_on(describe(component, limits, &context.worker())).map_err(Failure::invalid)
}
