//! `casemate verify`: is this package what a trusted publisher signed, and what may it do?

use std::path::PathBuf;

use casemate_signing::package::Verified;

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::store,
    sheet::{self, Provenance},
};

/// Check a package's signature against the trusted publishers, and show everything it can ever do.
///
/// Nothing of the component is parsed or run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The component, with its signature beside it.
    file: PathBuf,
}

/// Verify and show.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let (verified, _) = verified(&args.file, context, config.environment)?;
    let provenance = provenance(&verified);
    print::result(
        context.format,
        || sheet::page(verified.manifest(), &provenance),
        || {
            serde_json::json!({
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

/// A package that a trusted publisher signed for this environment, and its two files as they were verified; a refusal says
/// which step refused it.
pub(crate) fn verified(
    file: &std::path::Path,
    context: &Context,
    environment: casemate_signing::Environment,
) -> Result<(Verified, [Vec<u8>; 2]), Failure> {
    let trust = store::trust(&context.folders)?;
    let (package, files) = store::package(file)?;
    let verified = package
        .verify(&trust, environment, clock::now())
        .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
    Ok((verified, files))
}

/// Who vouches for it.
pub(crate) fn provenance(verified: &Verified) -> Provenance {
    Provenance {
        signers: verified.signers().iter().map(ToString::to_string).collect(),
        approval: verified.approval().digest().to_hex(),
    }
}
