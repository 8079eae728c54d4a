//! Names and addresses: DNS, forwards and backwards.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{DomainName, IpAddress, List},
    path, public,
    tolerant::{Entries, Few, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{self, public_address, refusal};

/// Names or addresses of one question.
const MOST: usize = 20;

/// Arguments of `dns_resolve`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Public host names, 1 to 20
    hostnames: List<DomainName, MOST>,
}

/// Arguments of `dns_reverse`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// Public addresses, 1 to 20
    ips: List<IpAddress, MOST>,
}

/// Names with their addresses.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Resolved {
    hosts: Vec<Host>,
}

/// One name.
#[derive(Debug, Serialize, JsonSchema)]
struct Host {
    hostname: String,
    /// Absent where there is none
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
}

/// Addresses with their names.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Named {
    addresses: Vec<Address>,
}

/// One address.
#[derive(Debug, Serialize, JsonSchema)]
struct Address {
    ip: String,
    hostnames: Vec<String>,
}

pub(crate) fn resolve(Names { hostnames }: Names, cx: &Context) -> Result<Resolved, Failure> {
    for name in hostnames.as_slice() {
        public::domain(name).map_err(|why| refusal(name.as_str(), &why.to_string()))?;
    }
    let asked = joined(hostnames.as_slice())?;
    let request = api::get(cx, path!("/dns/resolve")).query("hostnames", asked);
    let Entries(found): Entries<Text<45>, MOST> = api::read(request, "list of names")?;
    Ok(Resolved { hosts: found.into_iter().map(|(hostname, Text(ip))| Host { hostname, ip }).collect() })
}

pub(crate) fn reverse(Addresses { ips }: Addresses, cx: &Context) -> Result<Named, Failure> {
    ips.as_slice().iter().copied().try_for_each(public_address)?;
    let request = api::get(cx, path!("/dns/reverse")).query("ips", joined(ips.as_slice())?);
    let Entries(found): Entries<Few<Text<253>, MOST>, MOST> = api::read(request, "list of addresses")?;
    Ok(Named { addresses: found.into_iter().map(|(ip, names)| Address { ip, hostnames: names.texts() }).collect() })
}

/// `a,b`
fn joined<T: ToString>(values: &[T]) -> Result<String, Failure> {
    if values.is_empty() {
        return Err(Failure::invalid_arguments("the list is empty"));
    }
    Ok(values.iter().map(T::to_string).collect::<Vec<_>>().join(","))
}

impl Readable for Resolved {
    fn text(&self) -> String {
        let mut text = format!("{} names", self.hosts.len());
        for Host { hostname, ip } in &self.hosts {
            let _ = write!(text, "\n{hostname}: {}", ip.as_deref().unwrap_or("no address"));
        }
        text
    }
}

impl Readable for Named {
    fn text(&self) -> String {
        let mut text = format!("{} addresses", self.addresses.len());
        for Address { ip, hostnames } in &self.addresses {
            let _ = write!(text, "\n{ip}: {}", if hostnames.is_empty() { "no name".to_owned() } else { hostnames.join(", ") });
        }
        text
    }
}
