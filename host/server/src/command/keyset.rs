//! `casemate keyset`: which keys speak for a publisher, in which role, and how many of them it takes.

mod draft;
mod given;
mod show;
mod sign;

use std::path::{Path, PathBuf};

use casemate_signing::{
    document::{Document, DocumentError, MAX_DOCUMENT},
    key::Fingerprint,
    keyset::{self, KeysetDraft, KeysetError, Role},
};
use clap::Subcommand;

use super::{Context, signer::SigningKey};
use crate::{
    exit::{Failure, Outcome},
    house::store,
};

/// A publisher's keyset: its keys, what each may do, and how many have to agree.
///
/// Versions form a chain. Operators begin with one whose fingerprint they were given (`casemate trust add`), and follow
/// it (`casemate trust rotate`): the next version has to be signed by as many keys as the one before asks for, and as many as
/// it asks for itself. So whoever steals fewer keys than that changes nothing.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Draft the first version. It counts once enough of its keys have signed it.
    New(draft::New),
    /// Draft the version after a signed one.
    Next(draft::Next),
    /// Sign a draft, or add a signature to those it has.
    Sign {
        /// The draft or document. It is replaced by the document with one signature more.
        file: PathBuf,
        /// The key to sign with.
        #[command(flatten)]
        key: SigningKey,
    },
    /// Show a draft or document: its fingerprint, what it says, who signed it and who has yet to.
    Show {
        /// The draft or document.
        file: PathBuf,
        /// The version before, which has a say in this one.
        #[arg(long, value_name = "FILE")]
        previous: Option<PathBuf>,
    },
}

/// Draft, sign or show a keyset.
pub fn run(command: &Command, context: &Context) -> Outcome {
    match command {
        Command::New(args) => args.run(context),
        Command::Next(args) => args.run(context),
        Command::Sign { file, key } => sign::run(file, key, context),
        Command::Show { file, previous } => show::run(file, previous.as_deref(), context),
    }
}

/// What a file states, and its signatures; a draft has none. Nothing is verified but the rules.
fn read(path: &Path) -> Result<(KeysetDraft, Document), Failure> {
    let file = store::file(path, MAX_DOCUMENT)?;
    let refused = |error: KeysetError| Failure::invalid(format!("`{}`: {}: {error}", path.display(), error.code()));
    match keyset::read(&file) {
        // Not an envelope: a draft, which is the payload and the end of its line.
        Err(KeysetError::Document(DocumentError::Shape)) => {
            let payload = file.strip_suffix(b"\n").unwrap_or(&file);
            Ok((KeysetDraft::from_payload(payload).map_err(refused)?, keyset::unsigned(payload.to_vec())))
        }
        read => read.map_err(refused),
    }
}

/// The signatures of a document that some version's keyset role counts.
struct Count {
    version: u64,
    counted: usize,
    threshold: u64,
    missing: Vec<Fingerprint>,
}

impl Count {
    /// As `draft`, which is the document's own version or the one before, counts them.
    fn of(document: &Document, draft: &KeysetDraft) -> Self {
        let role = draft.roles.of(Role::Keyset);
        let members = draft.keys.iter().map(|key| &key.key).filter(|key| role.keys.contains(&key.fingerprint()));
        let signed = document.signers(members);
        Self {
            version: draft.version,
            counted: signed.len(),
            threshold: role.threshold,
            missing: role.keys.difference(&signed).copied().collect(),
        }
    }

    fn is_met(&self) -> bool {
        self.counted as u64 >= self.threshold
    }

    fn line(&self) -> String {
        let Self { version, counted, threshold, missing } = self;
        let mut text = format!("version {version} asks for {threshold} and has {counted}");
        if !self.is_met() {
            let names = missing.iter().map(ToString::to_string).collect::<Vec<_>>();
            text.push_str(&format!("; not yet by {}", names.join(", ")));
        }
        text
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "version": self.version,
            "signed": self.counted,
            "threshold": self.threshold,
            "missing": self.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}
