//! An upstream that answers every request with what it received, whole: the credential comes back as well.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::{Reply, Upstream};

/// The echo upstream.
#[derive(Debug)]
pub struct Echo;

impl Upstream for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let headers: Vec<Value> =
            request.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
        let body = json!({
            "method": request.method,
            "target": request.target,
            "path": request.path(),
            "query": request.query(),
            "headers": headers,
            "body_base64": STANDARD.encode(&request.body),
            "body_text": std::str::from_utf8(&request.body).ok(),
        });
        let mut response = Response::json(200, &body);
        if request.method == "HEAD" {
            response.body.clear();
        }
        response.into()
    }
}
