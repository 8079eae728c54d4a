//! `casemate revoke`: what a publisher takes back of what it signed.

mod previous;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use casemate_signing::{
    Digest, Timestamp,
    document::{Document, MAX_DOCUMENT},
    key::Fingerprint,
    manifest::{PluginId, PublisherName},
    revocation::{self, ComponentEntry, Entry, KeyEntry, PAYLOAD_TYPE, ReleaseEntry, RevocationDraft},
};

use self::previous::Previous;
use super::{
    Context, print,
    signer::{Signer, SigningKey},
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::store,
};

/// Take back what was signed: makes a publisher's signed revocation list.
///
/// Operators who watch the list (`casemate trust revocations`) stop loading what is on it. It reaches the publisher's own keys,
/// releases and components, and expires: a host that is kept from newer lists stops trusting the old one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Add a signature to the list in this file instead, where it takes several.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["publisher", "previous", "key_fingerprint", "release", "component", "reason", "expires", "out"])]
    sign: Option<PathBuf>,
    /// Whose list it is.
    #[arg(long, required_unless_present_any = ["sign", "previous"], conflicts_with = "previous")]
    publisher: Option<PublisherName>,
    /// The list before, which is extended: its entries stay, and its version is counted up. The key that signs now has signed it, or
    /// those did who sign lists of its publisher, as `casemate trust` knows them here.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Take back everything a key signed.
    #[arg(long, value_name = "FINGERPRINT")]
    key_fingerprint: Vec<Fingerprint>,
    /// Take back one release of a plugin.
    #[arg(long, value_name = "PUBLISHER/NAME@RELEASE")]
    release: Vec<Release>,
    /// Take back a component, in whatever release it is.
    #[arg(long, value_name = "sha256:DIGEST")]
    component: Vec<Digest>,
    /// Why, in one line that operators are shown.
    #[arg(long)]
    reason: Option<String>,
    /// When the list expires, such as 2027-01-31T00:00:00Z. Renew it before: hosts refuse the publisher's packages after.
    #[arg(long, value_name = "TIME", required_unless_present = "sign")]
    expires: Option<Timestamp>,
    /// Where the list goes.
    #[arg(long, value_name = "FILE", required_unless_present = "sign")]
    out: Option<PathBuf>,
    #[command(flatten)]
    key: SigningKey,
}

/// `publisher/name@release`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Release {
    plugin: PluginId,
    release: u64,
}

/// Text that names no release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a release of a plugin\nhelp: write acme/scanner@3; the number is the release, not the version")]
struct InvalidRelease(String);

impl FromStr for Release {
    type Err = InvalidRelease;
    fn from_str(text: &str) -> Result<Self, InvalidRelease> {
        let invalid = || InvalidRelease(text.to_owned());
        let (plugin, release) = text.split_once('@').ok_or_else(invalid)?;
        Ok(Self { plugin: plugin.parse().map_err(|_| invalid())?, release: release.parse().map_err(|_| invalid())? })
    }
}

/// Make, extend or sign a list.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let (mut signer, draft, mut document, path) = match &args.sign {
        Some(path) => {
            let (draft, document) = read(&store::file(path, MAX_DOCUMENT)?, path)?;
            (args.key.open()?, draft, document, path)
        }
        None => args.drafted(context)?,
    };
    signer.add_to(&mut document, PAYLOAD_TYPE)?;
    let by = signer.public_key().fingerprint();
    store::replace_public(path, format!("{}\n", document.to_json()).as_bytes())?;
    print::result(
        context.format,
        || {
            let mut text = format!("signed list {} of {}, until {}\n", draft.version, draft.publisher, draft.expires);
            for entry in &draft.entries {
                text.push_str(&format!("       {}\n", line(entry)));
            }
            text + &format!("by     {by}\nin     {}", path.display())
        },
        || {
            serde_json::json!({
                "publisher": draft.publisher, "version": draft.version, "expires": draft.expires.to_string(),
                "entries": draft.entries, "signer": by.to_string(), "list": path
            })
        },
    );
    Ok(Exit::Done)
}

/// An entry, for a person. Its reason is one line of plain text.
pub(super) fn line(entry: &Entry) -> String {
    match entry {
        Entry::Key(KeyEntry { key, reason }) => format!("{key}: {reason}"),
        Entry::Release(ReleaseEntry { plugin, release, reason }) => format!("{plugin} release {release}: {reason}"),
        Entry::Component(ComponentEntry { component, reason }) => format!("{component}: {reason}"),
    }
}

fn read(file: &[u8], path: &Path) -> Result<(RevocationDraft, Document), Failure> {
    revocation::read(file).map_err(|error| Failure::invalid(format!("`{}`: {}: {error}", path.display(), error.code())))
}

impl Args {
    /// Who signs, the list to sign, and where it goes.
    fn drafted(&self, context: &Context) -> Result<(Signer, RevocationDraft, Document, &PathBuf), Failure> {
        let (Some(out), Some(expires)) = (&self.out, self.expires) else {
            return Err(Failure::invalid("--out and --expires are needed"));
        };
        // What is wrong with these words is said before anybody is asked for a passphrase.
        let taken = self.taken()?;
        let issued = clock::now();
        if expires <= issued {
            return Err(Failure::invalid(format!("it would have expired at {expires}\nhelp: --expires TIME, in the future")));
        }
        let signer = self.key.open()?;
        let (publisher, version, mut entries) = match (&self.previous, &self.publisher) {
            (Some(previous), _) => {
                let before = Previous::read(previous)?.verified(&signer.public_key(), context)?;
                let next = before.version.checked_add(1).ok_or_else(|| Failure::invalid("there is no version after it"))?;
                (before.publisher, next, before.entries)
            }
            (None, Some(publisher)) => (publisher.clone(), 1, Vec::new()),
            (None, None) => return Err(Failure::invalid("--publisher is needed")),
        };
        entries.extend(taken);
        let draft = RevocationDraft { publisher, version, issued, expires, entries };
        let payload = draft.to_payload().map_err(|error| Failure::invalid(format!("{}: {error}", error.code())))?;
        // As it was read back: in its order.
        let draft = RevocationDraft::from_payload(&payload).map_err(Failure::invalid)?;
        Ok((signer, draft, revocation::unsigned(payload), out))
    }

    /// What this command takes back, all for one reason. A list that takes nothing back says that nothing is.
    fn taken(&self) -> Result<Vec<Entry>, Failure> {
        let count = self.key_fingerprint.len() + self.release.len() + self.component.len();
        let reason = match &self.reason {
            Some(_) if count == 0 => return Err(Failure::invalid("--reason is given, and nothing to take back")),
            Some(reason) => reason.clone(),
            None if count == 0 => return Ok(Vec::new()),
            None => return Err(Failure::invalid("--reason is needed\nhelp: operators are shown it")),
        };
        let keys = self.key_fingerprint.iter().map(|key| Entry::Key(KeyEntry { key: *key, reason: reason.clone() }));
        let releases = self.release.iter().map(|Release { plugin, release }| {
            Entry::Release(ReleaseEntry { plugin: plugin.clone(), release: *release, reason: reason.clone() })
        });
        let components = self
            .component
            .iter()
            .map(|component| Entry::Component(ComponentEntry { component: *component, reason: reason.clone() }));
        Ok(keys.chain(releases).chain(components).collect())
    }
}
