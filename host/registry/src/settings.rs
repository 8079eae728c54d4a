//! What the operator says about registries, resolved: nothing here is read from a file.

use std::{collections::BTreeMap, io, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::{authority::Authority, credentials::Credentials};

/// A component of the largest size in this time needs a megabit a second.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
/// A registry that says nothing for so long will say nothing.
const STALL: Duration = Duration::from_secs(20);

/// Where a name's addresses come from.
pub type Lookup = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// How to reach registries.
#[derive(Clone)]
pub struct Settings {
    /// How to log in.
    pub credentials: Credentials,
    /// Root certificates in PEM beside the system's, each a file's bytes.
    pub roots: Vec<Vec<u8>>,
    /// What is said about single hosts.
    pub hosts: BTreeMap<Authority, HostRule>,
    /// Where names become addresses: the system's resolver by default.
    pub lookup: Lookup,
    /// How long one pull, push or listing may take, from its first byte to its last.
    pub deadline: Duration,
    /// How long a registry may be silent.
    pub stall: Duration,
}

/// What the operator says about one host.
#[derive(Debug, Clone, Default)]
pub struct HostRule {
    /// Networks that are not public and that the host may be in. They count for its name, whatever the port.
    pub allow_private: Vec<IpNet>,
    /// Other hosts that this registry's blobs may be on. They get no credential.
    pub redirects: Vec<Authority>,
    /// Other hosts that may hand out this registry's tokens. They get its credential.
    pub realms: Vec<Authority>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            roots: Vec::new(),
            hosts: BTreeMap::new(),
            lookup: Arc::new(|host| Box::pin(system(host))),
            deadline: DEADLINE,
            stall: STALL,
        }
    }
}

async fn system(host: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}
