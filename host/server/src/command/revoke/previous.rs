//! The list that is extended. What it says becomes its publisher's word again, so it has to have been that before.

use std::path::{Path, PathBuf};

use casemate_signing::{
    Digest,
    document::{Document, MAX_DOCUMENT},
    key::PublicKey,
    revocation::{RevocationDraft, RevocationError, RevocationList},
};

use crate::{command::Context, exit::Failure, house::store};

/// A list as it was found. Nothing of it is believed.
pub(super) struct Previous {
    path: PathBuf,
    file: Vec<u8>,
    draft: RevocationDraft,
    document: Document,
}

impl Previous {
    /// Read it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = store::file(path, MAX_DOCUMENT)?;
        let (draft, document) = super::read(&file, path)?;
        Ok(Self { path: path.to_owned(), file, draft, document })
    }

    /// What it states, if `key`, which signs the next one, signed this one too; or if those did whom this host trusts to sign its
    /// publisher's lists. An expired one is extended like any other: that is how it is renewed.
    pub(super) fn verified(self, key: &PublicKey, context: &Context) -> Result<RevocationDraft, Failure> {
        if !self.document.signers([key]).is_empty() {
            return Ok(self.draft);
        }
        let mut trust = store::trust(&context.folders)?;
        let publisher = self.draft.publisher.clone();
        // The one that is watched was verified when it was read, by the keys that were good before it.
        let watched = trust.publishers().get(&publisher).and_then(|known| known.revocations());
        if let Some(list) = watched.filter(|list| list.digest() == Digest::of(self.document.payload())) {
            return Ok(list.fields().clone());
        }
        let list = trust.attach_revocations(&publisher, &self.file).map(RevocationList::fields);
        list.cloned().map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &RevocationError) -> Failure {
        let publisher = &self.draft.publisher;
        let (code, said) = (error.code(), error.to_string());
        let what = said.lines().next().unwrap_or_default();
        Failure::denied(format!(
            "`{}`: {code}: {what}\nhelp: sign with a key that signed it, or trust the keyset of `{publisher}` here first (casemate trust add); if nobody of theirs signed it, do not extend it",
            self.path.display()
        ))
    }
}
