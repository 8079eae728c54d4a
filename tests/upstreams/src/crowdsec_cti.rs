//! CrowdSec's CTI API, version 2: <https://docs.crowdsec.net/u/cti_api/api_introduction/>.
//!
//! What all CrowdSecs together know of a few addresses. What surprises: an address that nobody has reported is 404, and a key that is not
//! known is 403.

use serde_json::json;

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The key the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "key-of-the-fake-crowdsec-cti";

/// The fake service.
#[derive(Debug)]
pub struct CrowdSecCti {
    key: Key,
}

impl Default for CrowdSecCti {
    fn default() -> Self {
        CrowdSecCti { key: Key::new(DEFAULT_KEY) }
    }
}

/// Address, reputation, score, behaviour, and what makes it innocent.
const KNOWN: [(&str, &str, u32, &str, &[&str]); 3] = [
    ("185.220.101.1", "malicious", 5, "ssh:bruteforce", &[]),
    ("66.249.66.1", "malicious", 1, "http:crawl", &["seo:crawler"]),
    ("1.1.1.1", "safe", 0, "", &["dns:public"]),
];

impl CrowdSecCti {
    fn smoke(ip: &str) -> Response {
        let Some((ip, reputation, score, behaviour, innocent)) = KNOWN.iter().find(|(known, ..)| *known == ip) else {
            return Response::json(404, &json!({ "message": "IP address information not found" }));
        };
        let behaviours: Vec<_> = Some(behaviour)
            .filter(|name| !name.is_empty())
            .map(|name| json!({ "name": name, "label": "x", "description": "x" }))
            .into_iter()
            .collect();
        let innocent: Vec<_> = innocent.iter().map(|name| json!({ "name": name, "label": "x" })).collect();
        let score = json!({ "aggressiveness": score, "threat": score, "trust": score, "anomaly": 0, "total": score });
        Response::json(
            200,
            &json!({ "ip": ip, "reputation": reputation, "confidence": "high", "background_noise_score": 7, "background_noise": "medium",
                "ip_range": "185.220.101.0/24", "ip_range_score": 5, "ip_range_24": "185.220.101.0/24", "ip_range_24_reputation": "malicious",
                "as_name": "Stiftung Erneuerbare Freiheit", "as_num": 60729, "reverse_dns": null,
                "location": { "country": "DE", "city": null, "latitude": 51.3, "longitude": 9.5 }, "behaviors": behaviours,
                "classifications": { "classifications": [{ "name": "proxy:tor", "label": "x" }], "false_positives": innocent },
                "attack_details": [], "target_countries": { "US": 42 }, "mitre_techniques": [], "cves": [],
                "history": { "first_seen": "2022-01-01T00:00:00+00:00", "last_seen": "2024-11-04T21:45:00+00:00", "full_age": 1038, "days_age": 1037 },
                "scores": { "overall": score, "last_day": score, "last_week": score, "last_month": score }, "references": [] }),
        )
    }
}

impl Upstream for CrowdSecCti {
    fn name(&self) -> &'static str {
        "crowdsec-cti"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        if !self.key.is(request.header("x-api-key")) {
            return Response::json(403, &json!({ "message": "Forbidden" })).into();
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["v2", "smoke", ip]) if ip.parse::<std::net::IpAddr>().is_err() => {
                Response::json(400, &json!({ "message": "Invalid IP" }))
            }
            ("GET", ["v2", "smoke", ip]) => Self::smoke(ip),
            _ => Response::json(403, &json!({ "message": "Missing Authentication Token" })),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let (status, message) = match code {
            "forbidden" => (403, "Forbidden"),
            "too-many" => (429, "Limit Exceeded"),
            "broken" => (500, "Internal server error"),
            _ => return None,
        };
        Some(Response::json(status, &json!({ "message": message })))
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }
}
