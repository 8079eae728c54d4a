//! Names become addresses once, every address is checked, and only those are connected to.

use std::{net::SocketAddr, sync::Arc};

use casemate_policy::address::{self, Class};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// An upstream whose address is not one that may be connected to.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "`{host}` is at {address}, which is {class}\nhelp: if this upstream really is there, list the network in `allow_private` of the upstream in the configuration"
)]
pub(crate) struct Prohibited {
    pub(crate) host: String,
    pub(crate) address: std::net::IpAddr,
    pub(crate) class: Class,
}

/// Resolves through the system and refuses a name any of whose addresses is prohibited: a name that is half public and half
/// internal is an attack or a mistake. What this returns is what is connected to, so nothing can change in between.
pub(crate) struct CheckedResolver {
    pub(crate) allow_private: Arc<[IpNet]>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = Arc::clone(&self.allow_private);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            check(&host, &addresses, &allow_private)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

pub(super) fn check(host: &str, addresses: &[SocketAddr], allow_private: &[IpNet]) -> Result<(), Prohibited> {
    for address in addresses {
        address::permit(address.ip(), allow_private).map_err(|class| Prohibited {
            host: host.to_owned(),
            address: address.ip(),
            class,
        })?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn public_addresses_pass() {
        assert!(check("h", &addresses(&["8.8.8.8", "2606:4700::1111"]), &[]).is_ok());
    }

    #[test]
    fn one_internal_address_among_public_ones_refuses_the_name() {
        let error = check("h", &addresses(&["8.8.8.8", "169.254.169.254"]), &[]).unwrap_err();
        assert!(error.to_string().contains("169.254.169.254"), "{error}");
    }

    #[test]
    fn a_listed_network_passes_and_its_neighbour_does_not() {
        let allow = ["10.20.0.0/16".parse().unwrap()];
        assert!(check("h", &addresses(&["10.20.1.1"]), &allow).is_ok());
        assert!(check("h", &addresses(&["10.21.1.1"]), &allow).is_err());
    }
}
