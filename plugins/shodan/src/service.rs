//! Services: what answered at a port, as Shodan's crawlers saw it.

use casemate_plugin::{
    clip,
    tolerant::{Few, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a banner, on one line.
const BANNER: usize = 200;

/// One service.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Service {
    /// The address, where several are listed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Option<String>,
    pub(crate) port: u32,
    /// tcp or udp
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    /// The protocol that was spoken
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) product: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    hostnames: Vec<String>,
    /// What it said of itself, on one line, cut at 200 characters
    #[serde(skip_serializing_if = "String::is_empty")]
    banner: String,
    /// When it was seen
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

/// A banner as Shodan sends it: dozens of members, of which a few are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Banner {
    ip_str: Text<45>,
    port: Number,
    transport: Text<10>,
    _shodan: Object<Crawler>,
    product: Text<100>,
    version: Text<60>,
    org: Text<120>,
    hostnames: Few<Text<253>, 10>,
    data: Verbatim<100_000>,
    timestamp: Text<30>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Crawler {
    module: Text<40>,
}

impl Banner {
    /// Nothing where it does not even say the port.
    pub(crate) fn service(self, with_address: bool) -> Option<Service> {
        Some(Service {
            ip: self.ip_str.0.filter(|_| with_address),
            port: self.port.count()?,
            transport: self.transport.0,
            module: self._shodan.0.module.0,
            product: self.product.0,
            version: self.version.0,
            org: self.org.0.filter(|_| with_address),
            hostnames: if with_address { self.hostnames.texts() } else { Vec::new() },
            banner: clip(self.data.as_str(), BANNER),
            seen: self.timestamp.0,
        })
    }
}

impl Service {
    /// `443/tcp https nginx 1.18.0`
    pub(crate) fn line(&self) -> String {
        let mut line = self.port.to_string();
        if let Some(transport) = &self.transport {
            line = format!("{line}/{transport}");
        }
        for part in [&self.module, &self.product, &self.version].into_iter().flatten() {
            line = format!("{line} {part}");
        }
        line
    }
}
