//! Submissions and their analyses. An analysis takes a step each time it is asked for: `queued`, `in-progress`, `completed`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use super::catalog::{Catalog, EICAR_CONTENT, Kind, Object};
use super::engines;
use super::error::{Code, Failure};
use crate::http::Response;
use crate::record::hex;

/// Where upload URLs lead.
pub(super) const UPLOAD_PREFIX: &str = "/_ah/upload/";
/// The largest body of `POST /files`; larger files go to an upload URL.
pub(super) const MAX_DIRECT: usize = 32 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Submissions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    analyses: BTreeMap<String, Analysis>,
    objects: BTreeMap<(Kind, String), Object>,
    tokens: BTreeMap<String, bool>,
}

#[derive(Debug, Clone)]
struct Analysis {
    object: Object,
    date: u64,
    polls: u32,
}

impl Submissions {
    /// A fresh upload URL, good once.
    pub(super) fn upload_url(&self, origin: &str) -> String {
        let mut state = self.state();
        let token = hex(&Sha256::digest(format!("{}/{}", state.tokens.len(), now())));
        let url = format!("{origin}{UPLOAD_PREFIX}{token}");
        state.tokens.insert(token, false);
        url
    }

    /// Uses up an upload URL.
    pub(super) fn redeem(&self, token: &str) -> Result<(), Failure> {
        match self.state().tokens.get_mut(token.trim_end_matches('/')) {
            Some(used) if !*used => {
                *used = true;
                Ok(())
            }
            _ => Err(Failure::unknown_path()),
        }
    }

    /// Takes a file and starts its analysis.
    pub(super) fn file(&self, name: &str, content: &[u8], catalog: &Catalog, api: &str) -> Value {
        let sha256 = hex(&Sha256::digest(content));
        let object = catalog.get(Kind::File, &sha256).unwrap_or_else(|| unseen_file(name, content, sha256));
        self.start(object, api)
    }

    /// Takes a URL and starts its analysis.
    pub(super) fn url(&self, url: &str, catalog: &Catalog, api: &str) -> Result<Value, Failure> {
        let refusal = || Failure::new(Code::InvalidArgument, "Unable to canonicalize url");
        let id = Kind::Url.canonical_text(url).ok_or_else(refusal)?;
        let object = catalog.get(Kind::Url, &id).unwrap_or_else(|| {
            let attributes = json!({
                "url": url, "last_final_url": url, "first_submission_date": now(), "last_submission_date": now(),
                "last_analysis_date": now(), "times_submitted": 1, "reputation": 0, "tags": [], "threat_names": [],
                "total_votes": { "harmless": 0, "malicious": 0 }, "categories": {},
            });
            Object::plain(Kind::Url, id, attributes, engines::clean(Kind::Url))
        });
        Ok(self.start(object, api))
    }

    /// Starts another analysis of a known object.
    pub(super) fn again(&self, object: Object, api: &str) -> Value {
        self.start(object, api)
    }

    /// The analysis, one step on.
    pub(super) fn poll(&self, id: &str, api: &str) -> Result<Value, Failure> {
        let mut state = self.state();
        let not_found = || Failure::new(Code::NotFound, format!("Analysis \"{id}\" not found"));
        let analysis = state.analyses.get_mut(id).ok_or_else(not_found)?;
        analysis.polls += 1;
        let analysis = analysis.clone();
        let done = analysis.polls >= 3;
        if done {
            let object = analysis.object.clone();
            state.objects.insert((object.kind, object.id.clone()), object);
        }
        Ok(described(id, &analysis, done, api))
    }

    /// An object whose analysis has completed.
    pub(super) fn object(&self, kind: Kind, key: &str) -> Option<Object> {
        let state = self.state();
        let known = |object: &&Object| object.kind == kind && (object.id == key || object.also_known_as(key));
        state.objects.values().find(known).cloned()
    }

    pub(super) fn forget(&self) {
        *self.state() = State::default();
    }

    fn start(&self, object: Object, api: &str) -> Value {
        let date = now();
        let id = match object.kind {
            Kind::File => STANDARD.encode(format!("{}:{date}", object.text("md5"))),
            kind => format!("{}-{}-{date}", kind.collection().chars().next().unwrap_or('u'), object.id),
        };
        self.state().analyses.insert(id.clone(), Analysis { object, date, polls: 0 });
        json!({ "data": { "type": "analysis", "id": id, "links": { "self": format!("{api}analyses/{id}") } } })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Too large for `POST /files`: refused by the front end, so in HTML.
pub(super) fn too_large() -> Response {
    Response::html(
        413,
        "<html><title>Error 413 (Request Entity Too Large)!!1</title><p>Your client issued a request that was too large.\n",
    )
}

fn described(id: &str, analysis: &Analysis, done: bool, api: &str) -> Value {
    let object = &analysis.object;
    let status = match analysis.polls {
        0 | 1 => "queued",
        2 => "in-progress",
        _ => "completed",
    };
    let (stats, results) = if done {
        (object.attributes.get("last_analysis_stats").cloned(), object.attributes.get("last_analysis_results").cloned())
    } else {
        (Some(engines::no_stats(object.kind)), Some(json!({})))
    };
    let info = match object.kind {
        Kind::File => json!({ "file_info": {
            "sha256": object.id, "sha1": object.text("sha1"), "md5": object.text("md5"), "size": object.attributes.get("size"),
        } }),
        _ => json!({ "url_info": { "id": object.id, "url": object.text("url") } }),
    };
    let item = format!("{api}{}/{}", object.kind.collection(), object.id);
    json!({
        "data": {
            "type": "analysis",
            "id": id,
            "attributes": { "date": analysis.date, "status": status, "stats": stats, "results": results },
            "links": { "self": format!("{api}analyses/{id}"), "item": item },
        },
        "meta": info,
    })
}

fn unseen_file(name: &str, content: &[u8], sha256: String) -> Object {
    let verdicts = if content.windows(EICAR_CONTENT.len()).any(|window| window == EICAR_CONTENT.as_bytes()) {
        engines::all_malicious("EICAR-Test-File (modified)")
    } else {
        engines::clean(Kind::File)
    };
    let names: Vec<&str> = Some(name).filter(|name| !name.is_empty()).into_iter().collect();
    let attributes = json!({
        "md5": hex(&Md5::digest(content)),
        "sha1": hex(&Sha1::digest(content)),
        "sha256": sha256,
        "size": content.len(),
        "names": names,
        "meaningful_name": names.first(),
        "type_description": if std::str::from_utf8(content).is_ok() { "Text" } else { "unknown" },
        "type_tag": if std::str::from_utf8(content).is_ok() { "text" } else { "unknown" },
        "tags": [],
        "first_submission_date": now(),
        "last_submission_date": now(),
        "last_analysis_date": now(),
        "times_submitted": 1,
        "unique_sources": 1,
        "reputation": 0,
        "total_votes": { "harmless": 0, "malicious": 0 },
    });
    Object::plain(Kind::File, sha256, attributes, verdicts)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The identifier a client makes from a URL: base64 of the URL alphabet, without padding.
pub(super) fn decoded_url(id: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(id.trim_end_matches('=')).ok()?).ok()
}
