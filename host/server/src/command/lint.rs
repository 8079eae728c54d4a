//! `casemate lint`: what a reviewer would ask about, in a folder or in a package.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use casemate_signing::{
    digest::Digest,
    dsse::MAX_PAYLOAD,
    lint::{self, Lint, Warning},
    manifest::{Manifest, PluginId, check::MAX_COMPONENT},
    source::{Culprit, Fault},
    statement,
};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Context,
    pack::{self, Source, report},
    print,
    verify::verified,
};
use crate::{
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::store,
    installing::acquire,
};

/// Say what a reviewer of a plugin would ask about: texts that address the model, wide patterns, thin reasons, names that look alike.
///
/// Unlike the rules of the loader, these are warnings: each can be meant. A folder is built as by casemate pack, without writing
/// a package. Of a package FILE.wasm the bundle beside it is read, once its signature is verified, or the statement of one that is not
/// signed yet; the component itself is not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with plugin.toml and Cargo.toml, or a package.
    #[arg(value_name = "FOLDER|FILE.wasm", default_value = ".")]
    plugin: PathBuf,
    /// A component that is built already; cargo is not run.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Exit with 2 when there is a warning.
    #[arg(long)]
    deny: bool,
    /// A kind of warning that is meant; may be repeated.
    #[arg(long, value_name = "CODE", value_parser = kinds())]
    allow: Vec<Lint>,
    /// Another plugin that it may be mistaken for, besides those that are installed; may be repeated.
    #[arg(long, value_name = "PUBLISHER/NAME")]
    beside: Vec<PluginId>,
}

/// A kind by its code; the help lists each with its reason.
fn kinds() -> impl TypedValueParser<Value = Lint> {
    let values = Lint::ALL.map(|lint| PossibleValue::new(lint.code()).help(lint.why()));
    PossibleValuesParser::new(values).try_map(|code| Lint::ALL.into_iter().find(|lint| lint.code() == code).ok_or("no such code"))
}

/// Lint and show.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let (manifest, source) = read(args, context)?;
    let neighbours = neighbours(&args.beside, context)?;
    let mut warnings = lint::lint(&manifest, &neighbours);
    warnings.retain(|warning| !args.allow.contains(&warning.lint));
    print::result(context.format, || text(&manifest, &warnings, source.as_ref()), || json(&manifest, &warnings, source.as_ref()));
    Ok(if args.deny && !warnings.is_empty() { Exit::Denied } else { Exit::Done })
}

/// What is to be judged, and where its author wrote it.
fn read(args: &Args, context: &Context) -> Result<(Manifest, Option<Source>), Failure> {
    if args.plugin.is_dir() {
        let packed = pack::pack(&args.plugin, args.component.as_deref(), context)?;
        return Ok((packed.manifest, Some(packed.source)));
    }
    if args.component.is_some() {
        return Err(Failure::invalid("--component goes with the folder of its plugin.toml"));
    }
    Ok((packaged(&args.plugin, context)?, None))
}

/// The manifest of a package: what was signed, or else what will be. Where there is a signature, nothing beside it is believed.
pub(super) fn packaged(file: &Path, context: &Context) -> Result<Manifest, Failure> {
    if !file.exists() {
        return Err(Failure::invalid(format!(
            "there is no `{}`\nhelp: a plugin's folder, or a package that casemate pack wrote",
            file.display()
        )));
    }
    if store::bundle_of(file).exists() {
        let config = Config::read(&context.folders.config)?;
        return Ok(verified(acquire::from_file(file)?, context, &config)?.manifest().clone());
    }
    let path = store::statement_of(file);
    let manifest = statement::parse(&store::file(&path, MAX_PAYLOAD)?)
        .map_err(|error| Failure::invalid(format!("`{}`: {error}", path.display())))?;
    let component = store::file(file, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?;
    if Digest::of(&component).to_hex() == manifest.component.sha256 {
        return Ok(manifest);
    }
    Err(Failure::denied(format!("`{}` is not the component that the statement is about\nhelp: pack again", file.display())))
}

/// The plugins it may be mistaken for: those that are installed, and those that were named.
fn neighbours(named: &[PluginId], context: &Context) -> Result<Vec<PluginId>, Failure> {
    let lock = store::lock(&context.folders)?;
    let all: BTreeSet<&PluginId> = lock.plugins().keys().chain(named).collect();
    Ok(all.into_iter().cloned().collect())
}

fn text(manifest: &Manifest, warnings: &[Warning], source: Option<&Source>) -> String {
    if warnings.is_empty() {
        return format!("{} {}: nothing to ask about", manifest.id(), manifest.plugin.version);
    }
    let faults = warnings.iter().map(|Warning { lint, culprit, what }| Fault {
        culprit: culprit.clone(),
        what: format!("{what} [{}]", lint.code()),
        help: Some(lint.why().to_owned()),
    });
    let shown = report(source, "why", faults);
    let count = warnings.len();
    format!("{shown}\n\n{} {}: {count} warning{}", manifest.id(), manifest.plugin.version, if count == 1 { "" } else { "s" })
}

/// A warning as a script reads it: with `at` and perhaps `line` in `plugin.toml`, or with `tool` and `part`.
#[derive(Serialize)]
struct Row<'a> {
    code: &'static str,
    what: &'a str,
    why: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<&'a str>,
}

fn json(manifest: &Manifest, warnings: &[Warning], source: Option<&Source>) -> Value {
    let rows: Vec<Row<'_>> = warnings
        .iter()
        .map(|Warning { lint, culprit, what }| {
            let (at, tool, part) = match culprit {
                Culprit::Source(at) => (Some(at.as_str()), None, None),
                Culprit::Tool { tool, part } => (None, Some(tool.as_str()), Some(part.as_str())),
                Culprit::Component => (None, None, None),
            };
            let place = source.zip(at).and_then(|(source, at)| source.find(at));
            let (line, column) = place.map(|place| (place.line, place.column)).unzip();
            Row { code: lint.code(), what, why: lint.why(), at, line, column, tool, part }
        })
        .collect();
    json!({ "plugin": manifest.id().to_string(), "version": manifest.plugin.version, "warnings": rows })
}
