//! `casemate trust revocations` and `refresh`: which revocation lists are watched, and their newest versions.

use casemate_signing::{document::MAX_DOCUMENT, manifest::PublisherName, revocation::RevocationList, trust::TrustStore};
use serde_json::json;

use super::{
    super::{Context, print},
    environments, on_record, remember,
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
    house::store,
};

/// Watch a list, which has to be there and valid; or none.
pub(super) fn watch(mut trust: TrustStore, publisher: &PublisherName, from: Option<&str>, context: &Context) -> Outcome {
    let source = match from {
        Some(place) if is_url(place) => return Err(no_file(publisher, place)),
        // Where the program is started next time is not where it was started now.
        Some(path) => Some(absolute(path)?),
        None => None,
    };
    trust.want_revocations(publisher, source.clone()).map_err(Failure::invalid)?;
    let reached = environments(&trust, publisher);
    let Some(source) = source else {
        on_record(context, &reached, "revocations", publisher, json!({ "source": null }))?;
        store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
        store::forget_revocations(&context.folders, publisher)?;
        print::note(format_args!("the revocation list of {publisher} is not watched any more"));
        return Ok(Exit::Done);
    };
    let (list, file) = newest(&mut trust, publisher, &source, context)?;
    let facts = json!({ "source": source, "list": list.version(), "digest": list.digest().to_string() });
    on_record(context, &reached, "revocations", publisher, facts)?;
    remember(context, &reached, |highwater| highwater.accept_revocations(&list), true)?;
    store::replace(&store::revocations_of(&context.folders, publisher), &file)?;
    store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
    say(publisher, &list, context);
    Ok(Exit::Done)
}

/// Take the newest lists. One that cannot be had does not keep the others from being taken.
pub(super) fn refresh(mut trust: TrustStore, only: Option<&PublisherName>, context: &Context) -> Outcome {
    let watched: Vec<(PublisherName, String)> = trust
        .publishers()
        .iter()
        .filter(|(publisher, _)| only.is_none_or(|only| only == *publisher))
        .filter_map(|(publisher, known)| Some((publisher.clone(), known.revocation_source()?.to_owned())))
        .collect();
    if let (Some(only), []) = (only, watched.as_slice()) {
        return Err(Failure::invalid(format!(
            "no revocation list of `{only}` is watched\nhelp: casemate trust revocations {only} --from FILE"
        )));
    }
    let mut worst: Option<Failure> = None;
    for (publisher, source) in watched {
        match take(&mut trust, &publisher, &source, context) {
            Ok(list) => say(&publisher, &list, context),
            Err(failure) => {
                if let Some(other) =
                    worst.replace(Failure { exit: failure.exit, message: format!("{publisher}: {}", failure.message) })
                {
                    super::super::complain(&other);
                }
            }
        }
    }
    worst.map_or(Ok(Exit::Done), Err)
}

fn take(trust: &mut TrustStore, publisher: &PublisherName, source: &str, context: &Context) -> Result<RevocationList, Failure> {
    let known = trust.publishers().get(publisher).and_then(|known| known.revocations()).map(RevocationList::digest);
    let (list, file) = newest(trust, publisher, source, context)?;
    if known != Some(list.digest()) {
        let reached = environments(trust, publisher);
        let facts = json!({ "list": list.version(), "digest": list.digest().to_string() });
        on_record(context, &reached, "refresh", publisher, facts)?;
        remember(context, &reached, |highwater| highwater.accept_revocations(&list), true)?;
        store::replace(&store::revocations_of(&context.folders, publisher), &file)?;
    }
    Ok(list)
}

/// The list at its source, if those who may revoke signed it, it has not expired, and no newer one was seen.
fn newest(
    trust: &mut TrustStore,
    publisher: &PublisherName,
    source: &str,
    context: &Context,
) -> Result<(RevocationList, Vec<u8>), Failure> {
    if is_url(source) {
        return Err(no_file(publisher, source));
    }
    let file = store::file(source.as_ref(), MAX_DOCUMENT)?;
    let refused = |code: &str, why: &dyn std::fmt::Display| Failure::denied(format!("`{source}`: {code}: {why}"));
    let list = trust.attach_revocations(publisher, &file).map_err(|error| refused(error.code(), &error))?.clone();
    if list.is_expired(clock::now()) {
        let why = format!("list {} expired at {}\nhelp: ask the publisher for a newer one", list.version(), list.expires());
        return Err(refused("revocations-expired", &why));
    }
    remember(context, &environments(trust, publisher), |highwater| highwater.accept_revocations(&list), false)?;
    Ok((list, file))
}

/// The trust file may name one; this program fetches none.
fn is_url(place: &str) -> bool {
    place.contains("://")
}

fn no_file(publisher: &PublisherName, place: &str) -> Failure {
    Failure::invalid(format!(
        "`{place}` is no file, and lists are taken from files\nhelp: fetch it to a file, and casemate trust revocations {publisher} --from FILE"
    ))
}

fn absolute(path: &str) -> Result<String, Failure> {
    let absolute = std::path::absolute(path)?;
    Ok(absolute.to_str().ok_or_else(|| Failure::invalid(format!("`{path}` is not UTF-8")))?.to_owned())
}

fn say(publisher: &PublisherName, list: &RevocationList, context: &Context) {
    print::result(
        context.format,
        || {
            let entries = list.fields().entries.len();
            format!("{publisher}: list {} with {entries} entries, until {}", list.version(), list.expires())
        },
        || json!({ "publisher": publisher, "list": list.version(), "expires": list.expires().to_string(), "entries": list.fields().entries }),
    );
}
