//! A client of revision 2026-07-28, on either transport, that sends whatever it is told to.

use serde_json::{Value, json};

use super::matching;
use crate::harness::{House, Http, Raw};

/// The client.
pub(crate) enum Modern {
    Stdio { raw: Raw, asked: u32, able: Value },
    Http(Http),
}

impl Modern {
    pub(crate) fn stdio(house: &House, able: Value) -> Self {
        Self::Stdio { raw: Raw::start(house.command().arg("serve")), asked: 0, able }
    }

    pub(crate) fn http(house: &House, able: Value, token: &str) -> Self {
        Self::Http(Http::start(&mut house.command(), token).able(able))
    }

    /// One on each transport; over HTTP it is ann's.
    pub(crate) fn both(house: &House, able: &Value) -> [Self; 2] {
        [Self::stdio(house, able.clone()), Self::http(house, able.clone(), &matching::token(house, "ann"))]
    }

    /// Any request; `name` is what HTTP puts into its header. Gives the whole answer.
    pub(crate) fn request(&mut self, method: &str, name: &str, mut params: Value) -> Value {
        match self {
            Self::Http(http) => http.post(method, Some(name), params).next(),
            Self::Stdio { raw, asked, able } => {
                params["_meta"] = meta(able);
                *asked += 1;
                raw.ask(*asked, method, params)
            }
        }
    }

    /// Call `change`, with whatever else the params shall have. Gives the result; an error of the protocol is given as one, with its code.
    pub(crate) fn call(&mut self, house: &House, arguments: &Value, more: &Value) -> Value {
        let name = house.served("change");
        let mut params = json!({ "name": name, "arguments": arguments });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.request("tools/call", &name, params);
        match answer.get("error") {
            None => answer["result"].clone(),
            Some(error) => json!({
                "code": error["code"], "isError": true, "structuredContent": error["data"],
                "content": [{ "type": "text", "text": error["message"] }],
                "_meta": { "casemate.dev/audit-id": error["data"]["audit_id"] },
            }),
        }
    }
}

/// What a request says of its client.
pub(crate) fn meta(able: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": able,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    })
}
