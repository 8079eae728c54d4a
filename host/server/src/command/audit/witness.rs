//! `casemate audit witness`: hosts that vouch for one another's logs.
//!
//! `request` on one host, `cosign` on the other, `add` on the first again. Texts go between them by any way: they are signed.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use casemate_audit::{Cosigner, EventKind, Keys, add_cosigned, request};
use casemate_signing::key::PublicKey;
use clap::Subcommand;
use serde_json::json;

use super::{key, named, text, witness_in};
use crate::{
    clock,
    command::{Context, print},
    exit::{Exit, Failure, Outcome},
    folders::private,
    house::{store, write_down},
};

/// What two hosts do for each other.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write what a witness needs to cosign a chain (C2SP tlog-witness, `add-checkpoint`).
    Request {
        /// Which chain.
        #[arg(long, default_value = "chain-0")]
        chain: String,
        /// How many of its records the witness has cosigned already.
        #[arg(long, default_value_t = 0)]
        old: u64,
    },
    /// Cosign another host's chain, if it is the one that was cosigned before, grown. Prints the checkpoint with the cosignature.
    Cosign {
        /// What the other host requested.
        file: PathBuf,
        /// The other log's public key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The other chain's `keys`, where it was handed over to another key since.
        #[arg(long, value_name = "FILE")]
        handovers: Option<PathBuf>,
    },
    /// Keep a checkpoint that a witness cosigned with the log.
    Add {
        /// What the witness printed.
        file: PathBuf,
        /// The witness's public key: its `witness.pub`, or a verifier key.
        #[arg(long, value_name = "FILE")]
        witness: PathBuf,
        /// Which chain.
        #[arg(long, default_value = "chain-0")]
        chain: String,
    },
}

/// Do one of them.
pub(super) fn run(state: &Path, command: &Command, context: &Context) -> Outcome {
    match command {
        Command::Request { chain, old } => {
            let text = request(&of(state, chain)?, &key(state, None)?, *old)
                .map_err(|error| Failure::denied(format!("{chain}: {error}")))?;
            print::result(context.format, || text.trim_end().to_owned(), || json!({ "chain": chain, "request": text }));
        }
        Command::Cosign { file, key: theirs, handovers } => {
            let trusted = key(Path::new(""), Some(theirs))?;
            let keys = match handovers {
                Some(file) => Keys::follow(&text(file)?, &trusted).map_err(Failure::denied)?,
                None => Keys::only(trusted),
            };
            cosign(state, &whole(text(file)?), &keys, context)?;
        }
        Command::Add { file, witness, chain } => {
            let (dir, witness) = (of(state, chain)?, witness_in(witness)?);
            let word = add_cosigned(&dir, &key(state, None)?, &witness, &whole(text(file)?)).map_err(Failure::denied)?;
            let fields = json!({ "chain": chain, "witness": word.witness, "size": word.size });
            write_down(state, EventKind::LogCosigned, fields.clone())?;
            print::result(context.format, || format!("{chain}: {} cosigned {} records", word.witness, word.size), || fields);
        }
    }
    Ok(Exit::Done)
}

/// Cosign, and write down in this log what of the other was seen: so each anchors the other.
fn cosign(state: &Path, request: &str, keys: &Keys, context: &Context) -> Result<(), Failure> {
    let own = store::witness_key(state)?;
    let public = PublicKey::from_bytes(own.verifying_key().as_bytes())?;
    let folder = private(&state.join("witness"))?;
    let (checkpoint, note) = Cosigner::open(folder, own).cosign(request, keys, clock::now()).map_err(Failure::denied)?;
    let fields = json!({ "origin": checkpoint.origin, "size": checkpoint.size.to_string(), "root": checkpoint.root.to_string() });
    write_down(state, EventKind::LogWitnessed, fields)?;
    print::note(format_args!("cosigned {} records of {} with {}", checkpoint.size, checkpoint.origin, public.fingerprint()));
    print::result(context.format, || note.trim_end().to_owned(), || json!({ "checkpoint": note }));
    Ok(())
}

/// A copied text may have lost its last line break.
fn whole(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn of(state: &Path, chain: &str) -> Result<Dir, Failure> {
    let mut chains = named(state)?;
    let place = chains.iter().position(|(name, _)| name == chain);
    match place {
        Some(place) => Ok(chains.swap_remove(place).1),
        None => Err(Failure::invalid(format!("there is no `audit/{chain}` in `{}`", state.display()))),
    }
}
