//! `casemate audit`: read the log, prove that it is whole, and keep it so.

pub mod chain;
mod details;
pub mod export;
pub mod look;
mod proof;
mod prune;
mod rotate;
mod verify;
mod witness;

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use casemate_audit::{EventId, Witness};
use casemate_policy::Timestamp;
use clap::Subcommand;
use ed25519_dalek::VerifyingKey;

use super::{Context, key::public_key};
use crate::{
    config::Config,
    exit::{Failure, Outcome},
    house::{chains, no_log, store},
};

/// A proof, a checkpoint, or what is asked of a witness: a record has at most some megabytes.
const MAX_TEXT: usize = 32 << 20;

/// The audit log: every decision, before its effect, in chains that cannot be changed unnoticed.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check every record, tile and detail file of every chain, offline, with only a public key.
    Verify(verify::Args),
    /// Show one record, call or approval whole, or what fits the filters, oldest first.
    Show(look::Show),
    /// Look for records, the newest last.
    Query(look::Query),
    /// Show the newest records, and with -f those that are written from now on.
    Tail(look::Tail),
    /// Show the calls that led to a record, a call or an approval, as a tree or a picture.
    Chain(chain::Args),
    /// Write records in the words of another system.
    Export(export::Args),
    /// Prove one record to an outsider: the record, its way to the signed root, and the checkpoint, in one text (C2SP tlog-proof).
    Prove {
        /// Which record: its audit id.
        id: EventId,
    },
    /// Check a proof, offline, with only the log's public key.
    VerifyProof(proof::Args),
    /// Let others cosign this log, and cosign theirs: so that neither can be written anew unseen.
    #[command(subcommand)]
    Witness(witness::Command),
    /// Hand every chain over to a new key, by a record that the old one signs.
    RotateKey,
    /// Remove old records by whole files. Their hashes stay, and everything that was proved.
    Prune(prune::Args),
}

/// Run one of them.
pub fn run(command: &Command, context: &Context) -> Outcome {
    match command {
        Command::VerifyProof(args) => return proof::check(args, context),
        Command::Verify(args) if args.folder.is_some() => return verify::run(Path::new(""), args, context),
        _ => {}
    }
    let config = Config::read(&context.folders.config)?;
    let state = context.folders.state(config.environment);
    match command {
        Command::Verify(args) => verify::run(&state, args, context),
        Command::Show(show) => look::show(&state, show, context),
        Command::Query(query) => look::query(&state, query, context),
        Command::Tail(tail) => look::tail(&state, tail, context),
        Command::Chain(args) => chain::run(&state, args, context),
        Command::Export(args) => export::run(&state, args),
        Command::Prove { id } => proof::run(&state, *id, context),
        Command::VerifyProof(args) => proof::check(args, context),
        Command::Witness(command) => witness::run(&state, command, context),
        Command::RotateKey => rotate::run(&state, context),
        Command::Prune(args) => prune::run(&state, args, config.audit.keep, context),
    }
}

/// A key to check a log with: one from a file, or this host's own.
fn key(state: &Path, file: Option<&Path>) -> Result<VerifyingKey, Failure> {
    let public = match file {
        Some(file) => public_key(file)?,
        None => store::audit_public(state)?,
    };
    Ok(VerifyingKey::from_bytes(public.as_bytes())?)
}

/// Every chain by its name.
fn named(state: &Path) -> Result<Vec<(String, Dir)>, Failure> {
    let chains = chains(state)?.0;
    if chains.is_empty() {
        return Err(no_log(state));
    }
    Ok(chains.into_iter().map(|(path, dir)| (name(&path), dir)).collect())
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Witnesses by their public keys: another casemate's in PEM, or a verifier key.
fn witnesses(files: &[PathBuf]) -> Result<Vec<Witness>, Failure> {
    files.iter().map(|file| witness_in(file)).collect()
}

fn witness_in(file: &Path) -> Result<Witness, Failure> {
    let text = text(file)?;
    match Witness::from_vkey(&text) {
        Some(witness) => Ok(witness),
        None => Ok(Witness::of(key(Path::new(""), Some(file))?)),
    }
}

fn text(file: &Path) -> Result<String, Failure> {
    let bytes = store::file(file, MAX_TEXT)?;
    String::from_utf8(bytes).map_err(|_| Failure::invalid(format!("`{}` is not text", file.display())))
}

/// The moment so long ago.
fn ago(now: Timestamp, millis: u64) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_sub(i64::try_from(millis).unwrap_or(i64::MAX)))
}
