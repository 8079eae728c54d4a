//! `casemate verify`: is this package what a trusted publisher signed, and what may it do?

use casemate_policy::text::visible;
use casemate_sandbox::{CodeCache, Maxima, Runtime, examine};
use casemate_signing::{
    manifest::Manifest,
    package::{Step, Verified},
};
use serde_json::json;

use super::{Context, print};
use crate::{
    advisories::Advisories,
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    folders::private,
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
    /// Show each step that a package takes before it may run, in order, and how this one fares: for learning, and for tickets. One that
    /// is installed is followed to its compiled code.
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
        || print::fit::to_stdout(&sheet::page(verified.manifest(), &provenance)),
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

/// One step, as it is shown.
struct Row {
    step: &'static str,
    /// The code of a refusal.
    refused: Option<String>,
    detail: String,
}

impl From<Step> for Row {
    fn from(step: Step) -> Self {
        Self { step: step.name.as_str(), refused: step.refused.map(str::to_owned), detail: step.detail }
    }
}

impl Row {
    fn passed(step: &'static str, detail: impl Into<String>) -> Self {
        Self { step, refused: None, detail: detail.into() }
    }

    /// A refusal whose first word is its code.
    fn refused(step: &'static str, error: &str) -> Self {
        let line = error.lines().next().unwrap_or_default();
        let (code, detail) = line.split_once(": ").unwrap_or(("refused", line));
        Self { step, refused: Some(code.to_owned()), detail: detail.to_owned() }
    }
}

/// Take the steps that loading takes, the same code, and report each.
fn explain(acquired: acquire::Acquired, context: &Context, config: &Config) -> Outcome {
    let source = acquired.source.clone();
    let mut rows = Vec::new();
    let (help, rest) = match steps(acquired, context, config, &mut rows) {
        Ok(rest) => (None, rest),
        Err(failure) => {
            let help = help_of(&failure.message);
            // What refused before it was a step of its own, such as a host state that cannot be read.
            if !rows.iter().any(|row| row.refused.is_some()) {
                return Err(failure);
            }
            (help, "no step after a refusal is taken")
        }
    };
    let refused = rows.iter().find_map(|row| row.refused.clone());
    print::result(
        context.format,
        || {
            let table: Vec<Vec<String>> = rows
                .iter()
                .map(|row| {
                    let word = row.refused.as_ref().map_or_else(|| "ok".to_owned(), |code| format!("REFUSED {code}"));
                    vec![row.step.to_owned(), word, visible(&row.detail).into_owned()]
                })
                .collect();
            let help = help.as_ref().map_or_else(String::new, |help| format!("help: {}\n", visible(help)));
            format!("{}\n\n{}\n{help}{rest}", visible(&source), print::table(&table))
        },
        || {
            json!({
                "source": source,
                "refused": refused,
                "steps": rows.iter().map(|row| json!({ "step": row.step, "refused": row.refused, "detail": row.detail })).collect::<Vec<_>>(),
            })
        },
    );
    Ok(if refused.is_some() { Exit::Denied } else { Exit::Done })
}

/// The steps, in order, until one refuses; what there is to say after the last.
fn steps(acquired: acquire::Acquired, context: &Context, config: &Config, rows: &mut Vec<Row>) -> Result<&'static str, Failure> {
    let trust = store::trust(&context.folders)?;
    rows.extend(acquired.left_out.iter().map(|line| Row::passed("attached", format!("left out: {line}"))));
    let verified = acquired
        .package
        .verify_explained(&trust, config.environment, clock::now(), &mut |step| rows.push(step.into()))
        .map_err(Failure::denied)?;
    let lock = store::lock(&context.folders)?;
    if lock.plugin(verified.id()).is_none() {
        return Ok(
            "not installed here: what comes next (release, lock file, consent, imports, dependencies, compiling) is for casemate install",
        );
    }
    let state = context.folders.state(config.environment);
    let keys = store::keys(&state)?;
    let highwater = store::highwater(&context.folders, config.environment, &keys)?;
    let approved = verified.approve_explained(&lock, &highwater, &mut |step| rows.push(step.into())).map_err(Failure::denied)?;
    // Only now may a byte of it be parsed as WebAssembly.
    let mut take = |step, result: Result<String, String>| match result {
        Ok(detail) => {
            rows.push(Row::passed(step, detail));
            Ok(())
        }
        Err(error) => {
            rows.push(Row::refused(step, &error));
            Err(Failure::denied(error))
        }
    };
    let examined = match examine(approved.loadable()) {
        Ok(examined) => examined,
        Err(error) => return take("imports", Err(error.to_string())).map(|()| ""),
    };
    let listed = examined.dependencies().map_or(0, |dependencies| dependencies.packages().len());
    take("imports", Ok(format!("{} imports, each declared; what it says of itself agrees", examined.manifest().imports.len())))?;
    let advisories = Advisories::open(config.advisories.clone()).map_err(Failure::invalid)?;
    let review = |manifest: &Manifest, dependencies: Option<&_>| advisories.admit(&manifest.id(), dependencies, clock::now());
    let (reviewed, findings) = match examined.reviewed(review) {
        Ok(reviewed) => reviewed,
        Err(error) => return take("dependencies", Err(error.to_string())).map(|()| ""),
    };
    let known = match advisories.database() {
        Some(database) => format!("{} of {} advisories are about them, and let pass", findings.len(), database.count()),
        None => "no folder of advisories is configured".to_owned(),
    };
    take("dependencies", Ok(format!("{listed} listed; {known}")))?;
    let cache = CodeCache::new(private(&state.join("cache"))?, keys.code, context.worker());
    match Runtime::new(cache, Maxima::default())?.prepare(reviewed) {
        Ok(_) => take("code", Ok("compiled by this host, and links".to_owned()))?,
        Err(error) => return take("code", Err(error.to_string())).map(|()| ""),
    }
    Ok("it loads, where its section of the configuration fits: casemate check")
}

/// The line of an error that says what to do.
fn help_of(error: &str) -> Option<String> {
    error.split_once("\nhelp: ").map(|(_, help)| help.to_owned())
}
