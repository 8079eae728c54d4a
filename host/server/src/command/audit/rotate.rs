//! `casemate audit rotate-key`: every chain is handed over to a new key.

use std::path::Path;

use casemate_signing::key::PublicKey;
use serde_json::json;

use crate::{
    command::{Context, print},
    exit::{Exit, Outcome},
    house::rotate_audit_key,
};

/// Hand them over.
pub(super) fn run(state: &Path, context: &Context) -> Outcome {
    let (old, new) = rotate_audit_key(state)?;
    let fingerprint = |key: &PublicKey| key.fingerprint().to_string();
    print::result(
        context.format,
        || {
            format!(
                "the audit log is signed by {} from now on; it was signed by {}\nWhoever has either key checks all of it. The new one is `{}`.",
                fingerprint(&new),
                fingerprint(&old),
                state.join("audit.pub").display()
            )
        },
        || json!({ "old": fingerprint(&old), "new": fingerprint(&new) }),
    );
    Ok(Exit::Done)
}
