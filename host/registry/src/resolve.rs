//! Names become addresses once, every address is checked, and only those are connected to.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use casemate_policy::address::{self, Class};
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{
    authority::Authority,
    settings::{HostRule, Lookup},
};

/// A host whose address is not one that may be connected to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{host}` is at {address}, which is {class}")]
pub(crate) struct Prohibited {
    pub(crate) host: String,
    pub(crate) address: IpAddr,
    pub(crate) class: Class,
}

/// The networks that the operator lists, by name.
#[derive(Clone)]
pub(crate) struct Allowed(Arc<BTreeMap<String, Vec<IpNet>>>);

impl Allowed {
    pub(crate) fn new(hosts: &BTreeMap<Authority, HostRule>) -> Self {
        let mut allowed: BTreeMap<String, Vec<IpNet>> = BTreeMap::new();
        for (host, rule) in hosts {
            allowed.entry(host.host()).or_default().extend(&rule.allow_private);
        }
        Self(Arc::new(allowed))
    }

    /// A literal address never reaches the resolver. `named` says that a person named this host, who may mean the machine itself.
    pub(crate) fn literal(&self, host: &Authority, named: bool) -> Result<(), Prohibited> {
        if host.is_loopback() && named {
            return Ok(());
        }
        let address = match host.address() {
            Some(address) => address,
            None if host.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            None => return Ok(()),
        };
        self.permit(&host.host(), address)
    }

    /// A name any of whose addresses is prohibited is refused: half public and half internal is an attack or a mistake.
    fn resolved(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Prohibited> {
        for address in addresses {
            match host {
                // Plain text is spoken to this name, so it has to be what it says.
                "localhost" if address.is_loopback() => {}
                "localhost" => {
                    let class = address::classify(*address);
                    return Err(Prohibited { host: host.to_owned(), address: *address, class });
                }
                _ => self.permit(host, *address)?,
            }
        }
        Ok(())
    }

    fn permit(&self, host: &str, address: IpAddr) -> Result<(), Prohibited> {
        let listed = self.0.get(host).map(Vec::as_slice).unwrap_or_default();
        address::permit(address, listed).map_err(|class| Prohibited { host: host.to_owned(), address, class })
    }
}

/// What this returns is what is connected to, so nothing can change in between.
pub(crate) struct CheckedResolver {
    pub(crate) lookup: Lookup,
    pub(crate) allowed: Allowed,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, allowed) = (Arc::clone(&self.lookup), self.allowed.clone());
        Box::pin(async move {
            let addresses = lookup(name.as_str().to_owned()).await?;
            allowed.resolved(name.as_str(), &addresses)?;
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        let rule = HostRule { allow_private: vec!["10.20.0.0/16".parse().unwrap()], ..HostRule::default() };
        Allowed::new(&BTreeMap::from([("inner.example:5000".parse().unwrap(), rule)]))
    }

    fn resolved(host: &str, addresses: &[&str]) -> bool {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        allowed().resolved(host, &addresses).is_ok()
    }

    #[test]
    fn public_addresses_pass_and_internal_ones_need_to_be_listed() {
        assert!(resolved("a.example", &["8.8.8.8", "2606:4700::1111"]));
        assert!(!resolved("a.example", &["8.8.8.8", "10.20.0.1"]));
        assert!(!resolved("a.example", &["127.0.0.1"]));
        assert!(resolved("inner.example", &["10.20.0.1"]));
        assert!(!resolved("inner.example", &["10.21.0.1"]));
        assert!(!resolved("inner.example", &["169.254.169.254"]));
    }

    #[test]
    fn localhost_is_this_machine() {
        assert!(resolved("localhost", &["127.0.0.1", "::1"]));
        assert!(!resolved("localhost", &["127.0.0.1", "8.8.8.8"]));
    }

    #[test]
    fn only_a_person_names_the_machine_itself() {
        for host in ["127.0.0.1:5000", "localhost:5000", "[::1]"] {
            let host = host.parse().unwrap();
            assert!(allowed().literal(&host, true).is_ok(), "{host}");
            assert!(allowed().literal(&host, false).is_err(), "{host}");
        }
        for host in ["10.0.0.1", "169.254.169.254", "[::ffff:7f00:1]", "0.0.0.0"] {
            assert!(allowed().literal(&host.parse().unwrap(), true).is_err(), "{host}");
        }
        assert!(allowed().literal(&"8.8.8.8".parse().unwrap(), false).is_ok());
    }
}
