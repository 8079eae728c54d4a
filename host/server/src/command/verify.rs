//! `casemate verify`: is this package what a trusted publisher signed, and what may it do?

use casemate_signing::package::{Step, Verified};
use serde_json::json;

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::store,
    installing::acquire::{self, Source},
    sheet::{self, Provenance},
};

/// Check a package's signature against the trusted publishers, and show everything it can ever do.
///
/// Nothing of the component is parsed or run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component with its signature beside it, a folder that holds one, or oci://HOST/REPOSITORY with :TAG or @sha256:DIGEST.
    source: Source,
    /// Show each step that a package takes before it may run, in order, and how this one fares: for learning, and for tickets.
    #[arg(long)]
    explain: bool,
}

/// Verify and show.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let acquired = acquire::from(&args.source, context, &config)?;
    if args.explain {
        return explain(acquired, context, &config);
    }
    let verified = verified(acquired, context, &config)?;
    let provenance = provenance(&verified);
    print::result(
        context.format,
        || sheet::page(verified.manifest(), &provenance),
        || {
            json!({
                "plugin": verified.id().to_string(),
                "version": verified.manifest().plugin.version,
                "release": verified.manifest().plugin.release,
                "component": verified.component_digest().to_hex(),
                "signers": provenance.signers,
                "approval": format!("sha256:{}", provenance.approval),
                "manifest": verified.manifest(),
            })
        },
    );
    Ok(Exit::Done)
}

/// A package that a trusted publisher signed for this environment; a refusal says which step refused it.
pub(crate) fn verified(acquired: acquire::Acquired, context: &Context, config: &Config) -> Result<Verified, Failure> {
    let trust = store::trust(&context.folders)?;
    acquired
        .package
        .verify(&trust, config.environment, clock::now())
        .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))
}

/// Who vouches for it.
pub(crate) fn provenance(verified: &Verified) -> Provenance {
    Provenance {
        signers: verified.signers().iter().map(ToString::to_string).collect(),
        approval: verified.approval().digest().to_hex(),
    }
}

/// Take the steps that loading takes, the same code, and report each.
fn explain(acquired: acquire::Acquired, context: &Context, config: &Config) -> Outcome {
    let trust = store::trust(&context.folders)?;
    let source = acquired.source.clone();
    let mut steps = Vec::new();
    let mut observe = |step: Step| steps.push(step);
    let verified = acquired.package.verify_explained(&trust, config.environment, clock::now(), &mut observe);
    let mut help = verified.as_ref().err().and_then(|error| help_of(&error.to_string()));
    let mut rest = "no step after a refusal is taken; nothing of it was parsed as WebAssembly";
    let mut loads = false;
    if let Ok(verified) = verified {
        let lock = store::lock(&context.folders)?;
        if lock.plugin(verified.id()).is_none() {
            rest = "not installed here: what comes next (release, lock file, consent, imports, dependencies, compiling) is for casemate install";
        } else {
            let state = context.folders.state(config.environment);
            let highwater = store::highwater(&state, &store::keys(&state)?)?;
            match verified.approve_explained(&lock, &highwater, &mut observe) {
                Ok(_) => {
                    loads = true;
                    rest = "only now may it be parsed as WebAssembly: imports, exports, dependencies, compiling";
                }
                Err(error) => help = help_of(&error.to_string()),
            }
        }
    }
    let refused = steps.iter().find_map(|step| step.refused);
    print::result(
        context.format,
        || {
            let rows: Vec<Vec<String>> = steps
                .iter()
                .map(|step| {
                    let word = step.refused.map_or_else(|| "ok".to_owned(), |code| format!("REFUSED {code}"));
                    vec![step.name.to_string(), word, step.detail.clone()]
                })
                .collect();
            let help = help.as_ref().map_or_else(String::new, |help| format!("help: {help}\n"));
            format!("{source}\n\n{}\n{help}{rest}", print::table(&rows))
        },
        || {
            json!({
                "source": source,
                "refused": refused,
                "loads": loads,
                "steps": steps.iter().map(|step| json!({ "step": step.name.as_str(), "refused": step.refused, "detail": step.detail })).collect::<Vec<_>>(),
            })
        },
    );
    Ok(if refused.is_some() { Exit::Denied } else { Exit::Done })
}

/// The line of an error that says what to do.
fn help_of(error: &str) -> Option<String> {
    error.split_once("\nhelp: ").map(|(_, help)| help.to_owned())
}
