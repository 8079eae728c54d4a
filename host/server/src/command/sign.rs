//! `casemate sign`: a publisher's signature over a packed plugin.

use std::path::PathBuf;

use casemate_signing::{bundle::Bundle, digest::Digest, manifest::check::MAX_COMPONENT, statement};

use super::{
    Context,
    key::{Passphrase, private_key},
    print,
};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::store,
};

/// Sign a packed plugin: makes FILE.sigstore.json beside it.
///
/// What is signed is the statement `casemate pack` wrote: the component's digest and the whole manifest. It is checked again
/// first, rules and digest, so that nothing is signed that no host would load.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The component, NAME-VERSION.wasm, with its statement beside it.
    file: PathBuf,
    /// The private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// A statement holds at most this; the bundle's own cap is larger.
pub(super) const MAX_STATEMENT: usize = 256 << 10;

/// Sign it.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let component = store::file(&args.file, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?;
    let payload = store::file(&store::statement_of(&args.file), MAX_STATEMENT)?;
    let manifest = statement::parse(&payload).map_err(Failure::invalid)?;
    if let Err(errors) = casemate_signing::manifest::check::check(&manifest) {
        return Err(Failure::invalid(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    }
    if Digest::of(&component).to_hex() != manifest.component.sha256 {
        return Err(Failure::denied(format!(
            "`{}` is not the component that the statement is about\nhelp: pack again",
            args.file.display()
        )));
    }
    let key = private_key(&args.key, &args.passphrase)?;
    let path = store::bundle_of(&args.file);
    std::fs::write(&path, format!("{}\n", Bundle::sign(payload, &key).to_json()))?;
    let fingerprint = key.public_key().fingerprint().to_string();
    print::result(
        context.format,
        || {
            format!(
                "signed {} {} (release {})\nby     {fingerprint}\nin     {}",
                manifest.id(),
                manifest.plugin.version,
                manifest.plugin.release,
                path.display()
            )
        },
        || serde_json::json!({ "plugin": manifest.id().to_string(), "bundle": path, "signer": fingerprint }),
    );
    Ok(Exit::Done)
}
