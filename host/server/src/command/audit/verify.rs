//! `casemate audit verify`: what anybody can say of the log with its folder and a public key.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use casemate_audit::{Checkpoint, CheckpointDamage, Failure as Wrong, Trust, keys, verify_with};
use casemate_signing::key::PublicKey;
use ed25519_dalek::VerifyingKey;
use serde_json::json;

use crate::{
    command::{Context, print},
    exit::{Exit, Failure, Outcome},
    house::store,
    trail::whole::{self, Source, Whole},
};

/// Bytes of a copy of a chain's `checkpoints`: two years of one a minute.
const MAX_CHECKPOINTS: usize = 256 << 20;

/// What the log is held against.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A copy of the folder `audit`, wherever it is: no configuration is needed, and nothing else of the host it came from.
    #[arg(long, value_name = "FOLDER", requires = "key")]
    pub(super) folder: Option<PathBuf>,
    /// One of the log's public keys, from any time; default: this host's own.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A checkpoint kept elsewhere, or a copy of a chain's `checkpoints`: some chain must still hold all of it. May be repeated.
    #[arg(long, value_name = "FILE")]
    against: Vec<PathBuf>,
    /// The public key of a witness that must have cosigned every chain. May be repeated.
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
}

/// Check every chain.
pub(super) fn run(state: &Path, Args { folder, key: file, against, witness }: &Args, context: &Context) -> Outcome {
    let source = folder.as_deref().map_or(Source::State(state), Source::Copy);
    let mut watched = print::Watched::new();
    let trusted = || Ok((super::key(state, file.as_deref())?, super::witnesses(witness)?));
    let whole = whole::verify(source, trusted, &mut |chain, progress| {
        watched.show(|| format!("{chain}: {} of {} records", progress.records, progress.records.max(progress.signed)));
    })?;
    drop(watched);
    let fingerprint = PublicKey::from_bytes(whole.key.as_bytes())?.fingerprint();
    let (mut lines, mut values) = (vec![format!("key {fingerprint}")], Vec::new());
    for Whole { chain: name, report } in &whole.chains {
        let mut line = format!(
            "{name}: {} records, all in place; {} under {} signed checkpoints",
            report.records, report.covered, report.checkpoints
        );
        if report.not_yet_covered() > 0 {
            line.push_str(&format!("; {} not yet covered", report.not_yet_covered()));
        }
        if !report.unfinished.is_empty() {
            line.push_str(&format!("; {} calls without an outcome", report.unfinished.len()));
        }
        if report.removed > 0 {
            line.push_str(&format!("; the first {} were removed for their age, and their hashes fit", report.removed));
        }
        let rotations = report.keys.handovers().len();
        if rotations > 0 {
            line.push_str(&format!("; handed over to {}", print::counted(rotations, "further key")));
        }
        if report.tiled < report.covered {
            line.push_str(&format!("; the tiles cover {}", report.tiled));
        }
        let unfinished = report.torn.as_ref().map_or(0, |torn| torn.bytes) + report.torn_checkpoint + report.torn_keys;
        if unfinished > 0 {
            line.push_str(&format!("; {unfinished} bytes at the end are unfinished, as a crash leaves them"));
        }
        for word in &report.cosigned {
            line.push_str(&format!("; {} cosigned {}", word.witness, word.size));
        }
        lines.push(line);
        let cosigned: Vec<_> =
            report.cosigned.iter().map(|word| json!({ "witness": word.witness, "size": word.size, "time": word.time })).collect();
        values.push(json!({ "removed": report.removed, "tiled": report.tiled, "details": report.details, "handovers": rotations, "cosigned": cosigned, "origin": report.origin, "chain": name, "records": report.records, "covered": report.covered, "checkpoints": report.checkpoints, "not_yet_covered": report.not_yet_covered(), "unfinished": report.unfinished.len(), "torn_bytes": unfinished }));
    }
    if !whole.heads && folder.is_none() {
        lines.push("not held against audit.heads: there is no host.key to read it with".to_owned());
    }
    let chains = source.chains()?;
    for file in against {
        let chain = held_by(&chains, &whole.key, file)?;
        lines.push(format!("{}: {chain} holds it", file.display()));
    }
    let value = json!({ "key": fingerprint.to_string(), "heads": whole.heads, "chains": values });
    print::result(context.format, || lines.join("\n"), || value);
    Ok(Exit::Done)
}

/// The chain that holds what a file of checkpoints says.
fn held_by(chains: &[(PathBuf, Dir)], key: &VerifyingKey, file: &Path) -> Result<String, Failure> {
    let text = store::file(file, MAX_CHECKPOINTS)?;
    let text =
        std::str::from_utf8(&text).map_err(|_| Failure::invalid(format!("`{}`: {}", file.display(), CheckpointDamage::Shape)))?;
    let mut largest = 0;
    for (path, dir) in chains {
        let wrong = |failure: Wrong| Failure::denied(format!("{}: {failure}", path.display()));
        let kept = Checkpoint::open_all(text, &keys(dir, key).map_err(wrong)?)
            .map_err(|damage| Failure::invalid(format!("`{}`: {damage}", file.display())))?;
        largest = kept.iter().map(|checkpoint| checkpoint.size).max().unwrap_or_default();
        match verify_with(dir, Trust { key, kept: &kept, witnesses: &[] }) {
            Ok(_) => return Ok(super::name(path)),
            Err(Wrong::Truncated { line: 0, .. } | Wrong::Rewritten { line: 0, .. }) => {}
            Err(failure) => return Err(wrong(failure)),
        }
    }
    Err(Failure::denied(format!(
        "`{}` is signed by this log's key over {largest} records, and no chain holds them: the chain was cut back, removed or written anew",
        file.display()
    )))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use casemate_audit::EventKind;

    use super::*;
    use crate::connect::Homes;
    use crate::{
        command::Format,
        folders::{Folders, Xdg},
        house::write_down,
    };

    /// A log of two records, and what it takes to verify it.
    fn written() -> (tempfile::TempDir, PathBuf, Context) {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::choose(Some(dir.path()), None, &Xdg::default()).unwrap();
        let state = folders.state(casemate_signing::Environment::Dev);
        for _ in 0..2 {
            write_down(&state, EventKind::TrustChanged, json!({})).unwrap();
        }
        (
            dir,
            state,
            Context {
                folders,
                format: Format::Json,
                program: PathBuf::new(),
                registry_credentials: None,
                homes: Homes::default(),
            },
        )
    }

    fn check(state: &Path, against: &[PathBuf], context: &Context) -> Outcome {
        run(state, &Args { folder: None, key: None, against: against.to_vec(), witness: Vec::new() }, context)
    }

    /// Leave the first lines of a file alone.
    fn cut(path: &Path, lines: usize) {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, text.split_inclusive('\n').take(lines).collect::<String>()).unwrap();
    }

    #[track_caller]
    fn refused(outcome: Outcome, what: &str) {
        let failure = outcome.unwrap_err();
        assert!(failure.message.contains(what), "{}", failure.message);
    }

    #[test]
    fn verify_holds_every_chain_against_its_head() {
        let (_dir, state, context) = written();
        let chain = state.join("audit/chain-0");
        let verify = || check(&state, &[], &context);
        verify().unwrap();
        let checkpoints = fs::read(chain.join("checkpoints")).unwrap();
        fs::remove_file(chain.join("checkpoints")).unwrap();
        refused(verify(), "gone from `checkpoints`");
        fs::write(chain.join("checkpoints"), checkpoints).unwrap();
        cut(&chain.join("checkpoints"), 5);
        cut(&chain.join("00000000000000000000.jsonl"), 1);
        refused(verify(), "a checkpoint that was kept elsewhere covers 2");
        fs::remove_dir_all(&chain).unwrap();
        refused(verify(), "audit/chain-0 is gone");
        fs::remove_dir_all(state.join("audit")).unwrap();
        fs::remove_file(state.join("audit.pem")).unwrap();
        refused(verify(), "audit/chain-0 is gone");
    }

    #[test]
    fn verify_takes_the_key_that_signs_and_not_a_file_put_beside_it() {
        let (_dir, state, context) = written();
        let other = casemate_signing::key::PrivateKey::generate().unwrap().public_key().to_pem().unwrap();
        let own = fs::read(state.join("audit.pub")).unwrap();
        fs::write(state.join("audit.pub"), other).unwrap();
        refused(check(&state, &[], &context), "not the public half");
        fs::remove_file(state.join("audit.pub")).unwrap();
        check(&state, &[], &context).unwrap();
        assert!(!state.join("audit.pub").exists(), "verifying writes nothing");
        fs::remove_file(state.join("audit.pem")).unwrap();
        fs::write(state.join("audit.pub"), own).unwrap();
        check(&state, &[], &context).unwrap();
    }

    /// A folder with everything in it.
    fn copy_all(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy_all(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }

    #[test]
    fn a_kept_checkpoint_shows_what_the_state_folder_cannot() {
        let (dir, state, context) = written();
        let old = dir.path().join("old");
        let chain = state.join("audit/chain-0");
        let heads = (state.join("audit.heads"), dir.path().join("heads"));
        copy_all(&chain, &old);
        fs::copy(&heads.0, &heads.1).unwrap();
        write_down(&state, EventKind::TrustChanged, json!({})).unwrap();
        let kept = dir.path().join("kept");
        fs::copy(chain.join("checkpoints"), &kept).unwrap();
        check(&state, &[kept.clone(), old.join("checkpoints")], &context).unwrap();
        // All of it is put back as it was: what is in the state folder fits together.
        fs::remove_dir_all(&chain).unwrap();
        copy_all(&old, &chain);
        fs::copy(&heads.1, &heads.0).unwrap();
        check(&state, &[old.join("checkpoints")], &context).unwrap();
        refused(check(&state, std::slice::from_ref(&kept), &context), "over 3 records, and no chain holds them");
        fs::write(&kept, "nothing").unwrap();
        refused(check(&state, &[kept], &context), "not written as a checkpoint");
    }
}
