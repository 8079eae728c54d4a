//! An upstream whose path chooses a misbehaviour and whose query sets it: `/slow-body?ms=50`, `/redirect?to=http://10.0.0.1/`.
//! `/` lists them all. What gets spoilt is a small JSON object with an array, so that every misbehaviour has something to spoil.

use serde_json::{Map, Value, json};

use crate::http::{Request, Response};
use crate::misbehaviour::{Kind, Misbehaviour};
use crate::{Reply, Upstream};

/// The hostile upstream.
#[derive(Debug)]
pub struct Hostile;

impl Upstream for Hostile {
    fn name(&self) -> &'static str {
        "hostile"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let chosen = request.segments().into_iter().next().unwrap_or_default();
        if chosen.is_empty() {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            return Response::json(200, &json!({ "misbehaviours": names })).into();
        }
        match misbehaviour(chosen, request) {
            Ok(misbehaviour) => Reply { misbehaviour: Some(misbehaviour), ..honest().into() },
            Err(error) => Response::json(404, &json!({ "error": error.to_string() })).into(),
        }
    }
}

fn misbehaviour(kind: String, request: &Request) -> Result<Misbehaviour, serde_json::Error> {
    let mut fields = Map::from_iter([("kind".to_owned(), Value::from(kind))]);
    for (key, value) in request.parameters() {
        let value = value.parse::<u64>().map_or_else(|_| Value::from(value.as_ref()), Value::from);
        fields.insert(key.into_owned(), value);
    }
    serde_json::from_value(Value::Object(fields))
}

fn honest() -> Response {
    Response::json(200, &json!({ "message": "all is well", "list": ["one", "two", "three"], "count": 3 }))
}
