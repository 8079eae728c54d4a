//! `casemate sign`: a publisher's signature over a packed plugin, alone or beside those of others.

use std::path::{Path, PathBuf};

use casemate_signing::{
    bundle::{self, Bundle, MAX_BUNDLE, MAX_BUNDLES},
    digest::Digest,
    dsse::MAX_PAYLOAD,
    manifest::{Manifest, check::MAX_COMPONENT},
    statement,
};

use super::{
    Context, print,
    signer::{Signer, SigningKey},
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
    #[command(flatten)]
    key: SigningKey,
    /// Add a signature to those in FILE.sigstore.json, over the same statement. Where no statement is beside the component, the one
    /// that the others signed is taken: `casemate verify` shows what it says.
    #[arg(long)]
    add: bool,
}

/// Sign it.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let component = store::file(&args.file, usize::try_from(MAX_COMPONENT).unwrap_or(usize::MAX))?;
    let path = store::bundle_of(&args.file);
    let others = if args.add { bundles(&path)? } else { Vec::new() };
    let payload = payload(&args.file, &others)?;
    let manifest = checked(&args.file, &component, &payload)?;
    let mut signer = args.key.open()?;
    let added = add(&mut signer, payload, &others)?;
    let fingerprint = signer.public_key().fingerprint().to_string();
    let beside: Vec<String> = others.iter().map(|other| other.hint().to_string()).collect();
    let bundles = [others, vec![added]].concat();
    store::replace_public(&path, bundle::to_lines(&bundles).as_bytes())?;
    print::result(
        context.format,
        || {
            let plugin = &manifest.plugin;
            let mut text =
                format!("signed {} {} (release {})\nby     {fingerprint}\n", manifest.id(), plugin.version, plugin.release);
            if args.add {
                text.push_str(&format!("beside {}\n", beside.join(", ")));
            }
            text + &format!("in     {}", path.display())
        },
        || {
            serde_json::json!({
                "plugin": manifest.id().to_string(), "bundle": path, "signer": fingerprint, "signatures": bundles.len()
            })
        },
    );
    Ok(Exit::Done)
}

/// The signatures that are there, over one payload.
fn bundles(path: &Path) -> Result<Vec<Bundle>, Failure> {
    let file = store::file(path, MAX_BUNDLE)?;
    bundle::parse_all(&file).map_err(|error| Failure::denied(format!("`{}`: {error}", path.display())))
}

/// What is to be signed: the statement beside the component; for a further signature it is the others' too, byte for byte.
fn payload(file: &Path, others: &[Bundle]) -> Result<Vec<u8>, Failure> {
    let path = store::statement_of(file);
    let Some(first) = others.first() else { return store::file(&path, MAX_PAYLOAD) };
    if let Some(ours) = store::file_if_there(&path, MAX_PAYLOAD)?
        && ours != first.payload()
    {
        return Err(Failure::denied(format!(
            "`{}` is not the statement that the others signed\nhelp: pack the same sources, or sign anew without --add",
            path.display()
        )));
    }
    Ok(first.payload().to_vec())
}

/// The manifest, once rules and digest say that a host would load it.
fn checked(file: &Path, component: &[u8], payload: &[u8]) -> Result<Manifest, Failure> {
    let manifest = statement::parse(payload).map_err(Failure::invalid)?;
    if let Err(errors) = casemate_signing::manifest::check::check(&manifest) {
        return Err(Failure::invalid(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    }
    if Digest::of(component).to_hex() != manifest.component.sha256 {
        return Err(Failure::denied(format!(
            "`{}` is not the component that the statement is about\nhelp: pack again",
            file.display()
        )));
    }
    Ok(manifest)
}

/// One more signature. One person signs once, whatever key the file says it is by.
fn add(signer: &mut Signer, payload: Vec<u8>, others: &[Bundle]) -> Result<Bundle, Failure> {
    let key = signer.public_key();
    let ours = |other: &Bundle| key.verify_strict(&other.signed_bytes(), other.signature()).is_ok();
    if others.iter().any(|other| *other.hint() == key.fingerprint() || ours(other)) {
        return Err(Failure::denied(format!("{} has signed it already", key.fingerprint())));
    }
    if others.len() >= MAX_BUNDLES {
        return Err(Failure::denied(format!("there are {MAX_BUNDLES} signatures already, and no more are read")));
    }
    let signature = signer.sign(statement::PAYLOAD_TYPE, &payload)?;
    Ok(Bundle::signed(payload, &key, signature.bytes)?)
}
