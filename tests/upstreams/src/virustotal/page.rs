//! Collections: pages with cursors, and relationships said inline.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::catalog::Object;
use super::error::{Code, Failure};
use crate::http::Request;

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 40;

/// One page of `members`, as the request's `limit` and `cursor` ask.
pub(super) fn page<T>(request: &Request, api: &str, members: &[T], entry: impl Fn(&T) -> Value) -> Result<Value, Failure> {
    let limit = match request.parameter("limit") {
        None => DEFAULT_LIMIT,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| Failure::new(Code::InvalidArgument, format!("limit must be between 1 and {MAX_LIMIT}")))?,
    };
    let start = match request.parameter("cursor") {
        None => 0,
        Some(cursor) => {
            let start = offset(&cursor, request.path()).filter(|start| *start < members.len());
            start.ok_or_else(|| Failure::new(Code::BadRequest, "Invalid cursor"))?
        }
    };
    let end = members.len().min(start + limit);
    let data: Vec<Value> = members.iter().skip(start).take(limit).map(entry).collect();
    let own = format!("{}{}", api, request.path().strip_prefix(super::PREFIX).unwrap_or_default());
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut meta = Map::from_iter([("count".to_owned(), json!(members.len()))]);
    let mut links = Map::from_iter([("self".to_owned(), json!(format!("{own}{query}")))]);
    if end < members.len() {
        let cursor = cursor(end, request.path());
        let mut next = url::form_urlencoded::Serializer::new(String::new());
        next.extend_pairs(request.parameters().filter(|(name, _)| name != "cursor" && name != "limit"));
        next.append_pair("cursor", &cursor).append_pair("limit", &limit.to_string());
        links.insert("next".to_owned(), json!(format!("{own}?{}", next.finish())));
        meta.insert("cursor".to_owned(), json!(cursor));
    }
    Ok(json!({ "data": data, "meta": meta, "links": links }))
}

/// A relationship as it is said inside an object: descriptors only, the first page of them.
pub(super) fn inline(object: &Object, name: &str, api: &str) -> Result<Value, Failure> {
    let relation = object.relation(name).ok_or_else(|| unknown_relation(object, name))?;
    let own = format!("{api}{}/{}/relationships/{name}", object.kind.collection(), object.id);
    let links = json!({ "self": own, "related": format!("{api}{}/{}/{name}", object.kind.collection(), object.id) });
    if relation.single {
        return Ok(json!({ "data": relation.members.first().map(descriptor), "links": links }));
    }
    let data: Vec<Value> = relation.members.iter().take(DEFAULT_LIMIT).map(descriptor).collect();
    Ok(json!({ "data": data, "meta": { "count": relation.members.len() }, "links": links }))
}

pub(super) fn descriptor((kind, id): &(String, String)) -> Value {
    json!({ "type": kind, "id": id })
}

pub(super) fn unknown_relation(object: &Object, name: &str) -> Failure {
    let message = format!("Invalid relationship \"{name}\" for object type \"{}\"", object.kind.type_name());
    Failure::new(Code::InvalidArgument, message)
}

/// A cursor is opaque and good for one collection only.
fn cursor(offset: usize, path: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{offset}\n{path}"))
}

fn offset(cursor: &str, path: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (offset, of) = text.split_once('\n')?;
    offset.parse().ok().filter(|_| of == path)
}
