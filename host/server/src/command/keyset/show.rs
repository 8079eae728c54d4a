//! `casemate keyset show`: a page to compare and to decide by.

use std::{collections::BTreeSet, path::Path};

use casemate_signing::{
    document::Document,
    key::Fingerprint,
    keyset::{KeysetDraft, Role},
};
use serde_json::{Value, json};

use super::{
    super::{Context, print},
    Count, read,
};
use crate::{
    clock,
    exit::{Exit, Failure, Outcome},
};

pub(super) fn run(file: &Path, previous: Option<&Path>, context: &Context) -> Outcome {
    let (draft, document) = read(file)?;
    let mut counts = vec![Count::of(&document, &draft)];
    if let Some(previous) = previous {
        let (before, earlier) = read(previous)?;
        if draft.previous != Some(casemate_signing::Digest::of(earlier.payload())) {
            return Err(Failure::denied(format!(
                "`{}` is not the document that version {} follows",
                previous.display(),
                draft.version
            )));
        }
        counts.push(Count::of(&document, &before));
    }
    print::result(context.format, || page(&draft, &document, &counts, previous.is_some()), || value(&draft, &document, &counts));
    Ok(Exit::Done)
}

fn page(draft: &KeysetDraft, document: &Document, counts: &[Count], with_previous: bool) -> String {
    let expired = if draft.expires <= clock::now() { "  EXPIRED" } else { "" };
    let follows = draft.previous.map_or_else(|| "nothing: it is the first".to_owned(), |digest| digest.to_string());
    let mut text = format!(
        "keyset {} of {}\n\n  fingerprint   {}\n  expires       {}{expired}\n  follows       {follows}\n  names         {}\n",
        draft.version,
        draft.publisher,
        Fingerprint::of(document.payload()),
        draft.expires,
        join(draft.namespaces.iter()),
    );
    text.push_str("\nHow many have to sign\n─────────────────────\n");
    let uses = [(Role::Keyset, "the next keyset"), (Role::Release, "packages"), (Role::Revoke, "revocation lists")];
    for (role, what) in uses {
        let keys = draft.roles.of(role);
        text.push_str(&format!("  {:<12}  {} of {}, for {what}\n", role.as_str(), keys.threshold, keys.keys.len()));
    }
    text.push_str("\nKeys\n────\n");
    let rows: Vec<Vec<String>> = rows(draft, document)
        .into_iter()
        .map(|row| vec![String::new(), row.fingerprint.to_string(), row.roles, row.environments, row.signed.to_owned()])
        .collect();
    text.push_str(&print::table(&rows));
    for revoked in &draft.revoked {
        text.push_str(&format!("  {revoked}  revoked\n"));
    }
    text.push_str("\nSignatures\n──────────\n");
    for count in counts {
        text.push_str(&format!("  {}\n", count.line()));
    }
    if draft.version > 1 && !with_previous {
        text.push_str("  the version before has a say too: --previous FILE counts it\n");
    }
    text
}

struct Row {
    fingerprint: Fingerprint,
    roles: String,
    environments: String,
    signed: &'static str,
}

fn rows(draft: &KeysetDraft, document: &Document) -> Vec<Row> {
    let signed = document.signers(draft.keys.iter().map(|key| &key.key));
    let row = |key: &casemate_signing::keyset::KeysetKey| {
        let fingerprint = key.key.fingerprint();
        let roles = Role::ALL.into_iter().filter(|role| draft.roles.of(*role).keys.contains(&fingerprint));
        Row {
            fingerprint,
            roles: join(roles),
            environments: join(key.environments.iter()),
            signed: if signed.contains(&fingerprint) { "signed" } else { "" },
        }
    };
    draft.keys.iter().map(row).collect()
}

fn value(draft: &KeysetDraft, document: &Document, counts: &[Count]) -> Value {
    let signed: BTreeSet<Fingerprint> = document.signers(draft.keys.iter().map(|key| &key.key));
    json!({
        "publisher": draft.publisher,
        "version": draft.version,
        "fingerprint": Fingerprint::of(document.payload()).to_string(),
        "keyset": draft,
        "signed_by": signed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "signatures": counts.iter().map(Count::json).collect::<Vec<_>>(),
    })
}

fn join(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}
