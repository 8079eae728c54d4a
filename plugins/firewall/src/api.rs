//! CrowdSec's local API, as far as blocks need it: what is in force, and the two changes.

use std::time::Duration;

use casemate_crowdsec::{Decision, Network, decisions};
use casemate_plugin::{Change, Context, Failure, path};

/// Read by a bouncer's key.
const READ: &str = "crowdsec";
/// Changed by a machine.
pub(crate) const MACHINE: &str = "crowdsec-machine";
/// The origin of every decision that is made here, and of no other.
pub(crate) const ORIGIN: &str = "casemate";
/// How long an answer may take to begin: three of them, and the host's log-in, are within the deadline of a call.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const BLOCK: Change = Change {
    service: "CrowdSec",
    unknown: "the address may be blocked, now or later; look with list_firewall_blocks",
    patience: PATIENCE,
};

pub(crate) const LIFT: Change =
    Change { service: "CrowdSec", unknown: "the block may be lifted or not; look with list_firewall_blocks", patience: PATIENCE };

/// The failure of a change that CrowdSec agreed to, and that is not there.
pub(crate) const NOT_IN_FORCE: &str = "not-in-force";

/// The blocks that were made here and are in force, as bouncers read them.
pub(crate) fn blocks(cx: &Context) -> Result<Vec<Decision>, Failure> {
    let answer = cx.upstream(READ).get(path!("/v1/decisions")).query("origins", ORIGIN).timeout(PATIENCE).send()?;
    // A CrowdSec that does not know the parameter sends everybody's.
    let own =
        |it: &Decision| it.origin == ORIGIN && it.kind == "ban" && it.network().is_some() && it.left.is_none_or(|left| left > 0);
    Ok(decisions(answer)?.into_iter().filter(own).collect())
}

/// Those on exactly this address or network.
pub(crate) fn on(blocks: &[Decision], target: Network) -> impl Iterator<Item = &Decision> {
    blocks.iter().filter(move |it| it.network() == Some(target))
}
