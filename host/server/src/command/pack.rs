//! `casemate pack`: from an author's folder to a package that can be signed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use casemate_sandbox::{SERVED_WIT, describe, imports_of};
use casemate_signing::{
    digest::Digest,
    manifest::{ComponentFacts, Limits, check::MAX_COMPONENT},
    source::{PluginToml, assemble, parse_description},
    statement,
};

use super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::store,
};

/// Build a plugin and write what is to be signed: NAME-VERSION.wasm and its statement.
///
/// The component is asked for its tools once, here, in a sandbox without network, files or settings. Every rule of the loader
/// is checked, so what packs is what loads.
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

/// A plugin.toml is written by hand.
const MAX_SOURCE: usize = 1 << 20;
/// The guest's stack: small, so that a fresh instance touches few pages.
const RUSTFLAGS: &str = "-C link-arg=-zstack-size=65536";

/// Build, describe, check, write.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let source_path = args.folder.join("plugin.toml");
    let source =
        String::from_utf8(store::file(&source_path, MAX_SOURCE)?).map_err(|_| Failure::invalid("plugin.toml is not UTF-8"))?;
    let source = PluginToml::parse(&source).map_err(Failure::invalid)?;
    let built = match &args.component {
        Some(path) => path.clone(),
        None => build(&args.folder)?,
    };
    let component = store::file(&built, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?;
    let (imports, _) = imports_of(&component).map_err(Failure::invalid)?;
    let described = ask(&component, &source.limits, context)?;
    let described = parse_description(described.as_bytes()).map_err(Failure::invalid)?;
    let facts =
        ComponentFacts { sha256: Digest::of(&component).to_hex(), size: u64::try_from(component.len()).unwrap_or(u64::MAX) };
    let manifest = assemble(&source, &described, facts, imports, SERVED_WIT.to_owned()).map_err(|errors| {
        Failure::invalid(format!(
            "{}:\n{}",
            source_path.display(),
            errors.iter().map(|error| format!("- {error}")).collect::<Vec<_>>().join("\n")
        ))
    })?;
    std::fs::create_dir_all(&args.out)?;
    let path = args.out.join(format!("{}-{}.wasm", manifest.plugin.name, manifest.plugin.version));
    std::fs::write(&path, &component)?;
    std::fs::write(store::statement_of(&path), statement::to_bytes(&manifest))?;
    print::result(
        context.format,
        || {
            format!(
                "packed {} {} (release {}): {} tools, {} bytes\n       {}\nnext:  casemate sign {} --key KEY",
                manifest.id(),
                manifest.plugin.version,
                manifest.plugin.release,
                manifest.tool.len(),
                component.len(),
                path.display(),
                path.display(),
            )
        },
        || serde_json::json!({ "plugin": manifest.id().to_string(), "component": path, "sha256": manifest.component.sha256, "tools": manifest.tool.keys().map(|name| name.as_str()).collect::<Vec<_>>() }),
    );
    Ok(Exit::Done)
}

/// Build the crate in `folder` for wasm32-wasip2; the component it made.
fn build(folder: &Path) -> Result<PathBuf, Failure> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Failure::invalid(format!(
            "there is no `{}`\nhelp: name the plugin's folder, or a component with --component",
            manifest.display()
        )));
    }
    // Messages go through; only the list of artifacts is read.
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--target",
            "wasm32-wasip2",
            "--message-format",
            "json-render-diagnostics",
            "--manifest-path",
        ])
        .arg(&manifest)
        .env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", RUSTFLAGS)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| Failure::failed(format!("cargo cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(Failure::failed(
            "cargo could not build the plugin\nhelp: rustup target add wasm32-wasip2, if the target is missing",
        ));
    }
    let root = std::fs::canonicalize(&manifest)?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message.get("reason").is_some_and(|reason| reason == "compiler-artifact"))
        .filter(|message| message.get("manifest_path").and_then(|path| path.as_str()).is_some_and(|path| Path::new(path) == root))
        .filter_map(|message| {
            message
                .get("filenames")?
                .as_array()?
                .iter()
                .filter_map(|name| name.as_str())
                .find(|name| name.ends_with(".wasm"))
                .map(PathBuf::from)
        })
        .next_back()
        .ok_or_else(|| Failure::invalid("the crate made no component\nhelp: crate-type = [\"cdylib\"] in its [lib]"))
}

/// Ask the component for its tools, in a sandbox that gives it nothing.
fn ask(component: &[u8], limits: &Limits, context: &Context) -> Result<String, Failure> {
    let executor = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    executor.block_on(describe(component, limits, &context.worker())).map_err(Failure::invalid)
}
