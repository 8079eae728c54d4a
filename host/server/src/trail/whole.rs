//! Whether the audit log is whole: every chain of it, with the public key and against what this host keeps of each outside of the log.

use std::path::Path;

use casemate_audit::{Report, Trust, Witness, verify_with};
use ed25519_dalek::VerifyingKey;

use crate::{
    exit::Failure,
    house::{chains, store},
};

/// What was found of one chain: all of it in place.
pub(crate) struct Whole {
    pub(crate) chain: String,
    pub(crate) report: Report,
}

/// Every chain, verified with this key, against what this host keeps of each outside of the log, where it can be read.
pub(crate) struct Verified {
    pub(crate) key: VerifyingKey,
    pub(crate) chains: Vec<Whole>,
    /// Whether what the host keeps outside could be read.
    pub(crate) heads: bool,
}

/// Verify every chain. Key and witnesses are asked for once what is known of the chains is read.
pub(crate) fn verify(
    state: &Path,
    trusted: impl FnOnce() -> Result<(VerifyingKey, Vec<Witness>), Failure>,
) -> Result<Verified, Failure> {
    // Read before the chains are: those only grow.
    let heads = store::known_heads(state)?;
    if let Some(heads) = &heads {
        heads.all_present(state)?;
    }
    let chains = chains(state)?.0;
    if chains.is_empty() {
        return Err(Failure::invalid(format!("there is no audit log in `{}`", state.display())));
    }
    let (key, witnesses) = trusted()?;
    let mut whole = Vec::new();
    for (path, dir) in &chains {
        let chain = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let known = heads.as_ref().map(|heads| heads.checkpoint(state, &chain, &key)).transpose()?.flatten();
        let trust = Trust { key: &key, kept: known.as_slice(), witnesses: &witnesses };
        let report = verify_with(dir, trust).map_err(|failure| Failure::denied(format!("{}: {failure}", path.display())))?;
        whole.push(Whole { chain, report });
    }
    if let Some(heads) = &heads {
        // The records fit; the checkpoints over them must be there as well.
        heads.hold(state, &key)?;
    }
    Ok(Verified { key, chains: whole, heads: heads.is_some() })
}
