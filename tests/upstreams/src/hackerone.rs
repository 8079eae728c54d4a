//! HackerOne's API, version 1, as a hacker's token sees it: <https://api.hackerone.com/hacker-resources/>.
//!
//! Its own reports and those it is sent; JSON:API with numbered pages. What surprises whoever only reads the schema:
//!
//! - a hacker's token gets 401 where programs ask (`/v1/reports`), as a program's does here;
//! - `impact` is required, though the published schema leaves it out;
//! - the same report twice is two reports.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

mod reports;

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The account that the token belongs to.
pub const IDENTIFIER: &str = "casemate-tester";
/// The token the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "J8n2Qw5Tz7Lk4Vb9Xc3Rm6Yh1Gd0Fs8PaEuIoWqZxCv=";

/// Programs that take reports.
const PROGRAMS: [&str; 2] = ["acme", "globex"];
/// Weaknesses that there are.
const WEAKNESSES: [u64; 3] = [55, 60, 72];
const RATINGS: [&str; 5] = ["none", "low", "medium", "high", "critical"];
/// Reports of a page where the request does not say, and at most.
const PAGE: (usize, usize) = (25, 100);

/// The fake service.
#[derive(Debug)]
pub struct HackerOne {
    key: Key,
    reports: Mutex<Vec<Value>>,
}

impl Default for HackerOne {
    fn default() -> Self {
        HackerOne { key: Key::new(DEFAULT_KEY), reports: Mutex::new(reports::all()) }
    }
}

impl HackerOne {
    fn is_hacker(&self, request: &Request) -> bool {
        let expected = STANDARD.encode(format!("{IDENTIFIER}:{}", self.key.value()));
        request.header("authorization").and_then(|value| value.strip_prefix("Basic ")) == Some(expected.as_str())
    }

    fn list(&self, request: &Request, origin: &str) -> Response {
        let number = |name: &str, absent: usize| request.parameter(name).map_or(Some(absent), |text| text.parse().ok());
        let (Some(page), Some(size)) = (number("page[number]", 1), number("page[size]", PAGE.0)) else {
            return refused(&[(400, "Invalid Parameter", "The page is not a number.")]);
        };
        if page == 0 || size == 0 || size > PAGE.1 {
            return refused(&[(400, "Invalid Parameter", "The page's number or size is out of range.")]);
        }
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let last = reports.len().div_ceil(size).max(1);
        let here: Vec<&Value> = reports.iter().skip((page - 1) * size).take(size).collect();
        let link = |page: usize| format!("{origin}/v1/hackers/me/reports?page%5Bnumber%5D={page}&page%5Bsize%5D={size}");
        let mut links = json!({ "self": link(page), "last": link(last) });
        if page < last {
            links["next"] = json!(link(page + 1));
        }
        json_api(200, &json!({ "data": here, "links": links }))
    }

    fn show(&self, id: &str) -> Response {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        match reports.iter().find(|report| report["id"] == id) {
            Some(report) => json_api(200, &json!({ "data": report })),
            None => refused(&[(404, "Not Found", "The resource does not exist, or you are not allowed to see it.")]),
        }
    }

    fn create(&self, request: &Request) -> Response {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return refused(&[(400, "Bad Request", "The body is not JSON.")]);
        };
        let attributes = &body["data"]["attributes"];
        if body["data"]["type"] != "report" {
            return refused(&[(422, "Invalid Parameter", "The type is not `report`.")]);
        }
        let mut errors = Vec::new();
        for name in ["team_handle", "title", "vulnerability_information", "impact"] {
            if attributes[name].as_str().is_none_or(|text| text.trim().is_empty()) {
                errors.push((422, "Invalid Parameter", format!("The parameter '{name}' can't be blank.")));
            }
        }
        if !attributes["severity_rating"].is_null() && !RATINGS.iter().any(|rating| attributes["severity_rating"] == *rating) {
            errors.push((422, "Invalid Parameter", "The parameter 'severity_rating' is invalid.".to_owned()));
        }
        if attributes["weakness_id"].as_u64().is_some_and(|id| !WEAKNESSES.contains(&id)) {
            errors.push((422, "Invalid Parameter", "The parameter 'weakness_id' is invalid.".to_owned()));
        }
        if !errors.is_empty() {
            let errors: Vec<_> = errors.iter().map(|(status, title, detail)| (*status, *title, detail.as_str())).collect();
            return refused(&errors);
        }
        if !PROGRAMS.iter().any(|program| attributes["team_handle"] == *program) {
            return refused(&[(404, "Not Found", "The program does not exist, or does not take reports.")]);
        }
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let report = reports::new(3_000_000 + reports.len(), attributes);
        reports.insert(0, report.clone());
        json_api(201, &json!({ "data": report }))
    }
}

impl Upstream for HackerOne {
    fn name(&self) -> &'static str {
        "hackerone"
    }

    fn answer(&self, request: &Request, origin: &str) -> Reply {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let hackers = segments.get(1) == Some(&"hackers");
        if !hackers || !self.is_hacker(request) {
            return refused(&[(401, "Unauthorized", "The API token is not of this kind, or wrong.")]).into();
        }
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["v1", "hackers", "me", "reports"]) => self.list(request, origin),
            ("GET", ["v1", "hackers", "reports", id]) => self.show(id),
            ("POST", ["v1", "hackers", "reports"]) => self.create(request),
            _ => refused(&[(404, "Not Found", "There is no such resource.")]),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let (status, title) = match code {
            "unauthorized" => (401, "Unauthorized"),
            "forbidden" => (403, "Forbidden"),
            "not-found" => (404, "Not Found"),
            "invalid" => (422, "Invalid Parameter"),
            "too-many" => (429, "Too Many Requests"),
            "broken" => (500, "Internal Server Error"),
            _ => return None,
        };
        let answer = refused(&[(status, title, "As it is documented.")]);
        Some(if status == 429 { answer.with_header("retry-after", "20") } else { answer })
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.reports.lock().unwrap_or_else(PoisonError::into_inner) = reports::all();
    }
}

fn json_api(status: u16, body: &Value) -> Response {
    Response::json(status, body)
}

/// `{"errors": [{"status": 404, "title": …, "detail": …}]}`, with the first one's status.
fn refused(errors: &[(u16, &str, &str)]) -> Response {
    let status = errors.first().map_or(500, |(status, ..)| *status);
    let errors: Vec<Value> = errors
        .iter()
        .map(|(status, title, detail)| json!({ "status": status, "title": title, "detail": detail, "source": { "parameter": null } }))
        .collect();
    json_api(status, &json!({ "errors": errors }))
}
