//! `casemate trust revocations` and `refresh`: which revocation lists are watched, and their newest versions.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use casemate_signing::{
    document::MAX_DOCUMENT,
    highwater::HighWater,
    manifest::PublisherName,
    revocation::RevocationList,
    trust::{Publisher, TrustStore},
};
use serde_json::json;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    super::{Context, print},
    environments, on_record, remember,
};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Failure, Outcome},
    house::store,
    registries,
};

/// How often the files of lists are looked at: a revocation takes effect within a second.
const LOOK: Duration = Duration::from_millis(250);
/// How often URLs are asked.
const ASK: Duration = Duration::from_secs(60);

/// Watch a list, which has to be there and valid; or none.
pub(super) fn watch(mut trust: TrustStore, publisher: &PublisherName, from: Option<&str>, context: &Context) -> Outcome {
    let source = match from {
        Some(url) if is_url(url) => Some(url.to_owned()),
        // Where the program is started next time is not where it was started now.
        Some(path) => Some(absolute(path)?),
        None => None,
    };
    trust.want_revocations(publisher, source.clone()).map_err(Failure::invalid)?;
    let reached = environments(&trust, publisher);
    let Some(source) = source else {
        on_record(context, &reached, "revocations", publisher, json!({ "source": null }))?;
        store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
        // After the trust file: whatever comes between leaves the list missed, and never let go while it is watched.
        let let_go = |highwater: &mut HighWater| {
            highwater.let_list_go(publisher);
            Ok(())
        };
        remember(context, &reached, let_go, true)?;
        store::forget_revocations(&context.folders, publisher)?;
        print::note(format_args!("the revocation list of {publisher} is not watched any more"));
        return Ok(Exit::Done);
    };
    let file = fetch(&source, context)?;
    let list = judge(&mut trust, publisher, &source, &file, context)?;
    let facts = json!({ "source": source, "list": list.version(), "digest": list.digest().to_string() });
    on_record(context, &reached, "revocations", publisher, facts)?;
    store::replace(&store::revocations_of(&context.folders, publisher), &file)?;
    store::replace(&context.folders.trust(), trust.to_text().as_bytes())?;
    remember(context, &reached, |highwater| highwater.accept_revocations(&list), true)?;
    say(publisher, &list, context);
    Ok(Exit::Done)
}

/// Take the newest lists. One that cannot be had does not keep the others from being taken.
pub(super) fn refresh(mut trust: TrustStore, only: Option<&PublisherName>, context: &Context) -> Outcome {
    let mut watched = watched(&trust);
    watched.retain(|(publisher, _)| only.is_none_or(|only| only == publisher));
    if let (Some(only), []) = (only, watched.as_slice()) {
        return Err(Failure::invalid(format!(
            "no revocation list of `{only}` is watched\nhelp: casemate trust revocations {only} --from FILE"
        )));
    }
    let mut worst: Option<Failure> = None;
    for (publisher, source) in watched {
        let taken = fetch(&source, context).and_then(|file| take(&mut trust, &publisher, &source, &file, context));
        match taken {
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

/// Every publisher whose list is watched, and where it is.
fn watched(trust: &TrustStore) -> Vec<(PublisherName, String)> {
    let source =
        |(publisher, known): (&PublisherName, &Publisher)| Some((publisher.clone(), known.revocation_source()?.to_owned()));
    trust.publishers().iter().filter_map(source).collect()
}

/// While serving: take a list whose file changed, and ask URLs now and then, until `shutdown`. What is taken lies where the trust store
/// is read from, and takes effect as every other change of trust does.
pub(crate) async fn follow(context: Context, shutdown: CancellationToken) {
    let mut known: BTreeMap<PublisherName, Option<store::Version>> = BTreeMap::new();
    let mut asked: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let ask = asked.is_none_or(|at| at.elapsed() >= ASK);
        if ask {
            asked = Some(Instant::now());
        }
        let (context, before) = (context.clone(), std::mem::take(&mut known));
        // Files are read and hosts are waited for: not on a thread that serves.
        known = tokio::task::spawn_blocking(move || look(&context, before, ask)).await.unwrap_or_default();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Look at every list once; which files were there.
fn look(
    context: &Context,
    mut known: BTreeMap<PublisherName, Option<store::Version>>,
    ask: bool,
) -> BTreeMap<PublisherName, Option<store::Version>> {
    let Ok(trust) = store::trust(&context.folders) else { return known };
    for (publisher, source) in watched(&trust) {
        // Taken before the file is read: a change in between is seen as one.
        let version = store::changed(source.as_ref());
        let due = if is_url(&source) { ask } else { known.get(&publisher) != Some(&version) };
        if !due {
            continue;
        }
        // Hosts are waited for before other changes are kept out, and where one is being made, the next look will do.
        let taken = fetch(&source, context).and_then(|file| match store::changing_now(&context.folders)? {
            Some(_changing) => take(&mut store::trust(&context.folders)?, &publisher, &source, &file, context),
            None => Err(Failure::failed("another change is being made")),
        });
        match taken {
            Ok(_) => drop(known.insert(publisher, version)),
            // Tried again with the next look: what kept it may go away without the file changing.
            Err(failure) => {
                known.remove(&publisher);
                if ask {
                    tracing::warn!(%publisher, reason = failure.message, "a revocation list could not be taken; the one before counts until it expires");
                }
            }
        }
    }
    known
}

fn take(
    trust: &mut TrustStore,
    publisher: &PublisherName,
    source: &str,
    file: &[u8],
    context: &Context,
) -> Result<RevocationList, Failure> {
    let known = trust.publishers().get(publisher).and_then(|known| known.revocations()).map(RevocationList::digest);
    let list = judge(trust, publisher, source, file, context)?;
    let reached = environments(trust, publisher);
    if known != Some(list.digest()) {
        let facts = json!({ "list": list.version(), "digest": list.digest().to_string() });
        on_record(context, &reached, "refresh", publisher, facts)?;
        store::replace(&store::revocations_of(&context.folders, publisher), file)?;
    }
    // Of a list that is there already as well: what was stopped between the two is made good.
    remember(context, &reached, |highwater| highwater.accept_revocations(&list), true)?;
    Ok(list)
}

/// What is at a source, unbelieved.
fn fetch(source: &str, context: &Context) -> Result<Vec<u8>, Failure> {
    if is_url(source) {
        let url = Url::parse(source).map_err(Failure::invalid)?;
        registries::fetch(&url, MAX_DOCUMENT, context, &Config::read_or_none(&context.folders.config)?)
    } else {
        store::file(source.as_ref(), MAX_DOCUMENT)
    }
}

/// The list, if those who may revoke signed it, it has not expired, and no newer one was seen.
fn judge(
    trust: &mut TrustStore,
    publisher: &PublisherName,
    source: &str,
    file: &[u8],
    context: &Context,
) -> Result<RevocationList, Failure> {
    let refused = |code: &str, why: &dyn std::fmt::Display| Failure::denied(format!("`{source}`: {code}: {why}"));
    let list = trust.attach_revocations(publisher, file).map_err(|error| refused(error.code(), &error))?.clone();
    if list.is_expired(clock::now()) {
        let why = format!("list {} expired at {}\nhelp: ask the publisher for a newer one", list.version(), list.expires());
        return Err(refused("revocations-expired", &why));
    }
    remember(context, &environments(trust, publisher), |highwater| highwater.accept_revocations(&list), false)?;
    Ok(list)
}

fn is_url(place: &str) -> bool {
    place.contains("://")
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
