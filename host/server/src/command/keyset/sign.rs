//! `casemate keyset sign`: one person's signature under a keyset.

use std::path::Path;

use casemate_signing::{
    key::Fingerprint,
    keyset::{PAYLOAD_TYPE, Role},
};

use super::{
    super::{Context, print, signer::SigningKey},
    Count, read,
};
use crate::{
    exit::{Exit, Outcome},
    house::store,
};

pub(super) fn run(file: &Path, key: &SigningKey, context: &Context) -> Outcome {
    let (draft, mut document) = read(file)?;
    let mut signer = key.open()?;
    signer.add_to(&mut document, PAYLOAD_TYPE)?;
    let by = signer.public_key().fingerprint();
    store::replace_public(file, format!("{}\n", document.to_json()).as_bytes())?;
    let count = Count::of(&document, &draft);
    if !draft.roles.of(Role::Keyset).keys.contains(&by) {
        print::note(format_args!(
            "{by} has no say in version {}; the signature counts only if the version before gives it one",
            draft.version
        ));
    }
    let fingerprint = Fingerprint::of(document.payload());
    print::result(
        context.format,
        || {
            let mut text = format!(
                "signed keyset {} of {}\n       {fingerprint}\nby     {by}\nso     {}",
                draft.version,
                draft.publisher,
                count.line()
            );
            if let Some(before) = draft.version.checked_sub(1).filter(|before| *before > 0) {
                text.push_str(&format!(
                    "\n       version {before} has a say too: casemate keyset show --previous FILE counts it"
                ));
            }
            text
        },
        || {
            serde_json::json!({
                "publisher": draft.publisher, "version": draft.version, "fingerprint": fingerprint.to_string(),
                "signer": by.to_string(), "signatures": [count.json()]
            })
        },
    );
    Ok(Exit::Done)
}
