//! `casemate keyset new` and `next`: what is to be signed, written as one line of JSON.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use casemate_signing::{
    Digest, Environment, Keyset, Timestamp,
    document::{DocumentError, MAX_DOCUMENT},
    key::Fingerprint,
    keyset::{KeysetDraft, KeysetError, KeysetKey, Role, RoleKeys, Roles},
    manifest::PublisherName,
    trust::Namespace,
};

use super::{
    super::{Context, key::public_key, key::write_new, print},
    given::{GivenKey, Threshold},
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::store,
};

/// How keys are given.
const KEY: &str = "[ROLES][@ENVIRONMENTS=]FILE";

/// Draft the first version of a publisher's keyset. It counts once enough of its keys have signed it.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The publisher's name.
    publisher: PublisherName,
    /// A public key, in PEM or as OpenSSH writes it, with every role; or with some: release=ci.pub, keyset,revoke=board.pub. What
    /// follows an @ is where packages it signed may be loaded: release@dev=ci.pub.
    #[arg(long = "key", value_name = KEY, required = true)]
    keys: Vec<GivenKey>,
    /// Where packages may be loaded that were signed with a key of which nothing else is said.
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Vec<Environment>,
    /// How many distinct keys have to sign in a role, such as keyset=2; 1 where nothing is said.
    #[arg(long, value_name = "ROLE=N")]
    threshold: Vec<Threshold>,
    /// When it expires: from then on no package is loaded by it. Such as 2027-12-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires: Timestamp,
    /// Names the publisher owns, such as acme/* or acme/dns; default: all under its own name.
    #[arg(long, value_name = "NAMES")]
    names: Vec<Namespace>,
    /// Where the draft goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl New {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let nobody = || RoleKeys { threshold: 1, keys: BTreeSet::new() };
        let mut draft = KeysetDraft {
            publisher: self.publisher.clone(),
            version: 1,
            expires: self.expires,
            previous: None,
            namespaces: names(&self.publisher, &self.names),
            keys: Vec::new(),
            roles: Roles { keyset: nobody(), release: nobody(), revoke: nobody() },
            revoked: BTreeSet::new(),
        };
        add(&mut draft, &self.keys, &self.environment)?;
        demand(&mut draft, &self.threshold);
        write(&draft, &self.out, context)
    }
}

/// Draft the version after a signed one. What is not changed stays.
#[derive(Debug, clap::Args)]
pub struct Next {
    /// The newest version, signed.
    file: PathBuf,
    /// A public key that is added, as for `casemate keyset new`.
    #[arg(long, value_name = KEY)]
    add_key: Vec<GivenKey>,
    /// Where packages may be loaded that were signed with an added key of which nothing else is said.
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Vec<Environment>,
    /// A key that is left out, by its fingerprint: it may come back.
    #[arg(long, value_name = "FINGERPRINT")]
    remove_key: Vec<Fingerprint>,
    /// A key that counts for nothing any more, by its fingerprint: it was lost or stolen.
    #[arg(long, value_name = "FINGERPRINT")]
    revoke_key: Vec<Fingerprint>,
    /// How many distinct keys have to sign in a role, such as keyset=2.
    #[arg(long, value_name = "ROLE=N")]
    threshold: Vec<Threshold>,
    /// When it expires.
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
    /// Names the publisher owns from now on, in place of those before.
    #[arg(long, value_name = "NAMES")]
    names: Vec<Namespace>,
    /// Where the draft goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Next {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        let file = store::file(&self.file, MAX_DOCUMENT)?;
        let (before, document) = super::read(&self.file)?;
        // Nobody can follow a document that its own keys did not sign.
        let before = Keyset::pinned(&file, before.version, &Digest::of(document.payload())).map_err(|error| match error {
            KeysetError::Document(DocumentError::Shape) => {
                let path = self.file.display();
                Failure::denied(format!("`{path}` is a draft, and nobody signed it\nhelp: casemate keyset sign {path} --key KEY"))
            }
            _ => Failure::denied(format!("`{}`: {}: {error}", self.file.display(), error.code())),
        })?;
        let mut draft = before.fields().clone();
        draft.version = draft.version.checked_add(1).ok_or_else(|| Failure::invalid("there is no version after it"))?;
        draft.previous = Some(before.digest());
        draft.expires = self.expires.unwrap_or(draft.expires);
        if !self.names.is_empty() {
            draft.namespaces = names(&draft.publisher, &self.names);
        }
        for key in &self.remove_key {
            remove(&mut draft, key)?;
        }
        for key in &self.revoke_key {
            // One that was left out before can still be found to be stolen.
            if draft.keys.iter().any(|known| known.key.fingerprint() == *key) {
                remove(&mut draft, key)?;
            }
            draft.revoked.insert(*key);
        }
        add(&mut draft, &self.add_key, &self.environment)?;
        demand(&mut draft, &self.threshold);
        write(&draft, &self.out, context)
    }
}

fn names(publisher: &PublisherName, names: &[Namespace]) -> BTreeSet<Namespace> {
    if names.is_empty() { [Namespace::all(publisher.clone())].into() } else { names.iter().cloned().collect() }
}

fn role_mut(roles: &mut Roles, role: Role) -> &mut RoleKeys {
    match role {
        Role::Keyset => &mut roles.keyset,
        Role::Release => &mut roles.release,
        Role::Revoke => &mut roles.revoke,
    }
}

fn add(draft: &mut KeysetDraft, given: &[GivenKey], environments: &[Environment]) -> Result<(), Failure> {
    for given in given {
        let key = public_key(&given.path)?;
        let fingerprint = key.fingerprint();
        let environments =
            if given.environments.is_empty() { environments.iter().copied().collect() } else { given.environments.clone() };
        draft.keys.push(KeysetKey { key, environments });
        for role in &given.roles {
            role_mut(&mut draft.roles, *role).keys.insert(fingerprint);
        }
    }
    Ok(())
}

fn remove(draft: &mut KeysetDraft, key: &Fingerprint) -> Result<(), Failure> {
    let before = draft.keys.len();
    draft.keys.retain(|known| known.key.fingerprint() != *key);
    if draft.keys.len() == before {
        return Err(Failure::invalid(format!("the key {key} is not among the keys")));
    }
    for role in Role::ALL {
        role_mut(&mut draft.roles, role).keys.remove(key);
    }
    Ok(())
}

fn demand(draft: &mut KeysetDraft, thresholds: &[Threshold]) {
    for Threshold { role, count } in thresholds {
        role_mut(&mut draft.roles, *role).threshold = *count;
    }
}

/// Write the draft where nothing is yet: what others have signed is not overwritten.
fn write(draft: &KeysetDraft, out: &Path, context: &Context) -> Outcome {
    if draft.expires <= clock::now() {
        return Err(Failure::invalid(format!("it would have expired at {}\nhelp: --expires TIME, in the future", draft.expires)));
    }
    let payload = draft.to_payload().map_err(|error| Failure::invalid(format!("{}: {error}", error.code())))?;
    let fingerprint = Fingerprint::of(&payload);
    write_new(out, &[&payload[..], b"\n"].concat(), 0o644, "a keyset")?;
    print::result(
        context.format,
        || {
            format!(
                "drafted keyset {} of {}\n        {fingerprint}\nin      {}\nnext:   casemate keyset sign {} --key KEY",
                draft.version,
                draft.publisher,
                out.display(),
                out.display()
            )
        },
        || {
            serde_json::json!({
                "publisher": draft.publisher, "version": draft.version, "fingerprint": fingerprint.to_string(), "draft": out
            })
        },
    );
    Ok(Exit::Done)
}
