//! `casemate trust show`: everything that is known of one publisher.

use casemate_signing::{
    key::Fingerprint,
    keyset::Role,
    manifest::PublisherName,
    trust::{EnrolledKey, Publisher, TrustStore},
};
use serde_json::{Value, json};

use super::{
    super::{Context, print, revoke::line},
    join,
    revocations::shown,
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
};

pub(super) fn run(trust: &TrustStore, publisher: &PublisherName, context: &Context) -> Outcome {
    let known =
        trust.publishers().get(publisher).ok_or_else(|| Failure::invalid(format!("`{publisher}` is not trusted here")))?;
    print::result(context.format, || page(publisher, known), || value(publisher, known));
    Ok(Exit::Done)
}

fn page(name: &PublisherName, publisher: &Publisher) -> String {
    let mut text = format!("{name}\n\n  names         {}\n", join(publisher.namespaces().iter()));
    if let Some(keyset) = publisher.keyset() {
        let expired = if keyset.is_expired(clock::now()) { "  EXPIRED: nothing of theirs loads" } else { "" };
        text.push_str(&format!(
            "  keyset        version {}\n                {}\n  expires       {}{expired}\n",
            keyset.version(),
            keyset.fingerprint(),
            keyset.expires()
        ));
        let counts = Role::ALL.map(|role| format!("{role} {} of {}", keyset.role(role).threshold, keyset.role(role).keys.len()));
        text.push_str(&format!("  to sign       {}\n", counts.join(", ")));
    }
    text.push_str(&list(publisher));
    text.push_str("\nKeys\n────\n");
    let rows: Vec<Vec<String>> = publisher
        .keys()
        .iter()
        .map(|(fingerprint, key)| {
            vec![
                String::new(),
                fingerprint.to_string(),
                roles(publisher, fingerprint),
                join(key.environments().iter()),
                state(key),
            ]
        })
        .collect();
    text.push_str(&print::table(&rows));
    text
}

/// Its revocation list, where one is watched.
fn list(publisher: &Publisher) -> String {
    let Some(source) = publisher.revocation_source().map(shown) else { return "  revocations   not watched\n".to_owned() };
    let Some(list) = publisher.revocations() else {
        return format!("  revocations   {source}\n                MISSING: nothing of theirs loads; casemate trust refresh\n");
    };
    let expired = if list.is_expired(clock::now()) { "  EXPIRED: nothing of theirs loads" } else { "" };
    let mut text =
        format!("  revocations   {source}\n                version {}, until {}{expired}\n", list.version(), list.expires());
    for entry in &list.fields().entries {
        text.push_str(&format!("                {}\n", line(entry)));
    }
    text
}

fn roles(publisher: &Publisher, key: &Fingerprint) -> String {
    match publisher.keyset() {
        Some(keyset) => join(Role::ALL.into_iter().filter(|role| keyset.role(*role).keys.contains(key))),
        // A key of its own signs packages, and may take back what it signed.
        None => "release revoke".to_owned(),
    }
}

fn state(key: &EnrolledKey) -> String {
    if key.is_revoked() { "revoked".to_owned() } else { String::new() }
}

fn value(name: &PublisherName, publisher: &Publisher) -> Value {
    let keys = publisher.keys().iter().map(|(fingerprint, key)| {
        json!({
            "fingerprint": fingerprint.to_string(),
            "roles": roles(publisher, fingerprint),
            "environments": join(key.environments().iter()),
            "revoked": key.is_revoked(),
        })
    });
    let keyset = publisher.keyset().map(|keyset| {
        json!({
            "version": keyset.version(),
            "fingerprint": keyset.fingerprint().to_string(),
            "expires": keyset.expires().to_string(),
            "roles": keyset.fields().roles,
        })
    });
    let list = publisher.revocations().map(
        |list| json!({ "version": list.version(), "expires": list.expires().to_string(), "entries": list.fields().entries }),
    );
    json!({
        "publisher": name,
        "names": publisher.namespaces().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "threshold": publisher.threshold(),
        "keyset": keyset,
        "keys": keys.collect::<Vec<_>>(),
        "revocations": { "source": publisher.revocation_source().map(shown), "list": list },
    })
}
