//! `casemate audit prove` and `verify-proof`: one record, for somebody who has no access to the log.

use std::path::{Path, PathBuf};

use casemate_audit::{EventId, ProveError, prove, verify_proof};
use serde_json::json;

use super::{key, named, text, witnesses};
use crate::{
    command::{Context, Format, print},
    exit::{Exit, Failure, Outcome},
};

/// What is checked, and with what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The proof.
    file: PathBuf,
    /// One of the log's public keys, from any time: its `audit.pub`.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The public key of a witness that must have cosigned the proof's checkpoint. May be repeated.
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
}

/// Print the proof of a record.
pub(super) fn run(state: &Path, id: EventId, context: &Context) -> Outcome {
    let chains = named(state)?;
    let key = key(state, None)?;
    for (chain, dir) in chains {
        match prove(&dir, &key, id) {
            Ok(proof) => {
                print::result(context.format, || proof.trim_end().to_owned(), || json!({ "chain": chain, "proof": proof }));
                return Ok(Exit::Done);
            }
            Err(ProveError::NoSuchRecord(_)) => {}
            Err(error) => return Err(Failure::denied(format!("{chain}: {error}"))),
        }
    }
    Err(Failure::invalid(ProveError::NoSuchRecord(id)))
}

/// Check one.
pub(super) fn check(args: &Args, context: &Context) -> Outcome {
    let (mut proof, key) = (text(&args.file)?, key(Path::new(""), Some(&args.key))?);
    // A copied text may have lost its last line break.
    if !proof.ends_with('\n') {
        proof.push('\n');
    }
    let refused = |damage| Failure::denied(format!("proof-refused: `{}` proves nothing: {damage}", args.file.display()));
    let proved = verify_proof(&proof, &key, &witnesses(&args.witness)?).map_err(refused)?;
    if context.format == Format::Text {
        print::note(format_args!(
            "record {} of {}, under a checkpoint over {} records",
            proved.index, proved.checkpoint.origin, proved.checkpoint.size
        ));
        proved.cosigned.iter().for_each(|word| print::note(format_args!("cosigned by {}", word.witness)));
    }
    print::result(
        context.format,
        || proved.record.to_string(),
        || {
            json!({
                "record": proved.record, "index": proved.index, "origin": proved.checkpoint.origin, "size": proved.checkpoint.size,
                "cosigned": proved.cosigned.iter().map(|word| &word.witness).collect::<Vec<_>>(),
            })
        },
    );
    Ok(Exit::Done)
}
