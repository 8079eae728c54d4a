//! Telling a client that a list is another one, or what it watches: unasked in the revisions with `initialize`, on a stream it asked for
//! since.

use std::sync::Arc;

use casemate_policy::Principal;
use rmcp::{
    RoleServer,
    model::ResourceUpdatedNotificationParam,
    service::{Peer, SubscriptionContext},
};
use tokio::{sync::watch, time::sleep};

use super::{
    House, PromptListing, ResourceListing,
    resources::{LOOK, Watched},
};

/// Streams one client may have open: it needs one, and one more while it connects again.
pub(super) const STREAMS: usize = 16;

/// The lists besides tools, as they were when the client was last told.
struct Lists {
    prompts: Vec<PromptListing>,
    resources: [Vec<ResourceListing>; 2],
}

impl Lists {
    fn of<H: House>(house: &H, principal: &Principal) -> Self {
        Self { prompts: house.prompts(principal), resources: [house.resources(principal), house.templates(principal)] }
    }

    /// Whether prompts and resources are others now.
    fn differ<H: House>(&mut self, house: &H, principal: &Principal) -> (bool, bool) {
        let before = std::mem::replace(self, Self::of(house, principal));
        (before.prompts != self.prompts, before.resources != self.resources)
    }
}

/// Tells `peer` of every change until it is gone. Changes that come faster than it reads are one.
pub(super) async fn tell<H: House>(
    peer: Peer<RoleServer>,
    house: Arc<H>,
    principal: Principal,
    mut changes: watch::Receiver<u64>,
    watched: Arc<Watched>,
) {
    let mut lists = Lists::of(&*house, &principal);
    while !peer.is_transport_closed() {
        let told = tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => told(&peer, lists.differ(&*house, &principal)).await,
                Err(_) => return,
            },
            () = sleep(LOOK) => Ok(()),
        };
        if told.is_err() {
            return;
        }
        for uri in watched.changed(&*house, &principal) {
            if peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_err() {
                return;
            }
        }
    }
}

async fn told(peer: &Peer<RoleServer>, (prompts, resources): (bool, bool)) -> Result<(), rmcp::ServiceError> {
    peer.notify_tool_list_changed().await?;
    if prompts {
        peer.notify_prompt_list_changed().await?;
    }
    if resources {
        peer.notify_resource_list_changed().await?;
    }
    Ok(())
}

/// The same on a stream of its own, until the client or the server ends it.
pub(super) async fn stream<H: House>(
    context: SubscriptionContext,
    house: &H,
    principal: &Principal,
    mut changes: watch::Receiver<u64>,
) {
    let accepted = context.accepted();
    let [tools, prompts, resources] =
        [accepted.tools_list_changed, accepted.prompts_list_changed, accepted.resources_list_changed]
            .map(|wanted| wanted == Some(true));
    let watched = Watched::of(house, principal, accepted.resource_subscriptions.as_deref().unwrap_or_default());
    let mut lists = Lists::of(house, principal);
    loop {
        tokio::select! {
            () = context.cancelled() => return,
            changed = changes.changed(), if tools || prompts || resources => {
                if changed.is_err() {
                    return;
                }
                let (other_prompts, other_resources) = lists.differ(house, principal);
                let sink = context.sink();
                let told = async {
                    if tools {
                        sink.notify_tool_list_changed().await?;
                    }
                    if prompts && other_prompts {
                        sink.notify_prompt_list_changed().await?;
                    }
                    if resources && other_resources {
                        sink.notify_resource_list_changed().await?;
                    }
                    Ok::<(), rmcp::service::SubscriptionSendError>(())
                };
                if told.await.is_err() {
                    return;
                }
            }
            () = sleep(LOOK), if !watched.uris().is_empty() => {
                for uri in watched.changed(house, principal) {
                    if context.sink().notify_resource_updated(uri).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
