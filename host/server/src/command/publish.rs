//! `casemate publish`: a signed package into a registry.

use std::path::PathBuf;

use casemate_registry::Reference;
use casemate_signing::{
    bundle::{self, Bundle},
    statement,
};

use super::{Context, print};
use crate::{
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::store,
    registries,
};

/// Publish a signed package: the component as the CNCF Wasm layout has it, its signature as a referrer of it.
///
/// Credentials come from the Docker configuration. Nothing is published that is not signed, or whose signature is over another
/// component; whether the signature is trusted is for those who install it to say.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to: oci://HOST/REPOSITORY, with :TAG or without, which is the version then.
    reference: Reference,
    /// The component, with its signature beside it.
    file: PathBuf,
}

/// Publish it.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read_or_none(&context.folders.config)?;
    let (_, [component, bundles]) = store::package(&args.file)?;
    let signed = bundle::parse_all(&bundles).map_err(Failure::invalid)?;
    let payload = signed.first().map(Bundle::payload).unwrap_or_default();
    let manifest = statement::parse(payload).map_err(Failure::invalid)?;
    if casemate_signing::Digest::of(&component).to_hex() != manifest.component.sha256 {
        return Err(Failure::denied(format!(
            "`{}` is not the component that its signature is about\nhelp: pack and sign again",
            args.file.display()
        )));
    }
    let version = manifest.plugin.version.to_string().replace('+', "_");
    let reference = if args.reference.is_tagged() {
        args.reference.clone()
    } else {
        args.reference.with_tag(&version).map_err(Failure::invalid)?
    };
    let pushed = registries::push(&reference, component, bundles, context, &config)?;
    print::result(
        context.format,
        || {
            format!(
                "published {} {} (release {})\nat        {reference}\ndigest    {}\nsignature {}",
                manifest.id(),
                manifest.plugin.version,
                manifest.plugin.release,
                pushed.digest,
                if pushed.fallback_tag { "by tag: the registry has no referrers" } else { "as a referrer" },
            )
        },
        || {
            serde_json::json!({
                "plugin": manifest.id().to_string(),
                "version": manifest.plugin.version,
                "reference": reference.to_string(),
                "digest": pushed.digest.to_string(),
                "fallback_tag": pushed.fallback_tag,
            })
        },
    );
    Ok(Exit::Done)
}
