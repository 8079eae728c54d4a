//! VirusTotal API v3, as documented at <https://docs.virustotal.com/reference/overview>.
//!
//! Answers come from a small catalog of real and invented objects (`catalog`); submissions are analysed on the spot and go through
//! `queued` and `in-progress` to `completed`, a step for each poll. Beside that:
//!
//! - every documented error is an object: the domain `quotaexceedederror.errors.example.org`, and the file whose SHA-256 is
//!   that of the text `QuotaExceededError`, answer with it;
//! - every misbehaviour is an object too: `gzip-bomb.misbehaves.example.org`, and the file whose SHA-256 is that of `gzip-bomb`.

mod catalog;
mod engines;
mod error;
mod multipart;
mod page;
mod quota;
mod submission;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::http::{Request, Response};
use crate::misbehaviour::{Kind as Misbehaving, Misbehaviour};
use crate::record::hex;
use crate::{Reply, Upstream};
use catalog::{Catalog, Kind, Object};
pub use error::Code;
use error::Failure;
use quota::Quota;
use submission::Submissions;

/// The key the fake takes when it is not told another. It is no one's.
pub const DEFAULT_KEY: &str = "5f0c3a9d6b7e4812a1c9e0d4f3b2685707e6d5c4b3a29180ffeeddccbbaa9988";

const PREFIX: &str = "/api/v3/";
const ERRORS: &str = ".errors.example.org";
const MISBEHAVIOURS: &str = ".misbehaves.example.org";
/// Answers shorter than this are not compressed.
const MIN_COMPRESSED: usize = 1024;

/// The fake service.
#[derive(Debug)]
pub struct VirusTotal {
    key: String,
    catalog: Catalog,
    submissions: Submissions,
    quota: Quota,
}

/// What one request is answered from: the request, and where its links start.
struct Ask<'a> {
    request: &'a Request,
    api: String,
}

/// An answer, or the name of a misbehaviour that was asked for by its object.
enum Outcome {
    Body(Value),
    Page(Response),
    Spoilt(Misbehaving),
}

impl VirusTotal {
    /// A fake that takes `key` and allows `per_minute` calls a minute.
    #[must_use]
    pub fn new(key: String, per_minute: Option<u32>) -> Self {
        VirusTotal { key, catalog: Catalog::new(), submissions: Submissions::default(), quota: Quota::new(per_minute) }
    }

    /// The order is the service's: who is asking, may they still ask, what do they ask.
    fn route(&self, request: &Request, origin: &str) -> Result<Outcome, Failure> {
        self.authenticate(request)?;
        self.quota.spend()?;
        let ask = Ask { request, api: format!("{origin}{PREFIX}") };
        if let Some(token) = request.path().strip_prefix(submission::UPLOAD_PREFIX) {
            self.submissions.redeem(token)?;
            return self.upload(&ask);
        }
        if !request.path().starts_with(PREFIX) {
            return Err(Failure::unknown_path());
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().skip(2).map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["files", "upload_url"]) => Ok(Outcome::Body(json!({ "data": self.submissions.upload_url(origin) }))),
            ("POST", ["files"]) if request.body.len() > submission::MAX_DIRECT => Ok(Outcome::Page(submission::too_large())),
            ("POST", ["files"]) => self.upload(&ask),
            ("POST", ["urls"]) => self.submit_url(&ask),
            ("POST", [collection, id, "analyse"]) => self.analyse(&ask, collection, id),
            ("GET", ["analyses", id]) => self.submissions.poll(id, &ask.api).map(Outcome::Body),
            ("GET", ["search"]) => self.search(&ask),
            ("GET", ["intelligence", "search"]) => Err(Code::Forbidden.into()),
            ("GET", [collection, id]) => self.object(&ask, collection, id),
            ("GET", [collection, id, "relationships", relation]) => self.related(&ask, collection, id, relation, true),
            ("GET", [collection, id, relation]) => self.related(&ask, collection, id, relation, false),
            _ => Err(Failure::unknown_path()),
        }
    }

    fn authenticate(&self, request: &Request) -> Result<(), Failure> {
        match request.header("x-apikey") {
            None | Some("") => Err(Code::AuthenticationRequired.into()),
            Some(key) if key == self.key => Ok(()),
            Some(_) => Err(Code::WrongCredentials.into()),
        }
    }

    /// The object asked for: from the catalog, from what was submitted, or one that stands for an error.
    fn find(&self, collection: &str, id: &str) -> Result<Object, Found> {
        let kind = Kind::from_collection(collection).ok_or_else(Failure::unknown_path)?;
        special(kind, id)?;
        let key = kind.canonical(id)?;
        let found = self.catalog.get(kind, &key).or_else(|| self.submissions.object(kind, &key));
        Ok(found.or_else(|| catalog::unseen_address(kind, &key)).ok_or_else(|| kind.not_found(id))?)
    }

    fn object(&self, ask: &Ask<'_>, collection: &str, id: &str) -> Result<Outcome, Failure> {
        let object = match self.find(collection, id) {
            Ok(object) => object,
            Err(Found::Misbehaviour(kind)) => return Ok(Outcome::Spoilt(kind)),
            Err(Found::Failure(failure)) => return Err(failure),
        };
        let mut data = object.to_json(&ask.api);
        if let Some(wanted) = ask.request.parameter("relationships") {
            let inline = wanted.split(',').map(|name| Ok((name.to_owned(), page::inline(&object, name, &ask.api)?)));
            let inline = inline.collect::<Result<serde_json::Map<_, _>, Failure>>()?;
            if let Some(fields) = data.as_object_mut() {
                fields.insert("relationships".into(), Value::Object(inline));
            }
        }
        Ok(Outcome::Body(json!({ "data": data })))
    }

    fn related(&self, ask: &Ask<'_>, collection: &str, id: &str, name: &str, bare: bool) -> Result<Outcome, Failure> {
        let object = match self.find(collection, id) {
            Ok(object) => object,
            Err(Found::Misbehaviour(kind)) => return Ok(Outcome::Spoilt(kind)),
            Err(Found::Failure(failure)) => return Err(failure),
        };
        let relation = object.relation(name).ok_or_else(|| page::unknown_relation(&object, name))?;
        let full = |(kind, id): &(String, String)| {
            let known = Kind::from_type(kind).and_then(|kind| self.catalog.get(kind, id));
            known.map_or_else(|| catalog::bare_member(kind, id, &ask.api), |object| object.to_json(&ask.api))
        };
        if relation.single {
            let first = relation.members.first();
            return Ok(Outcome::Body(
                json!({ "data": first.map(|member| if bare { page::descriptor(member) } else { full(member) }) }),
            ));
        }
        let entry = |member: &(String, String)| if bare { page::descriptor(member) } else { full(member) };
        page::page(ask.request, &ask.api, &relation.members, entry).map(Outcome::Body)
    }

    /// `/search` finds one object by its hash, address, domain or URL. A content query needs a licence that these keys lack, but is
    /// judged first.
    fn search(&self, ask: &Ask<'_>) -> Result<Outcome, Failure> {
        let query = ask.request.parameter("query").unwrap_or_default();
        if query.is_empty() {
            return Err(Failure::new(Code::BadRequest, "Missing query parameter: query"));
        }
        if let Some(content) = query.strip_prefix("content:") {
            return Err(match content.trim_matches(['"', '{', '}']) {
                pattern if pattern.contains(['/', '*']) => Code::UnsupportedContentQuery.into(),
                pattern if pattern.len() < 5 => Code::UnselectiveContentQuery.into(),
                _ => Code::Forbidden.into(),
            });
        }
        let found: Vec<Object> = Kind::ALL
            .iter()
            .filter_map(|kind| {
                let key = kind.canonical_text(&query)?;
                self.catalog.get(*kind, &key).or_else(|| self.submissions.object(*kind, &key))
            })
            .collect();
        page::page(ask.request, &ask.api, &found, |object| object.to_json(&ask.api)).map(Outcome::Body)
    }

    fn upload(&self, ask: &Ask<'_>) -> Result<Outcome, Failure> {
        let (name, content) = multipart::file(ask.request)?;
        Ok(Outcome::Body(self.submissions.file(&name, &content, &self.catalog, &ask.api)))
    }

    fn submit_url(&self, ask: &Ask<'_>) -> Result<Outcome, Failure> {
        let form: Vec<(String, String)> = multipart::fields(ask.request)?;
        let url = form.into_iter().find(|(name, _)| name == "url").map(|(_, url)| url);
        let url = url.ok_or_else(|| Failure::new(Code::BadRequest, "Missing field: url"))?;
        self.submissions.url(&url, &self.catalog, &ask.api).map(Outcome::Body)
    }

    fn analyse(&self, ask: &Ask<'_>, collection: &str, id: &str) -> Result<Outcome, Failure> {
        match self.find(collection, id) {
            Ok(object) => Ok(Outcome::Body(self.submissions.again(object, &ask.api))),
            Err(Found::Misbehaviour(kind)) => Ok(Outcome::Spoilt(kind)),
            Err(Found::Failure(failure)) => Err(failure),
        }
    }
}

impl Upstream for VirusTotal {
    fn name(&self) -> &'static str {
        "virustotal"
    }

    fn answer(&self, request: &Request, origin: &str) -> Reply {
        match self.route(request, origin) {
            Ok(Outcome::Body(body)) => dressed(Response::json(200, &body), request).into(),
            Ok(Outcome::Page(page)) => page.into(),
            Ok(Outcome::Spoilt(kind)) => {
                // Spoils what would have been the answer for a well-known object of this kind.
                let domain = request.path().contains("/domains/");
                let (known, id) = if domain { (Kind::Domain, "google.com") } else { (Kind::File, catalog::EICAR) };
                let object = self.catalog.get(known, id).map(|object| object.to_json(&format!("{origin}{PREFIX}")));
                let honest = Response::json(200, &json!({ "data": object }));
                Reply { misbehaviour: Some(Misbehaviour::from(kind)), ..honest.into() }
            }
            Err(failure) => dressed(failure.into(), request).into(),
        }
    }

    fn failure(&self, code: &str) -> Option<Response> {
        Code::ALL.iter().find(|each| each.name() == code).map(|code| Failure::from(*code).into())
    }

    fn reset(&self) {
        self.submissions.forget();
        self.quota.refill();
    }
}

/// Why [`VirusTotal::find`] has no object to give.
enum Found {
    Misbehaviour(Misbehaving),
    Failure(Failure),
}

impl From<Failure> for Found {
    fn from(failure: Failure) -> Self {
        Found::Failure(failure)
    }
}

/// Whether the object asked for is one of those that stand for an error or a misbehaviour.
fn special(kind: Kind, id: &str) -> Result<(), Found> {
    let id = id.to_ascii_lowercase();
    let stands_for = |name: &str, suffix: &str| match kind {
        Kind::Domain => id.strip_suffix(suffix).is_some_and(|label| label.eq_ignore_ascii_case(name)),
        Kind::File => id == hex(&Sha256::digest(name)),
        Kind::Url | Kind::Ip => false,
    };
    if let Some(code) = Code::ALL.iter().find(|code| stands_for(code.name(), ERRORS)) {
        return Err(Found::Failure((*code).into()));
    }
    match Misbehaving::ALL.iter().find(|kind| stands_for(kind.name(), MISBEHAVIOURS)) {
        Some(kind) => Err(Found::Misbehaviour(*kind)),
        None => Ok(()),
    }
}

/// The headers that the service's front end adds, and its compression: as there, for those who accept gzip and say so in their user
/// agent too.
fn dressed(mut response: Response, request: &Request) -> Response {
    let says_gzip = |name: &str| request.header(name).is_some_and(|value| value.contains("gzip"));
    if response.body.len() >= MIN_COMPRESSED && says_gzip("accept-encoding") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        if encoder.write_all(&response.body).is_ok()
            && let Ok(packed) = encoder.finish()
        {
            response.body = packed;
            response = response.with_header("content-encoding", "gzip");
        }
    }
    response
        .with_header("cache-control", "no-cache")
        .with_header("vary", "Accept-Encoding")
        .with_header("server", "Google Frontend")
}
