//! `casemate trust add`: a publisher's key, or its keyset.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use casemate_signing::{
    Environment, Keyset,
    document::MAX_DOCUMENT,
    key::Fingerprint,
    manifest::PublisherName,
    trust::{Binding, Enrolment, Namespace, TrustStore},
};
use serde_json::json;

use super::{
    super::{Context, key::public_key, print},
    on_record, remember,
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::store,
};

/// Whom to trust, by what, for what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The publisher's name, with --key; or the file of its keyset.
    #[arg(value_name = "PUBLISHER|KEYSET")]
    what: String,
    /// The public key, in PEM or as OpenSSH writes it (`ssh-ed25519 AAAA…`).
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What the publisher says its fingerprint is, such as SHA256:…
    #[arg(long)]
    fingerprint: Fingerprint,
    /// Names the publisher owns, such as acme/* or acme/dns; default: all under its own name.
    #[arg(long, value_name = "NAMES")]
    names: Vec<Namespace>,
    /// Where packages signed with this key may be loaded; of a keyset, what the keyset says as well.
    #[arg(long, required = true)]
    environment: Vec<Environment>,
}

impl Args {
    pub(super) fn run(&self, trust: TrustStore, context: &Context) -> Outcome {
        match &self.key {
            Some(key) => self.add_key(key, trust, context),
            None => self.add_keyset(trust, context),
        }
    }

    fn add_key(&self, key: &Path, mut trust: TrustStore, context: &Context) -> Outcome {
        let publisher: PublisherName = self.what.parse().map_err(Failure::invalid)?;
        let environments = self.environments();
        let enrolment = Enrolment {
            publisher: publisher.clone(),
            namespaces: self.namespaces(&publisher),
            key: public_key(key)?,
            fingerprint: self.fingerprint,
            environments: environments.clone(),
        };
        trust.enrol(enrolment).map_err(Failure::denied)?;
        on_record(context, &environments, "add", &publisher, json!({ "key": self.fingerprint.to_string() }))?;
        store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
        self.say(&trust, &publisher, context);
        Ok(Exit::Done)
    }

    fn add_keyset(&self, mut trust: TrustStore, context: &Context) -> Outcome {
        let Some(file) = store::file_if_there(self.what.as_ref(), MAX_DOCUMENT)? else {
            return Err(Failure::invalid(format!(
                "there is no keyset `{}`\nhelp: a publisher's name needs --key FILE; its keyset is named by its file",
                self.what
            )));
        };
        let keyset = Keyset::first(&file, &self.fingerprint)
            .map_err(|error| Failure::denied(format!("`{}`: {}: {error}", self.what, error.code())))?;
        let publisher = keyset.publisher().clone();
        let environments = self.environments();
        let binding =
            Binding { keyset: keyset.clone(), namespaces: self.namespaces(&publisher), environments: environments.clone() };
        trust.bind(binding, clock::now()).map_err(Failure::denied)?;
        // Looked at first: what is refused leaves no trace of having been accepted.
        remember(context, &environments, |highwater| highwater.accept_keyset(&keyset), false)?;
        let facts = json!({ "keyset": keyset.version(), "digest": keyset.digest().to_string() });
        on_record(context, &environments, "add", &publisher, facts)?;
        remember(context, &environments, |highwater| highwater.accept_keyset(&keyset), true)?;
        store::replace(&store::keyset_of(&context.folders, &publisher, keyset.version()), &file)?;
        store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
        self.say(&trust, &publisher, context);
        Ok(Exit::Done)
    }

    fn environments(&self) -> BTreeSet<Environment> {
        self.environment.iter().copied().collect()
    }

    fn namespaces(&self, publisher: &PublisherName) -> BTreeSet<Namespace> {
        if self.names.is_empty() { [Namespace::all(publisher.clone())].into() } else { self.names.iter().cloned().collect() }
    }

    fn say(&self, trust: &TrustStore, publisher: &PublisherName, context: &Context) {
        let known = trust.publishers().get(publisher);
        let names = known.map(|known| known.namespaces().iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default();
        let version = known.and_then(|known| known.keyset()).map(Keyset::version);
        let fingerprint = self.fingerprint.to_string();
        print::result(
            context.format,
            || {
                let places = self.environment.iter().map(|place| place.as_str()).collect::<Vec<_>>().join(", ");
                let by = version.map(|version| format!(" by its keyset {version}")).unwrap_or_default();
                format!("trusted {publisher}{by} for {} in {places}\n{fingerprint}", names.join(", "))
            },
            || match version {
                Some(version) => json!({ "publisher": publisher, "keyset": version, "fingerprint": fingerprint }),
                None => json!({ "publisher": publisher, "fingerprint": fingerprint }),
            },
        );
    }
}
