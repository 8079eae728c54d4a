//! `casemate trust`: whose signatures count, for which names, where.

use std::{collections::BTreeSet, path::PathBuf};

use casemate_audit::EventKind;
use casemate_signing::{
    Environment,
    key::Fingerprint,
    manifest::PublisherName,
    trust::{Enrolment, Namespace, TrustStore},
};
use clap::Subcommand;

use super::{Context, key::public_key, print};
use crate::{
    exit::{Exit, Failure, Outcome},
    house::{store, write_down},
};

/// Whose signatures count: publisher, names it owns, environments its key serves.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trust a publisher's key. The fingerprint comes from the publisher over another channel, and is not optional.
    Add {
        /// The publisher's name.
        publisher: PublisherName,
        /// The public key, in PEM or as OpenSSH writes it (`ssh-ed25519 AAAA…`).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// What the publisher says its fingerprint is, such as SHA256:…
        #[arg(long)]
        fingerprint: Fingerprint,
        /// Names the publisher owns, such as acme/* or acme/dns; default: all under its own name.
        #[arg(long, value_name = "NAMES")]
        names: Vec<Namespace>,
        /// Where packages signed with this key may be loaded.
        #[arg(long, required = true)]
        environment: Vec<Environment>,
    },
    /// Show every publisher, its names and its keys.
    List,
    /// Take a key's trust back. Packages it signed no longer load.
    Revoke {
        /// Which key.
        fingerprint: Fingerprint,
    },
}

/// Change or show the trust store.
pub fn run(command: &Command, context: &Context) -> Outcome {
    let _changing = store::changing(&context.folders)?;
    let mut trust = store::trust(&context.folders)?;
    match command {
        Command::Add { publisher, key, fingerprint, names, environment } => {
            let namespaces: BTreeSet<Namespace> = if names.is_empty() {
                BTreeSet::from([Namespace::all(publisher.clone())])
            } else {
                names.iter().cloned().collect()
            };
            let key = public_key(key)?;
            let enrolment = Enrolment {
                publisher: publisher.clone(),
                namespaces,
                key,
                fingerprint: *fingerprint,
                environments: environment.iter().copied().collect(),
            };
            trust.enrol(enrolment).map_err(Failure::denied)?;
            on_record(context, environment.iter().copied(), "add", publisher.as_str(), fingerprint)?;
            store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
            let names = trust
                .publishers()
                .get(publisher)
                .map(|known| known.namespaces().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                .unwrap_or_default();
            let places = environment.iter().map(|place| place.as_str()).collect::<Vec<_>>().join(", ");
            print::result(
                context.format,
                || format!("trusted {publisher} for {names} in {places}\n{fingerprint}"),
                || serde_json::json!({ "publisher": publisher, "fingerprint": fingerprint.to_string() }),
            );
        }
        Command::List => print::result(context.format, || text(&trust), || json(&trust)),
        Command::Revoke { fingerprint } => {
            let (publisher, environments) =
                trust.find(fingerprint).map(|(publisher, _, key)| (publisher.clone(), key.environments().clone())).unzip();
            trust.revoke(fingerprint).map_err(Failure::invalid)?;
            let publisher = publisher.as_ref().map_or("", PublisherName::as_str);
            on_record(context, environments.into_iter().flatten(), "revoke", publisher, fingerprint)?;
            store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
            print::note(format_args!("revoked {fingerprint}; running servers unload what it signed within a second"));
        }
    }
    Ok(Exit::Done)
}

/// In the log of every environment that the key serves, before it counts.
fn on_record(
    context: &Context,
    environments: impl Iterator<Item = Environment>,
    change: &str,
    publisher: &str,
    fingerprint: &Fingerprint,
) -> Result<(), Failure> {
    for environment in environments {
        let facts = serde_json::json!({ "change": change, "publisher": publisher, "key": fingerprint.to_string() });
        write_down(&context.folders.state(environment), EventKind::TrustChanged, facts)?;
    }
    Ok(())
}

struct Row {
    publisher: String,
    names: String,
    environments: String,
    fingerprint: String,
    revoked: bool,
}

fn rows(trust: &TrustStore) -> Vec<Row> {
    let join = |items: Vec<String>| items.join(" ");
    trust
        .publishers()
        .iter()
        .flat_map(|(publisher, known)| {
            known.keys().iter().map(move |(fingerprint, key)| Row {
                publisher: publisher.to_string(),
                names: join(known.namespaces().iter().map(ToString::to_string).collect()),
                environments: join(key.environments().iter().map(ToString::to_string).collect()),
                fingerprint: fingerprint.to_string(),
                revoked: key.is_revoked(),
            })
        })
        .collect()
}

fn text(trust: &TrustStore) -> String {
    let head = ["PUBLISHER", "NAMES", "ENVIRONMENTS", "KEY", ""].map(str::to_owned).to_vec();
    let row = |row: Row| {
        vec![
            row.publisher,
            row.names,
            row.environments,
            row.fingerprint,
            if row.revoked { "revoked".to_owned() } else { String::new() },
        ]
    };
    print::table(&std::iter::once(head).chain(rows(trust).into_iter().map(row)).collect::<Vec<_>>())
}

fn json(trust: &TrustStore) -> serde_json::Value {
    rows(trust)
        .into_iter()
        .map(|row| serde_json::json!({ "publisher": row.publisher, "names": row.names, "environments": row.environments, "fingerprint": row.fingerprint, "revoked": row.revoked }))
        .collect()
}
