//! The objects the fake knows: one JSON file each in `objects/`, with the verdicts written short and spread over all engines here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::engines::{self, Verdicts};
use super::error::{Code, Failure};
use super::submission::decoded_url;
use crate::record::hex;

/// The EICAR test file's SHA-256.
pub(super) const EICAR: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";
/// The EICAR test file, in two pieces so that no scanner takes this source or its binary for it.
pub(super) const EICAR_CONTENT: &str = concat!(r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTI", r"VIRUS-TEST-FILE!$H+H*");

const OBJECTS: &[&str] = &[
    include_str!("objects/file_eicar.json"),
    include_str!("objects/file_wannacry.json"),
    include_str!("objects/file_gpl3.json"),
    include_str!("objects/url_wicar.json"),
    include_str!("objects/url_google.json"),
    include_str!("objects/ip_8.8.8.8.json"),
    include_str!("objects/ip_1.1.1.1.json"),
    include_str!("objects/ip_185.220.101.1.json"),
    include_str!("objects/domain_google.json"),
    include_str!("objects/domain_example.json"),
    include_str!("objects/domain_killswitch.json"),
    include_str!("objects/domain_phishing.json"),
];

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum Kind {
    #[serde(rename = "file")]
    File,
    #[serde(rename = "url")]
    Url,
    #[serde(rename = "ip_address")]
    Ip,
    #[serde(rename = "domain")]
    Domain,
}

impl Kind {
    pub(super) const ALL: &[Kind] = &[Kind::File, Kind::Url, Kind::Ip, Kind::Domain];

    pub(super) fn type_name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Url => "url",
            Kind::Ip => "ip_address",
            Kind::Domain => "domain",
        }
    }

    pub(super) fn collection(self) -> &'static str {
        match self {
            Kind::File => "files",
            Kind::Url => "urls",
            Kind::Ip => "ip_addresses",
            Kind::Domain => "domains",
        }
    }

    pub(super) fn from_collection(name: &str) -> Option<Self> {
        Kind::ALL.iter().copied().find(|kind| kind.collection() == name)
    }

    pub(super) fn from_type(name: &str) -> Option<Self> {
        Kind::ALL.iter().copied().find(|kind| kind.type_name() == name)
    }

    /// The identifier of a path in the one form the catalog is keyed by.
    pub(super) fn canonical(self, id: &str) -> Result<String, Failure> {
        let invalid = |message: String| Failure::new(Code::InvalidArgument, message);
        match self {
            Kind::File => Ok(id.to_ascii_lowercase()),
            Kind::Url if is_sha256(id) => Ok(id.to_ascii_lowercase()),
            Kind::Url => {
                let url = decoded_url(id).and_then(|url| self.canonical_text(&url));
                url.ok_or_else(|| Failure::new(Code::NotFound, format!("URL \"{id}\" not found")))
            }
            Kind::Ip => self.canonical_text(id).ok_or_else(|| invalid(format!("\"{id}\" is not a valid IP address"))),
            Kind::Domain => self.canonical_text(id).ok_or_else(|| invalid(format!("\"{id}\" is not a valid domain pattern"))),
        }
    }

    /// The key of an object that is named by its own text: a URL as a URL, not as an identifier.
    pub(super) fn canonical_text(self, text: &str) -> Option<String> {
        match self {
            Kind::File => Some(text.to_ascii_lowercase()).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit())),
            Kind::Url => {
                let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
                Some(hex(&Sha256::digest(url.as_str())))
            }
            Kind::Ip => text.parse::<IpAddr>().ok().map(|ip| ip.to_string()),
            Kind::Domain => {
                let label = |label: &str| {
                    !label.is_empty()
                        && label.len() < 64
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
                };
                let valid =
                    text.contains('.') && text.len() < 254 && text.split('.').all(label) && text.parse::<IpAddr>().is_err();
                valid.then(|| text.to_ascii_lowercase())
            }
        }
    }

    pub(super) fn not_found(self, id: &str) -> Failure {
        let name = match self {
            Kind::File => "File",
            Kind::Url => "URL",
            Kind::Ip => "IP address",
            Kind::Domain => "Domain",
        };
        Failure::new(Code::NotFound, format!("{name} \"{id}\" not found"))
    }
}

fn is_sha256(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) attributes: Map<String, Value>,
    relations: BTreeMap<String, Relation>,
}

/// Other objects that an object is related to in one way, as type and id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Relation {
    /// Whether it is to one object, not to a collection.
    #[serde(default)]
    pub(super) single: bool,
    pub(super) members: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "type")]
    kind: Kind,
    id: String,
    verdicts: Verdicts,
    attributes: Map<String, Value>,
    #[serde(default)]
    relations: BTreeMap<String, Relation>,
}

impl Object {
    /// An object without relations.
    pub(super) fn plain(kind: Kind, id: String, attributes: Value, verdicts: Verdicts) -> Self {
        let attributes = match attributes {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let mut object = Object { kind, id, attributes, relations: BTreeMap::new() };
        object.judge(&verdicts);
        object
    }

    fn judge(&mut self, verdicts: &Verdicts) {
        let (stats, results) = engines::spread(self.kind, verdicts);
        self.attributes.insert("last_analysis_stats".into(), stats);
        self.attributes.insert("last_analysis_results".into(), results);
    }

    pub(super) fn to_json(&self, api: &str) -> Value {
        let own = format!("{api}{}/{}", self.kind.collection(), self.id);
        json!({ "type": self.kind.type_name(), "id": self.id, "attributes": self.attributes, "links": { "self": own } })
    }

    pub(super) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.get(name)
    }

    pub(super) fn text(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether this is a file with that MD5 or SHA-1.
    pub(super) fn also_known_as(&self, key: &str) -> bool {
        self.kind == Kind::File && !key.is_empty() && (self.text("md5") == key || self.text("sha1") == key)
    }
}

impl From<Written> for Object {
    fn from(written: Written) -> Self {
        let Written { kind, id, verdicts, attributes, relations } = written;
        let mut object = Object { kind, id, attributes, relations };
        object.judge(&verdicts);
        object
    }
}

/// Every object that is known from the start.
#[derive(Debug)]
pub(super) struct Catalog(Vec<Object>);

impl Catalog {
    /// Reads the objects. A file that does not parse is left out; a test reads them all.
    pub(super) fn new() -> Self {
        Catalog(OBJECTS.iter().filter_map(|text| serde_json::from_str::<Written>(text).ok()).map(Object::from).collect())
    }

    pub(super) fn get(&self, kind: Kind, key: &str) -> Option<Object> {
        self.0.iter().find(|object| object.kind == kind && (object.id == key || object.also_known_as(key))).cloned()
    }
}

/// The service has an object for every address, seen or not.
pub(super) fn unseen_address(kind: Kind, key: &str) -> Option<Object> {
    let attributes = json!({
        "network": format!("{key}/{}", if key.contains(':') { 48 } else { 24 }), "reputation": 0, "tags": [], "whois": "",
        "total_votes": { "harmless": 0, "malicious": 0 }, "last_analysis_date": 1_757_000_000,
    });
    (kind == Kind::Ip).then(|| Object::plain(kind, key.to_owned(), attributes, engines::clean(kind)))
}

/// A member of a relationship that is not in the catalog.
pub(super) fn bare_member(kind: &str, id: &str, api: &str) -> Value {
    let attributes = match kind {
        "resolution" => {
            // The id of a resolution is its address followed by its host name, with nothing between.
            let splits = (0..id.len()).rev().filter_map(|at| id.split_at_checked(at));
            let (ip, host) = splits.into_iter().find(|(ip, _)| ip.parse::<IpAddr>().is_ok()).unwrap_or((id, ""));
            json!({ "date": 1_756_900_000, "ip_address": ip, "host_name": host, "resolver": "VirusTotal" })
        }
        "comment" => json!({ "date": 1_756_800_000, "text": format!("Seen in the wild ({id}) #malware"), "tags": ["malware"],
            "votes": { "abuse": 0, "negative": 0, "positive": 1 } }),
        _ => json!({ "reputation": 0, "tags": [], "last_analysis_date": 1_757_000_000 }),
    };
    let collection = Kind::from_type(kind).map_or_else(|| format!("{kind}s"), |kind| kind.collection().to_owned());
    json!({ "type": kind, "id": id, "attributes": attributes, "links": { "self": format!("{api}{collection}/{id}") } })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{Catalog, EICAR, EICAR_CONTENT, Kind, OBJECTS, Written};
    use crate::record::hex;

    #[test]
    fn every_object_parses_and_is_found_under_its_own_name() {
        let catalog = Catalog::new();
        for text in OBJECTS {
            let written: Written = serde_json::from_str(text).unwrap();
            assert!(catalog.get(written.kind, &written.id).is_some(), "{}", written.id);
            if written.kind == Kind::Url {
                let url = written.attributes.get("url").and_then(|url| url.as_str()).unwrap();
                assert_eq!(Kind::Url.canonical_text(url).unwrap(), written.id, "the id of a URL is the SHA-256 of the URL");
            }
        }
    }

    #[test]
    fn eicar_is_eicar() {
        assert_eq!(hex(&Sha256::digest(EICAR_CONTENT)), EICAR);
        let eicar = Catalog::new().get(Kind::File, "44d88612fea8a8f36de82e1278abb02f").unwrap();
        assert_eq!((eicar.id.as_str(), eicar.text("sha1")), (EICAR, "3395856ce81f2b7382dee72602f798b642f14140"));
    }
}
