//! Shodan's REST API: <https://developer.shodan.io/api>.
//!
//! A few hosts, searches among their banners, DNS, and credits that searches use up. What surprises:
//!
//! - the key is a query parameter, and a wrong one is answered with an HTML page by the host lookup and with JSON elsewhere;
//! - a host that is not known is 404, and so is every private one;
//! - the value of a facet is a text or a number, by what the facet is.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The key the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "ShodanKeyOfTheFake0123456789abcd";
/// Searches of a month.
const CREDITS: u32 = 100;

/// The fake service.
#[derive(Debug)]
pub struct Shodan {
    key: Key,
    credits: AtomicU32,
}

impl Default for Shodan {
    fn default() -> Self {
        Shodan { key: Key::new(DEFAULT_KEY), credits: AtomicU32::new(CREDITS) }
    }
}

/// Address, organisation, country, names, and ports with what answers there.
type Host = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [Port]);
/// Number, protocol, product.
type Port = (u16, &'static str, &'static str);

const HOSTS: [Host; 3] = [
    ("8.8.8.8", "Google LLC", "US", &["dns.google"], &[(53, "dns-udp", "Google Public DNS"), (443, "https", "")]),
    (
        "185.220.101.1",
        "Stiftung Erneuerbare Freiheit",
        "DE",
        &["tor-exit.example.org"],
        &[(443, "tor", "Tor"), (80, "http", "nginx")],
    ),
    ("1.1.1.1", "APNIC Research and Development", "AU", &["one.one.one.one"], &[(53, "dns-udp", ""), (80, "http", "CloudFlare")]),
];

fn banners() -> impl Iterator<Item = Value> {
    HOSTS.iter().flat_map(|(ip, org, country, names, ports)| {
        ports.iter().map(move |(port, module, product)| {
            json!({ "ip_str": ip, "org": org, "isp": org, "asn": "AS15169", "hostnames": names, "domains": [], "port": port,
                "transport": if module.ends_with("udp") { "udp" } else { "tcp" }, "product": product, "version": null,
                "data": format!("HTTP/1.1 200 OK\r\nServer: {product}\r\n\r\n"), "timestamp": "2024-11-05T09:38:20.123456",
                "location": { "country_code": country }, "_shodan": { "module": module, "crawler": "c9b639b99e5410a46f656e1508a68f1e6e5d6f99" } })
        })
    })
}

/// Those whose text holds every word of the query; `product:nginx` looks for its value.
fn found(query: &str) -> Vec<Value> {
    let words: Vec<String> = query
        .split_whitespace()
        .map(|word| word.split_once(':').map_or(word, |(_, value)| value).trim_matches('"').to_ascii_lowercase())
        .collect();
    banners().filter(|banner| words.iter().all(|word| banner.to_string().to_ascii_lowercase().contains(word))).collect()
}

impl Shodan {
    fn host(request: &Request, ip: &str) -> Response {
        let Some((ip, org, country, names, ports)) = HOSTS.iter().find(|(known, ..)| *known == ip) else {
            return refused(404, "No information available for that IP.");
        };
        let data: Vec<Value> = banners().filter(|banner| banner["ip_str"] == *ip).collect();
        let mut host = json!({ "ip_str": ip, "org": org, "isp": org, "asn": "AS15169", "country_code": country, "country_name": "x",
            "hostnames": names, "domains": [], "os": null, "tags": [], "vulns": ["CVE-2021-23017"],
            "ports": ports.iter().map(|(port, ..)| port).collect::<Vec<_>>(), "last_update": "2024-11-05T09:38:20.123456" });
        if request.parameter("minify").is_none_or(|text| !text.eq_ignore_ascii_case("true")) {
            host["data"] = json!(data);
        }
        Response::json(200, &host)
    }

    fn search(&self, request: &Request, count_only: bool) -> Response {
        let query = request.parameter("query").unwrap_or_default();
        if query.trim().is_empty() {
            return refused(400, "Empty search query");
        }
        let page = request.parameter("page").and_then(|text| text.parse().ok()).unwrap_or(1_usize);
        let matches = found(&query);
        let facets = request.parameter("facets").unwrap_or_default();
        let facets: serde_json::Map<String, Value> =
            // `country:5` asks for the five most frequent; there are never more here.
            facets.split(',').filter_map(|it| it.split(':').next()).filter(|name| !name.is_empty()).map(|name| (name.to_owned(), facet(name, &matches))).collect();
        let mut answer = json!({ "total": matches.len(), "facets": facets, "matches": [] });
        if !count_only {
            if (query.contains(':') || page > 1)
                && self.credits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
            {
                return refused(
                    403,
                    "Insufficient query credits, please upgrade your API plan or wait for the monthly limit to reset",
                );
            }
            answer["matches"] = matches.into_iter().skip((page - 1) * 100).take(100).collect();
        }
        Response::json(200, &answer)
    }
}

/// How often each value is there.
fn facet(name: &str, matches: &[Value]) -> Value {
    let value = |banner: &Value| match name {
        "country" => banner["location"]["country_code"].clone(),
        "port" => banner["port"].clone(),
        other => banner[other].clone(),
    };
    let mut counted: Vec<(Value, u32)> = Vec::new();
    for value in matches.iter().map(value).filter(|value| !value.is_null()) {
        match counted.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counted.push((value, 1)),
        }
    }
    counted.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
}

impl Upstream for Shodan {
    fn name(&self) -> &'static str {
        "shodan"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        if !self.key.is(request.parameter("key").as_deref()) {
            let page = "<html><head><title>401 Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>";
            return match request.path().starts_with("/shodan/host/") {
                true => Response::html(401, page),
                false => refused(401, "Access denied (401 Unauthorized)"),
            }
            .into();
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let list = |name: &str| request.parameter(name).unwrap_or_default().split(',').map(str::to_owned).collect::<Vec<_>>();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["shodan", "host", "search"]) => self.search(request, false),
            ("GET", ["shodan", "host", "count"]) => self.search(request, true),
            ("GET", ["shodan", "host", ip]) => Self::host(request, ip),
            ("GET", ["dns", "resolve"]) => {
                let address = |name: &str| HOSTS.iter().find(|(_, _, _, names, _)| names.contains(&name)).map(|(ip, ..)| *ip);
                let hosts = list("hostnames").into_iter().map(|name| (name.clone(), json!(address(&name))));
                Response::json(200, &Value::Object(hosts.collect()))
            }
            ("GET", ["dns", "reverse"]) => {
                let names = |ip: &str| HOSTS.iter().find(|(known, ..)| *known == ip).map(|(_, _, _, names, _)| *names);
                let hosts = list("ips").into_iter().map(|ip| (ip.clone(), json!(names(&ip))));
                Response::json(200, &Value::Object(hosts.collect()))
            }
            ("GET", ["api-info"]) => {
                let credits = self.credits.load(Ordering::SeqCst);
                Response::json(
                    200,
                    &json!({ "plan": "dev", "query_credits": credits, "scan_credits": 100, "https": false, "unlocked": true }),
                )
            }
            _ => refused(404, "Not found"),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let (status, message) = match code {
            "unauthorized" => (401, "Invalid API key"),
            "forbidden" => (403, "Access denied (403 Forbidden)"),
            "invalid" => (400, "Invalid search query"),
            "too-many" => (
                429,
                "Request rate limit reached (1/ second). Please wait a second before trying again and slow down your API calls.",
            ),
            "broken" => (502, "Bad gateway"),
            _ => return None,
        };
        Some(refused(status, message))
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        self.credits.store(CREDITS, Ordering::SeqCst);
    }
}

fn refused(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "error": message }))
}
