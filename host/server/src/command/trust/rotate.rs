//! `casemate trust rotate`: from a publisher's keyset to its next.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use casemate_signing::{
    Keyset,
    document::MAX_DOCUMENT,
    key::Fingerprint,
    manifest::PublisherName,
    trust::{TrustError, TrustStore},
};
use serde_json::json;

use super::{
    super::{Context, print},
    BEFORE_ALL, environments, on_record, remember, taken_back,
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::store,
};

pub(super) fn run(mut trust: TrustStore, publisher: &PublisherName, files: &[PathBuf], context: &Context) -> Outcome {
    let (from, before) = (version(&trust, publisher), keys(&trust, publisher));
    let mut reached = environments(&trust, publisher);
    // The list that took a key back may not be attached: after a rotation it is one that the new keyset's keys did not sign.
    let remembered = taken_back(context, &reached, publisher)?;
    let mut documents = Vec::new();
    for (number, path) in files.iter().enumerate() {
        let file = store::file(path, MAX_DOCUMENT)?;
        // Those in between may have expired: they only lead to the newest (TUF 1.0.33, 5.3.10).
        let now = if number + 1 == files.len() { clock::now() } else { BEFORE_ALL };
        let keyset = trust.rotate(publisher, &file, &remembered, now).map_err(|error| refused(path, &error))?.clone();
        documents.push((keyset, file));
    }
    let Some((newest, _)) = documents.last() else { return Err(Failure::invalid("there is no document to rotate to")) };
    reached.extend(environments(&trust, publisher));

    // Looked at first: what is refused leaves no trace of having been accepted.
    remember(context, &reached, |highwater| highwater.accept_keyset(newest), false)?;
    let facts = json!({ "from": from, "keyset": newest.version(), "digest": newest.digest().to_string() });
    on_record(context, &reached, "rotate", publisher, facts)?;
    for (keyset, file) in &documents {
        store::replace(&store::keyset_of(&context.folders, publisher, keyset.version()), file)?;
    }
    store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
    remember(context, &reached, |highwater| highwater.accept_keyset(newest), true)?;

    if let Err(failure) = store::attach(&context.folders, &mut trust, publisher) {
        print::note(format_args!(
            "{}\nhelp: casemate trust refresh {publisher}, once there is a list that the new keyset's keys signed; until then nothing of theirs loads",
            failure.message
        ));
    }
    say(publisher, newest, &before, &keys(&trust, publisher), context);
    Ok(Exit::Done)
}

fn refused(path: &Path, error: &TrustError) -> Failure {
    match error {
        TrustError::Keyset { error, .. } => Failure::denied(format!("`{}`: {}: {error}", path.display(), error.code())),
        TrustError::NotTrusted(_) | TrustError::NoKeyset(_) => Failure::invalid(error),
        _ => Failure::denied(format!("`{}`: {error}", path.display())),
    }
}

fn version(trust: &TrustStore, publisher: &PublisherName) -> Option<u64> {
    trust.publishers().get(publisher).and_then(|known| known.keyset()).map(Keyset::version)
}

fn keys(trust: &TrustStore, publisher: &PublisherName) -> BTreeSet<Fingerprint> {
    let known = trust.publishers().get(publisher);
    known.into_iter().flat_map(|known| known.keys()).filter(|(_, key)| !key.is_revoked()).map(|(key, _)| *key).collect()
}

fn say(
    publisher: &PublisherName,
    keyset: &Keyset,
    before: &BTreeSet<Fingerprint>,
    after: &BTreeSet<Fingerprint>,
    context: &Context,
) {
    let added: Vec<String> = after.difference(before).map(ToString::to_string).collect();
    let gone: Vec<String> = before.difference(after).map(ToString::to_string).collect();
    let (version, fingerprint) = (keyset.version(), keyset.fingerprint().to_string());
    print::result(
        context.format,
        || {
            let mut text = format!("rotated {publisher} to keyset {version}\n        {fingerprint}\n");
            for key in &added {
                text.push_str(&format!("new     {key}\n"));
            }
            for key in &gone {
                text.push_str(&format!("gone    {key}\n"));
            }
            text
        },
        || json!({ "publisher": publisher, "keyset": version, "fingerprint": fingerprint, "new": added, "gone": gone }),
    );
}
