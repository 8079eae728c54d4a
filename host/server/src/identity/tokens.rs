//! Tokens that were made here, as their file has them now: one that is revoked ends without a restart.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::Identity;
use crate::{house::store, token::TokenFile};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Take up a changed token file within a second. `known` is the file that `identity` was made of.
pub(crate) async fn follow(
    state: PathBuf,
    mut known: Option<store::Version>,
    identity: Arc<Identity>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let changed = store::tokens_changed(&state);
        if changed == known {
            continue;
        }
        match store::tokens(&state) {
            Ok(tokens) => {
                identity.replace(tokens);
                known = changed;
            }
            // A file that cannot be read admits nobody: better than tokens that may have been revoked.
            Err(failure) => {
                tracing::error!(error = %failure.message, "the token file cannot be read; no token is accepted until it can");
                identity.replace(TokenFile::default());
            }
        }
    }
}
