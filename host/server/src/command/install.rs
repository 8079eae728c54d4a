//! `casemate install`: review, consent, compile, pin.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use casemate_audit::EventKind;
use casemate_sandbox::{CodeCache, Maxima, Runtime};
use casemate_signing::{
    digest::Digest,
    lock::LockFile,
    manifest::{Effect, PluginId},
    package::Verified,
};
use serde_json::json;

use super::{
    Context, print,
    verify::{provenance, verified},
};
use crate::{
    config::Config,
    exit::{Exit, Failure, Outcome},
    folders::private,
    house::{store, write_down},
    sheet,
};

/// Install a signed plugin: shows everything it can ever do, asks, compiles it and pins it in casemate.lock.
///
/// Installing grants nothing. Its tools can be called only by a grant in the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The component, with its signature beside it.
    file: PathBuf,
    /// Do not ask. Needs --approve, so that a script consents to what a person reviewed and to nothing else.
    #[arg(long)]
    yes: bool,
    /// The digest of what was reviewed, as `casemate verify` shows it: what the plugin may do, and every word of its tools.
    #[arg(long, value_name = "sha256:DIGEST")]
    approve: Option<Digest>,
    /// Install although the name is nearly that of an installed plugin.
    #[arg(long)]
    allow_similar: bool,
}

/// Two names this near are told apart by nobody in a hurry.
const SIMILAR: usize = 1;

/// Install it, or leave everything as it was.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let _changing = store::changing(&context.folders)?;
    let config = Config::read(&context.folders.config)?;
    let (package, [component, bundle]) = verified(&args.file, context, config.environment)?;
    let id = package.id().clone();
    let mut lock = store::lock(&context.folders)?;
    similar(&id, &lock, args.allow_similar)?;
    let updating = lock.plugin(&id).is_some();
    consent(args, &package)?;

    let state = context.folders.state(config.environment);
    let keys = store::keys(&state)?;
    let mut highwater = store::highwater(&state, &keys)?;
    highwater.accept(&package).map_err(Failure::denied)?;
    let locked = package.locked(args.file.display().to_string());
    let version = locked.version.clone();
    lock.insert(id.clone(), locked);
    let facts = json!({
        "plugin": id.to_string(),
        "version": version,
        "release": package.manifest().plugin.release,
        "digest": package.component_digest().to_hex(),
        "capabilities": package.approval().capabilities.to_hex(),
        "signer": package.signers().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    });
    let tools = package
        .manifest()
        .tool
        .iter()
        .map(|(name, tool)| (package.manifest().served_name(name), tool.effect))
        .collect::<Vec<_>>();

    // Only now may a byte of it be parsed as WebAssembly. What does not compile or link is not installed.
    let loadable =
        package.approve(&lock, &highwater).map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?.loadable();
    let cache = CodeCache::new(private(&state.join("cache"))?, keys.code, context.worker());
    Runtime::new(cache, Maxima::default())?.prepare(loadable).map_err(Failure::denied)?;

    // On record before it counts; then files, state, and last the lock file, which makes it so.
    write_down(&state, if updating { EventKind::PluginUpdated } else { EventKind::PluginInstalled }, facts.clone())?;
    let path = store::installed(&context.folders, &id, &version);
    store::replace(&path, &component)?;
    store::replace(&store::bundle_of(&path), &bundle)?;
    store::keep_highwater(&state, &keys, &highwater)?;
    store::replace(&context.folders.lock(), lock.to_text().as_bytes())?;
    print::result(context.format, || installed(&id, &version.to_string(), &tools), || facts);
    Ok(Exit::Done)
}

fn installed(id: &PluginId, version: &str, tools: &[(String, Effect)]) -> String {
    let off: Vec<&str> = tools.iter().filter(|(_, effect)| *effect > Effect::Read).map(|(name, _)| name.as_str()).collect();
    let mut text = format!("installed {id} {version}: {} tools, none of them granted yet", tools.len());
    if !off.is_empty() {
        text.push_str(&format!("\noff until enabled in the configuration: {}", off.join(", ")));
    }
    text
}

/// A person says yes to what they saw, or a script to exactly what a person reviewed.
fn consent(args: &Args, package: &Verified) -> Result<(), Failure> {
    let shown = package.approval().digest();
    match args.approve {
        Some(approved) if approved == shown => return Ok(()),
        Some(_) => {
            return Err(Failure::denied(format!(
                "the package is not what was approved: what it may do and what its tools say has the digest {}\nhelp: casemate verify {} shows them; approve what you reviewed",
                shown,
                args.file.display()
            )));
        }
        None if args.yes => {
            return Err(Failure::invalid(format!(
                "--yes needs --approve\nhelp: casemate verify {} shows the digest to approve; it is {shown} for this package",
                args.file.display()
            )));
        }
        None => {}
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::invalid(
            "consent is needed and there is no terminal to ask\nhelp: --yes --approve sha256:… consents to what was reviewed",
        ));
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}\nInstall it? Type the plugin's name to consent: ", sheet::page(package.manifest(), &provenance(package)))?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == package.manifest().plugin.name.as_str() { Ok(()) } else { Err(Failure::denied("not installed")) }
}

/// A short name names a section of the configuration, its secrets and the tools of a grant, so it belongs to one publisher; a name
/// that is nearly another's is told apart by nobody in a hurry.
fn similar(id: &PluginId, lock: &LockFile, allowed: bool) -> Result<(), Failure> {
    let others = || lock.plugins().keys().filter(|other| *other != id);
    if let Some(other) = others().find(|other| other.name == id.name) {
        return Err(Failure::denied(format!(
            "`{id}` has the short name of `{other}`, which is installed and whose configuration and grants it would inherit\nhelp: one of the two publishers has to choose another name"
        )));
    }
    match others().find(|other| crate::config::distance(other.name.as_str(), id.name.as_str()) <= SIMILAR) {
        Some(other) if !allowed => Err(Failure::denied(format!(
            "`{id}` is nearly the name of `{other}`, which is installed\nhelp: --allow-similar, if both are meant to be there"
        ))),
        _ => Ok(()),
    }
}
