//! AbuseIPDB's API, version 2: <https://docs.abuseipdb.com/>.
//!
//! A few addresses and what is reported of them. What surprises:
//!
//! - an address of which nothing is reported is no error, and has a score of 0;
//! - the reports, which alone say what for, come with `verbose` only;
//! - every error is a list, and what is wrong with an argument has status 422.

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The key the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "key-of-the-fake-abuseipdb";

/// The fake service.
#[derive(Debug)]
pub struct AbuseIpDb {
    key: Key,
}

impl Default for AbuseIpDb {
    fn default() -> Self {
        AbuseIpDb { key: Key::new(DEFAULT_KEY) }
    }
}

/// Address, score, reports, whether it is on the whitelist, who owns it.
const KNOWN: [(&str, u32, u32, bool, &str); 3] = [
    ("185.220.101.1", 100, 412, false, "Stiftung Erneuerbare Freiheit"),
    ("8.8.8.8", 0, 57, true, "Google LLC"),
    ("118.25.6.39", 42, 1, false, "Tencent Cloud Computing (Beijing) Co. Ltd"),
];

impl AbuseIpDb {
    fn check(request: &Request) -> Response {
        let ip = request.parameter("ipAddress").unwrap_or_default();
        if ip.parse::<std::net::IpAddr>().is_err() {
            let detail = "The ip address must be a valid IPv4 or IPv6 address (e.g. 8.8.8.8 or 2001:4860:4860::8888).";
            return refused(422, detail, json!({ "parameter": "ipAddress" }));
        }
        let days = request.parameter("maxAgeInDays").unwrap_or_else(|| "30".to_owned());
        if !days.parse::<u32>().is_ok_and(|days| (1..=365).contains(&days)) {
            return refused(422, "The max age in days must be between 1 and 365.", json!({ "parameter": "maxAgeInDays" }));
        }
        let (_, score, reports, whitelisted, isp) =
            KNOWN.iter().find(|(known, ..)| *known == ip).copied().unwrap_or(("", 0, 0, false, "Unknown"));
        let last = (reports > 0).then_some("2024-11-05T09:38:20+00:00");
        let mut data = json!({ "ipAddress": ip, "isPublic": true, "ipVersion": if ip.contains(':') { 6 } else { 4 },
            "isWhitelisted": whitelisted, "abuseConfidenceScore": score, "countryCode": "DE", "usageType": "Data Center/Web Hosting/Transit",
            "isp": isp, "domain": "example.org", "hostnames": [], "isTor": ip == "185.220.101.1", "totalReports": reports,
            "numDistinctUsers": reports.min(90), "lastReportedAt": last });
        if request.parameters().any(|(name, _)| name == "verbose")
            && let Some(members) = data.as_object_mut()
        {
            let report = json!({ "reportedAt": last, "comment": "sshd[13937]: Invalid user oracle", "categories": [18, 22], "reporterId": 1,
                "reporterCountryCode": "US", "reporterCountryName": "United States of America" });
            members.insert("reports".to_owned(), (0..reports.min(100)).map(|_| report.clone()).collect());
        }
        Response::json(200, &json!({ "data": data }))
            .with_header("x-ratelimit-limit", "1000")
            .with_header("x-ratelimit-remaining", "999")
    }
}

impl Upstream for AbuseIpDb {
    fn name(&self) -> &'static str {
        "abuseipdb"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        if !self.key.is(request.header("key")) {
            let detail = "Authentication failed. Your API key is either missing, incorrect, or revoked. Note: The APIv2 key differs from the APIv1 key.";
            return refused(401, detail, Value::Null).into();
        }
        match (request.method.as_str(), request.path()) {
            ("GET", "/api/v2/check") => Self::check(request),
            _ => refused(404, "The requested resource could not be found.", Value::Null),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        match code {
            "unauthorized" => Some(refused(401, "Authentication failed.", Value::Null)),
            "invalid" => {
                Some(refused(422, "The ip address must be a valid IPv4 or IPv6 address.", json!({ "parameter": "ipAddress" })))
            }
            "too-many" => Some(
                refused(429, "Daily rate limit of 1000 requests exceeded for this endpoint.", Value::Null)
                    .with_header("retry-after", "29241"),
            ),
            "broken" => Some(Response::html(503, "<h1>503 Service Unavailable</h1>")),
            _ => None,
        }
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }
}

fn refused(status: u16, detail: &str, source: Value) -> Response {
    let mut error = json!({ "detail": detail, "status": status });
    if let (Some(members), false) = (error.as_object_mut(), source.is_null()) {
        members.insert("source".to_owned(), source);
    }
    Response::json(status, &json!({ "errors": [error] }))
}
