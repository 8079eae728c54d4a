//! The control listener: what a test asks and tells the fakes. It is never an upstream, so nothing here is recorded.
//!
//! | request | does |
//! |---|---|
//! | `GET /_casemate/requests?upstream=NAME&since=SEQ` | `{"requests":[…]}`, oldest first; both parameters are optional |
//! | `DELETE /_casemate/requests` | forgets requests and connections |
//! | `GET /_casemate/connections` | how many connections each upstream has had |
//! | `POST /_casemate/script` | queues a [`Script`] |
//! | `GET /_casemate/script` | `{"left":N}`: requests still scripted |
//! | `DELETE /_casemate/script` | forgets every script |
//! | `POST /_casemate/order?upstream=NAME` | tells an upstream something of its own: see [`crate::caldera`] |
//! | `POST /_casemate/reset` | all of the above, and what the upstreams themselves remember: quota, submissions, operations |

use std::sync::Arc;

use serde_json::json;

use crate::Upstream;
use crate::http::{Request, Response};
use crate::record::Record;
use crate::script::{Script, Scripts};

/// The control listener's name in the ready line.
pub const NAME: &str = "control";

/// Answers the control listener's requests.
pub struct Control {
    upstreams: Vec<Arc<dyn Upstream>>,
    record: Arc<Record>,
    scripts: Arc<Scripts>,
}

impl Control {
    pub(crate) fn new(upstreams: Vec<Arc<dyn Upstream>>, record: Arc<Record>, scripts: Arc<Scripts>) -> Self {
        Control { upstreams, record, scripts }
    }

    /// Answers one request.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        match (request.method.as_str(), request.path()) {
            ("GET", "/_casemate/requests") => self.requests(request),
            ("DELETE", "/_casemate/requests") => {
                self.record.clear();
                Response::empty(204)
            }
            ("GET", "/_casemate/connections") => Response::json(200, &json!(self.record.connections())),
            ("POST", "/_casemate/script") => self.script(request),
            ("GET", "/_casemate/script") => Response::json(200, &json!({ "left": self.scripts.left() })),
            ("DELETE", "/_casemate/script") => {
                self.scripts.clear();
                Response::empty(204)
            }
            ("POST", "/_casemate/order") => self.order(request),
            ("POST", "/_casemate/reset") => {
                self.record.clear();
                self.scripts.clear();
                self.upstreams.iter().for_each(|upstream| upstream.reset());
                Response::empty(204)
            }
            (method, path) => refusal(404, &format!("there is no `{method} {path}` here")),
        }
    }

    fn requests(&self, request: &Request) -> Response {
        let upstream = request.parameter("upstream");
        if let Some(name) = upstream.as_deref().filter(|name| self.upstreams.iter().all(|upstream| upstream.name() != *name)) {
            return refusal(400, &format!("there is no upstream `{name}`"));
        }
        match request.parameter("since").map_or(Ok(0), |since| since.parse()) {
            Ok(since) => Response::json(200, &json!({ "requests": self.record.requests(upstream.as_deref(), since) })),
            Err(_) => refusal(400, "`since` is not a whole number"),
        }
    }

    fn order(&self, request: &Request) -> Response {
        let name = request.parameter("upstream").unwrap_or_default();
        match self.upstreams.iter().find(|upstream| upstream.name() == name) {
            None => refusal(400, &format!("there is no upstream `{name}`")),
            Some(upstream) => match upstream.tell(&request.body) {
                Ok(()) => Response::empty(204),
                Err(why) => refusal(400, &why),
            },
        }
    }

    fn script(&self, request: &Request) -> Response {
        let script: Script = match serde_json::from_slice(&request.body) {
            Ok(script) => script,
            Err(error) => return refusal(400, &error.to_string()),
        };
        match self.scripts.add(script, &self.upstreams) {
            Ok(()) => Response::empty(204),
            Err(error) => refusal(400, &error.to_string()),
        }
    }
}

fn refusal(status: u16, message: &str) -> Response {
    Response::json(status, &json!({ "error": message }))
}
