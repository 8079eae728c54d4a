//! One host.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::IpAddress,
    path,
    tolerant::{Few, Number, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    service::{Banner, Service},
};

/// Services of a host that are listed.
const SERVICES: usize = 50;

/// Arguments of `host`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// A public IPv4 or IPv6 address
    ip: IpAddress,
    /// Whether to list what was seen there in the past, too; not where it is left out
    #[serde(default)]
    history: bool,
}

/// What is known of a host.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    ip: IpAddress,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    isp: Option<String>,
    /// Such as AS15169
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<String>,
    hostnames: Vec<String>,
    ports: Vec<u32>,
    /// CVEs that the versions seen there are known for; not tried out
    vulns: Vec<String>,
    tags: Vec<String>,
    /// What answers there; the first 50
    services: Vec<Service>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update: Option<String>,
    /// The host for people
    link: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Host {
    ip_str: Text<45>,
    org: Text<120>,
    isp: Text<120>,
    asn: Text<20>,
    country_code: Text<2>,
    os: Text<80>,
    hostnames: Few<Text<253>, 20>,
    ports: Few<Number, 200>,
    vulns: Few<Text<20>, 100>,
    tags: Few<Text<40>, 20>,
    data: Few<Object<Banner>, SERVICES>,
    last_update: Text<30>,
}

pub(crate) fn report(Arguments { ip, history }: Arguments, cx: &Context) -> Result<Report, Failure> {
    api::public_address(ip)?;
    let request = api::get(cx, path!("/shodan/host/{}", ip));
    let request = if history { request.query("history", true) } else { request };
    let Object(host): Object<Host> = api::read(request, "address")?;
    if host.ip_str.0.as_deref().and_then(|text| text.parse::<IpAddress>().ok()) != Some(ip) {
        return Err(Failure::upstream("Shodan answered with another address than the one that was asked for"));
    }
    Ok(Report {
        ip,
        org: host.org.0,
        isp: host.isp.0,
        asn: host.asn.0,
        country: host.country_code.0,
        os: host.os.0,
        hostnames: host.hostnames.texts(),
        ports: host.ports.0.into_iter().filter_map(Number::count).collect(),
        vulns: host.vulns.texts(),
        tags: host.tags.texts(),
        services: host.data.0.into_iter().filter_map(|Object(banner)| banner.service(false)).collect(),
        last_update: host.last_update.0,
        link: format!("https://www.shodan.io/host/{ip}"),
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("{}: {} ports", self.ip, self.ports.len());
        for (name, value) in [("organisation", &self.org), ("network", &self.asn), ("country", &self.country)] {
            if let Some(value) = value {
                let _ = write!(text, "\n{name}: {value}");
            }
        }
        for (name, list) in [("names", &self.hostnames), ("known vulnerabilities", &self.vulns)] {
            if !list.is_empty() {
                let _ = write!(text, "\n{name}: {}", list.join(", "));
            }
        }
        for service in &self.services {
            let _ = write!(text, "\n- {}", service.line());
        }
        let _ = write!(text, "\n{}", self.link);
        text
    }
}
