//! Telling a client that the list of tools is another one: unasked in the revisions with `initialize`, on a stream it asked for since.

use std::time::Duration;

use rmcp::{
    RoleServer,
    service::{Peer, SubscriptionContext},
};
use tokio::{sync::watch, time::sleep};

/// Streams one client may have open: it needs one, and one more while it connects again.
pub(super) const STREAMS: usize = 16;

/// How often it is looked whether a client that is never told anything is still there.
const LOOK: Duration = Duration::from_secs(60);

/// Tells `peer` of every change until it is gone. Changes that come faster than it reads are one.
pub(super) async fn tell(peer: Peer<RoleServer>, mut changes: watch::Receiver<u64>) {
    while !peer.is_transport_closed() {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() || peer.notify_tool_list_changed().await.is_err() { return },
            () = sleep(LOOK) => {}
        }
    }
}

/// The same on a stream of its own, until the client or the server ends it.
pub(super) async fn stream(context: SubscriptionContext, mut changes: watch::Receiver<u64>) {
    let wanted = context.accepted().tools_list_changed == Some(true);
    loop {
        tokio::select! {
            () = context.cancelled() => return,
            changed = changes.changed(), if wanted => {
                if changed.is_err() || context.sink().notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        }
    }
}
