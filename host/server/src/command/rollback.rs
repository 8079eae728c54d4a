//! `casemate rollback`: an older release, as an exception that goes on record.

use std::cmp::Ordering;

use casemate_signing::diff::Changes;
use semver::Version;

use super::{Context, print, update::page};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::store,
    installing::{
        Installing, Names, Reason,
        acquire::{self, Source},
        consent::Consent,
    },
};

/// Go back to an older release, on purpose: the one exception to the rule that releases only rise.
///
/// The exception is for exactly that package, on record with your reason, and ends with the next newer release that is installed. The
/// plugin is pinned where it went back to.
/// What is gone back to is still verified: a revoked release stays revoked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its short name, or publisher/name.
    name: String,
    /// The version to go back to, of those that were installed here before; default: the newest older one.
    #[arg(long, conflicts_with = "from")]
    to: Option<Version>,
    /// Take the older release from here: a file, a folder or oci://…
    #[arg(long, value_name = "SOURCE")]
    from: Option<Source>,
    /// Why; it is kept in the audit log.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    consent: Consent,
}

/// Bytes of a reason: a sentence or two, and a ticket.
const MAX_REASON: usize = 500;

/// Go back.
pub fn run(args: &Args, context: &Context) -> Outcome {
    if args.reason.trim().is_empty() || args.reason.len() > MAX_REASON {
        return Err(Failure::invalid(format!("a reason has 1 to {MAX_REASON} bytes")));
    }
    let mut installing = Installing::begin(context)?;
    let (id, locked) = installing.named(&args.name)?;
    let source = match &args.from {
        Some(source) => source.clone(),
        None => {
            let wanted = |version: &Version| match &args.to {
                Some(to) => version == to,
                None => version.cmp(&locked.version) == Ordering::Less,
            };
            let kept = store::kept(&context.folders, &id)?;
            let older = kept.into_iter().filter_map(|path| Some((store::version_in(&path, &id.name)?, path)));
            let Some((_, path)) = older.filter(|(version, _)| wanted(version)).max_by(|(a, _), (b, _)| a.cmp(b)) else {
                return Err(Failure::invalid(format!(
                    "no such older release of `{id}` was installed here\nhelp: --from takes it from a file or a registry"
                )));
            };
            Source::Path(path)
        }
    };
    let candidate = installing.verify(acquire::from(&source, context, &installing.config)?)?;
    let next = candidate.package.manifest().clone();
    if *candidate.package.id() != id {
        return Err(Failure::denied(format!("`{source}` holds `{}`, not `{id}`", candidate.package.id())));
    }
    if next.plugin.release >= locked.release {
        return Err(Failure::invalid(format!(
            "release {} of `{id}` is not older than release {}, which is installed\nhelp: casemate update",
            next.plugin.release, locked.release
        )));
    }
    installing.replaced(&next, &Names::default())?;
    let changes = installing.agreed_to(&id, &locked).map(|present| Changes::between(&present, &next));
    let agreed = args.consent.ask(&candidate.package, "Go back to", || page(&candidate, changes.as_ref(), &locked.version))?;
    let facts = installing.put(candidate, agreed, &Reason::Rollback(args.reason.clone()))?;
    print::result(
        context.format,
        || {
            format!(
                "rolled back {id} {} → {} (release {} → {})\npinned there; casemate pin --off {} lets updates come again",
                locked.version, next.plugin.version, locked.release, next.plugin.release, id.name
            )
        },
        || facts,
    );
    Ok(Exit::Done)
}
