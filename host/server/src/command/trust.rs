//! `casemate trust`: whose signatures count, for which names, where.

mod add;
mod list;
mod remove;
pub(crate) mod revocations;
mod rotate;
mod show;

use std::{collections::BTreeSet, path::PathBuf};

use casemate_audit::EventKind;
use casemate_signing::{
    Environment, Timestamp,
    highwater::{DocumentRollbackError, HighWater},
    key::Fingerprint,
    manifest::PublisherName,
    trust::TrustStore,
};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::{store, write_down},
};

/// Whose signatures count: publisher, names it owns, environments its key serves.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trust a publisher's key or keyset. The fingerprint comes from the publisher over another channel, and is not optional.
    Add(add::Args),
    /// Show every publisher, its names and its keys.
    List,
    /// Show everything that is known of a publisher: its keys and what each may do, how many have to sign, what is revoked.
    Show {
        /// Which publisher.
        publisher: PublisherName,
    },
    /// Follow a publisher to the next version of its keyset, or over several to the newest.
    ///
    /// Each has to be signed by as many keys as the one before asks for, and as many as it asks for itself.
    Rotate {
        /// Which publisher.
        publisher: PublisherName,
        /// The documents, oldest first.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Take a key's trust back. Packages it signed no longer load.
    Revoke {
        /// Which key.
        fingerprint: Fingerprint,
    },
    /// Forget a publisher. What it signed no longer loads.
    Remove {
        /// Which publisher.
        publisher: PublisherName,
    },
    /// Watch a publisher's revocation list. From then on there has to be a valid one, or nothing of the publisher's loads.
    ///
    /// A running server takes a changed file at once, and asks a URL every minute.
    Revocations {
        /// Which publisher.
        publisher: PublisherName,
        /// The file in which the newest list is kept up to date, or the https URL that the publisher has it at.
        #[arg(long, value_name = "FILE|URL", required_unless_present = "none")]
        from: Option<String>,
        /// Watch no list any more.
        #[arg(long, conflicts_with = "from")]
        none: bool,
    },
    /// Take the newest revocation list of a publisher, or of every one that is watched.
    Refresh {
        /// Which publisher; default: all.
        publisher: Option<PublisherName>,
    },
}

/// Change or show the trust store.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let _changing = store::changing(&context.folders)?;
    let trust = store::trust(&context.folders)?;
    match command {
        Command::Add(args) => args.run(trust, context),
        Command::List => {
            list::run(&trust, context);
            Ok(Exit::Done)
        }
        Command::Show { publisher } => show::run(&trust, publisher, context),
        Command::Rotate { publisher, files } => rotate::run(trust, publisher, files, context),
        Command::Revoke { fingerprint } => revoke(trust, fingerprint, context),
        Command::Remove { publisher } => remove::run(trust, publisher, context),
        Command::Revocations { publisher, from, .. } => revocations::watch(trust, publisher, from.as_deref(), context),
        Command::Refresh { publisher } => revocations::refresh(trust, publisher.as_ref(), context),
    }
}

fn revoke(mut trust: TrustStore, fingerprint: &Fingerprint, context: &Context) -> Outcome {
    let known = trust.find(fingerprint).map(|(publisher, _, key)| (publisher.clone(), key.environments().clone()));
    trust.revoke(fingerprint).map_err(Failure::invalid)?;
    if let Some((publisher, environments)) = known {
        on_record(context, &environments, "revoke", &publisher, json!({ "key": fingerprint.to_string() }))?;
    }
    store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
    print::note(format_args!("revoked {fingerprint}; running servers unload what it signed within a second"));
    Ok(Exit::Done)
}

/// In the log of every environment that the change reaches, before it counts.
fn on_record(
    context: &Context,
    environments: &BTreeSet<Environment>,
    change: &str,
    publisher: &PublisherName,
    facts: Value,
) -> Result<(), Failure> {
    let mut fields = json!({ "change": change, "publisher": publisher });
    if let (Some(fields), Value::Object(facts)) = (fields.as_object_mut(), facts) {
        fields.extend(facts);
    }
    environments.iter().try_for_each(|place| write_down(&context.folders.state(*place), EventKind::TrustChanged, fields.clone()))
}

/// Where a publisher's keys count.
fn environments(trust: &TrustStore, publisher: &PublisherName) -> BTreeSet<Environment> {
    let keys = trust.publishers().get(publisher).into_iter().flat_map(|known| known.keys().values());
    keys.flat_map(|key| key.environments().iter().copied()).collect()
}

/// Remember, in each of these environments, which document was accepted. Older ones are refused from then on, whatever the trust file
/// says; so the document is kept before its mark is: a server that looks in between finds one that is newer than its mark, and a
/// program that stops in between leaves one, whose mark the next look raises. With `keep` false it is only looked at.
fn remember(
    context: &Context,
    environments: &BTreeSet<Environment>,
    accept: impl Fn(&mut HighWater) -> Result<(), DocumentRollbackError>,
    keep: bool,
) -> Result<(), Failure> {
    for place in environments {
        let keys = store::keys(&context.folders.state(*place))?;
        let before = store::highwater(&context.folders, *place, &keys)?;
        let mut highwater = before.clone();
        accept(&mut highwater).map_err(|error| Failure::denied(format!("in `{place}`: {error}")))?;
        if keep && highwater != before {
            store::keep_highwater(&context.folders, *place, &keys, &highwater)?;
        }
    }
    Ok(())
}

/// Every key of a publisher that a revocation list took back, as these environments remember it.
fn taken_back(
    context: &Context,
    environments: &BTreeSet<Environment>,
    publisher: &PublisherName,
) -> Result<BTreeSet<Fingerprint>, Failure> {
    let mut keys = BTreeSet::new();
    for place in environments {
        let state = context.folders.state(*place);
        let highwater = store::highwater(&context.folders, *place, &store::keys(&state)?)?;
        keys.extend(highwater.taken_back(publisher).copied());
    }
    Ok(keys)
}

/// Long before anything here: no document has expired then.
const BEFORE_ALL: Timestamp = Timestamp::from_millis(i64::MIN);

/// The items, with a space between them.
fn join(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}
