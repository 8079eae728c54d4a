//! IP addresses and networks in their one plain spelling.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// `10.0.0.0/8`, `10.1.2.3`, `2001:db8::/32`. A network is named by its first address; an IPv6 spelling of an IPv4
/// network is that IPv4 network.
pub(super) fn parse(text: &str) -> Option<IpNet> {
    let network = match text.split_once('/') {
        None => IpNet::from(text.parse::<IpAddr>().ok()?),
        Some((address, length)) => {
            // One spelling: `ipnet` alone would take `/08`.
            if length.len() > 3 || !length.bytes().all(|b| b.is_ascii_digit()) || (length.len() > 1 && length.starts_with('0')) {
                return None;
            }
            IpNet::new(address.parse().ok()?, length.parse().ok()?).ok()?
        }
    };
    if network.trunc() != network {
        return None;
    }
    match network {
        IpNet::V6(v6) => match v6.addr().to_ipv4_mapped() {
            Some(address) => Ipv4Net::new(address, v6.prefix_len().checked_sub(96)?).ok().map(IpNet::V4),
            None => Some(network),
        },
        IpNet::V4(_) => Some(network),
    }
}
