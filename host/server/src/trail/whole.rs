//! Whether the audit log is whole: every chain of it, with the public key and against what this host keeps of each outside of the log.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use cap_std::fs::Dir;
use casemate_audit::{Progress, Report, Trust, Witness, verify_watched};
use ed25519_dalek::VerifyingKey;

use crate::{
    exit::Failure,
    house::{chains, chains_in, no_log, store},
};

/// More records than this are under no checkpoint only where the disk stands still: one is signed at the latest after a thousand.
const MOST_UNCOVERED: u64 = 8 << 10;

/// And after a minute. What is left is for machines that sleep.
const UNCOVERED_FOR: Duration = Duration::from_secs(3600);

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

/// Where a log is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// In an environment's state folder, beside what the host keeps of it.
    State(&'a Path),
    /// In a copy of its folder alone.
    Copy(&'a Path),
}

impl Source<'_> {
    /// Its chains.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn chains(self) -> Result<Vec<(PathBuf, Dir)>, Failure> {
        let (place, chains) = match self {
            Self::State(state) => (state, chains(state)?.0),
            Self::Copy(folder) => (folder, chains_in(folder)?.0),
        };
        if chains.is_empty() {
            return Err(no_log(place));
        }
        Ok(chains)
    }
}

/// Verify every chain. Key and witnesses are asked for once what is known of the chains is read; `watch` is told how far it has come.
pub(crate) fn verify(
    source: Source<'_>,
    trusted: impl FnOnce() -> Result<(VerifyingKey, Vec<Witness>), Failure>,
    watch: &mut dyn FnMut(&str, Progress),
) -> Result<Verified, Failure> {
    // Read before the chains are: those only grow. Of a copy, nothing is kept elsewhere.
    let heads = match source {
        Source::State(state) => store::known_heads(state)?.map(|heads| (state, heads)),
        Source::Copy(_) => None,
    };
    if let Some((state, heads)) = &heads {
        heads.all_present(state)?;
    }
    let chains = in_order(source.chains()?)?;
    let (key, witnesses) = trusted()?;
    let mut whole = Vec::new();
    for (chain, path, dir) in chains {
        let known = heads.as_ref().map(|(state, heads)| heads.checkpoint(state, &chain, &key)).transpose()?.flatten();
        let trust = Trust { key: &key, kept: known.as_slice(), witnesses: &witnesses };
        let wrong = |what: &dyn std::fmt::Display| Failure::denied(format!("{}: {what}", path.display()));
        let report = verify_watched(&dir, trust, &mut |progress| watch(&chain, progress)).map_err(|failure| wrong(&failure))?;
        vouched_for(&chain, &report).map_err(|what| wrong(&what))?;
        whole.push(Whole { chain, report });
    }
    if let Some((state, heads)) = &heads {
        // The records fit; the checkpoints over them must be there as well.
        heads.hold(state, &key)?;
    }
    Ok(Verified { key, chains: whole, heads: heads.is_some() })
}

/// How much was found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) chains: usize,
    pub(crate) records: u64,
    /// Records under signed checkpoints.
    pub(crate) covered: u64,
}

/// Whether the log is whole by this host's own key, for those who only look.
pub(crate) fn extent(state: &Path) -> Result<Extent, Failure> {
    let own = || Ok((VerifyingKey::from_bytes(store::audit_public(state)?.as_bytes())?, Vec::new()));
    let verified = verify(Source::State(state), own, &mut |_, _| {})?;
    let sum = |count: fn(&Report) -> u64| verified.chains.iter().map(|whole| count(&whole.report)).sum();
    Ok(Extent { chains: verified.chains.len(), records: sum(|report| report.records), covered: sum(|report| report.covered) })
}

/// Every chain with its name. They are begun in order, and none is ever removed.
fn in_order(chains: Vec<(PathBuf, Dir)>) -> Result<Vec<(String, PathBuf, Dir)>, Failure> {
    let mut named = Vec::new();
    for (number, (path, dir)) in chains.into_iter().enumerate() {
        let chain = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if chain != format!("chain-{number}") {
            return Err(Failure::denied(format!(
                "audit-chain: audit/chain-{number} is gone: chains are begun in order, and there is `{}`\nhelp: put it back if you know why; otherwise keep the folder as evidence",
                path.display()
            )));
        }
        named.push((chain, path, dir));
    }
    Ok(named)
}

/// Whether the chain is the one whose place it has, and signed for: what anybody could have written proves nothing.
fn vouched_for(chain: &str, report: &Report) -> Result<(), String> {
    // `casemate.audit/KEY/chain-0`
    let own = report.origin.as_deref().and_then(|origin| origin.splitn(3, '/').nth(2));
    if let Some(own) = own.filter(|own| *own != chain) {
        return Err(format!("audit-chain: another chain has been put in its place: it calls itself `{own}` in its checkpoints"));
    }
    let left = report.not_yet_covered();
    if left > 0 && report.covered == 0 {
        return Err(format!(
            "audit-unsigned: none of its {left} records is signed for: `checkpoints` has none, and a chain has one from its first moment\nhelp: where a server was killed in its first moment, start it again and verify then; otherwise the chain was written anew, or its checkpoints were taken away"
        ));
    }
    if left > MOST_UNCOVERED || report.not_covered_for > UNCOVERED_FOR {
        return Err(format!(
            "audit-unsigned: records {} to {} are not signed for: no checkpoint covers them, and one is signed after a minute or a thousand records\nhelp: where a server is writing on a disk that stands still, verify again; otherwise they were written anew, or the checkpoints over them were taken away",
            report.covered,
            report.records.saturating_sub(1)
        ));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_audit::EventKind;
    use serde_json::json;

    use super::*;
    use crate::house::write_down;

    /// What is found of a chain of three records.
    fn found() -> Report {
        let state = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            write_down(state.path(), EventKind::TrustChanged, json!({})).unwrap();
        }
        let key = || Ok((VerifyingKey::from_bytes(store::audit_public(state.path())?.as_bytes())?, Vec::new()));
        verify(Source::State(state.path()), key, &mut |_, _| {}).unwrap().chains.pop().unwrap().report
    }

    #[test]
    fn what_nobody_signed_for_is_not_vouched_for() {
        let report = found();
        vouched_for("chain-0", &report).unwrap();
        assert!(vouched_for("chain-1", &report).unwrap_err().contains("calls itself `chain-0`"));
        let minute = Duration::from_secs(60);
        for (covered, records, not_covered_for, good) in [
            (0, 0, Duration::ZERO, true),
            (0, 1, Duration::ZERO, false),
            (1, 2, minute, true),
            (1, 1 + MOST_UNCOVERED, minute, true),
            (1, 2 + MOST_UNCOVERED, minute, false),
            (1, 2, UNCOVERED_FOR * 2, false),
        ] {
            let report = Report { covered, records, not_covered_for, ..report.clone() };
            let found = vouched_for("chain-0", &report);
            assert_eq!(found.is_ok(), good, "{covered} of {records}: {found:?}");
            assert!(found.is_ok() || found.unwrap_err().starts_with("audit-unsigned: "));
        }
    }
}
