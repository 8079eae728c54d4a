//! `casemate publish`: a signed package into a registry.

use std::path::PathBuf;

use casemate_registry::{Reference, Upload, Version};
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
    let reference = match args.reference.version() {
        Some(_) => args.reference.clone(),
        None => {
            // A tag has no `+`; `wkg` writes `_` for it.
            let tag = manifest.plugin.version.to_string().replace('+', "_");
            args.reference.at(Version::Tag(tag.parse().map_err(Failure::invalid)?))
        }
    };
    let wit = manifest.wit.rsplit_once('@').map_or("", |(_, version)| version);
    let upload = Upload {
        component,
        bundle: bundles,
        imports: manifest.imports.iter().cloned().collect(),
        exports: vec![format!("casemate:plugin/tools@{wit}")],
    };
    let pushed = registries::push(&reference, upload, context, &config)?;
    print::result(
        context.format,
        || {
            format!(
                "published {} {} (release {})\nat         {reference}\nexactly    {}\nsignatures {}",
                manifest.id(),
                manifest.plugin.version,
                manifest.plugin.release,
                pushed.reference,
                pushed.signatures,
            )
        },
        || {
            serde_json::json!({
                "plugin": manifest.id().to_string(),
                "version": manifest.plugin.version,
                "reference": reference.to_string(),
                "digest": pushed.digest.to_string(),
                "signatures": pushed.signatures,
            })
        },
    );
    Ok(Exit::Done)
}
