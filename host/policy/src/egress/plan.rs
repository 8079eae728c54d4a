//! Plans: the requests a dry run would have sent, for a person to read and for a digest to bind.

use base64::Engine as _;
use casemate_signing::manifest::{Credential, SecretName};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Checked, checked::under};
use crate::{
    call::{canonical_digest, hex},
    json::map_texts,
    text::visible,
};

/// Bytes of a body that [`Plan::to_short_json`] shows; what is left out is said, and the body's digest covers all of it.
const SHORT_BODY: usize = 16 << 10;

/// The word in a plan's JSON for a request that came after an assumed answer.
pub(super) const RESTS: &str = "rests_on_assumption";

/// Requests that conform to their contracts and were not sent. Only a dry run makes one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    requests: Vec<Planned>,
}

/// One request of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    request: Checked,
    rests_on_assumption: bool,
}

impl Planned {
    /// What would be sent.
    pub fn request(&self) -> &Checked {
        &self.request
    }

    /// Whether the plugin had been given an assumed answer before it made this request: a real answer may make it another.
    pub fn rests_on_assumption(&self) -> bool {
        self.rests_on_assumption
    }
}

impl Plan {
    /// Add the next request. Whatever comes after another one rests on the answer that was assumed to that.
    pub(super) fn push(&mut self, request: Checked) {
        let rests_on_assumption = !self.requests.is_empty();
        self.requests.push(Planned { request, rests_on_assumption });
    }

    /// In the order they would be sent.
    pub fn requests(&self) -> &[Planned] {
        &self.requests
    }

    /// Whether there is nothing to agree to.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// All of it, for the person who agrees to it and for [`super::HeldPlan`]. No credential is in it: its place shows
    /// `‹secret NAME›`. A volatile place shows `‹volatile›`.
    pub fn to_json(&self) -> Value {
        self.written(&mut |planned| request(planned, usize::MAX))
    }

    /// For models: a copy with every text changed, and at most 16 KiB of each body's. It says how much is left out, and has
    /// another digest than the plan. A text is changed whole before it is cut: what is looked for in it may stand where the cut is.
    pub fn to_short_json(&self, change: &mut dyn FnMut(String) -> String) -> Value {
        self.written(&mut |planned| {
            let (whole, short) = (request(planned, usize::MAX), request(planned, SHORT_BODY));
            let changed = map_texts(whole.clone(), change);
            if whole == short {
                return changed;
            }
            let text = |of: &Value| of.pointer("/body/text").and_then(Value::as_str).map(str::to_owned);
            let cut = text(&changed)
                .filter(|text_of| text(&whole).as_ref() != Some(text_of))
                .map(|text| text.get(..text.floor_char_boundary(SHORT_BODY)).unwrap_or_default().to_owned());
            let mut short = map_texts(short, change);
            if let (Some(cut), Some(place)) = (cut, short.pointer_mut("/body/text")) {
                *place = cut.into();
            }
            short
        })
    }

    fn written(&self, shown: &mut dyn FnMut(&Checked) -> Value) -> Value {
        let requests = self.requests.iter().map(|planned| {
            let mut shown = shown(&planned.request);
            if planned.rests_on_assumption
                && let Some(shown) = shown.as_object_mut()
            {
                shown.insert(RESTS.to_owned(), true.into());
            }
            shown
        });
        json!({ "requests": requests.collect::<Vec<_>>() })
    }

    /// Lower-case hex SHA-256 of [`Self::to_json`] in canonical form (RFC 8785). The JSON holds the SHA-256 of every
    /// body, so that this binds every byte that would be sent, save the credential and what is volatile.
    pub fn digest(&self) -> String {
        let json = self.to_json();
        canonical_digest(&json).unwrap_or_else(|| hex(&Sha256::digest(json.to_string())))
    }
}

/// One request as a plan shows it, with at most `shown_body` bytes of its body's text.
pub(super) fn request(request: &Checked, shown_body: usize) -> Value {
    let (url, headers, bytes) = match &request.shown {
        Some(shown) => (shown.url.as_str(), shown.headers.as_slice(), shown.body.as_slice()),
        None => (request.url(), request.headers(), request.body()),
    };
    let mut url = url.to_owned();
    let mut headers: Map<String, Value> = headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    if let Some(credential) = request.credential() {
        show(credential, request, &mut url, &mut headers);
    }
    let mut json = Map::from_iter([
        ("upstream".to_owned(), request.upstream().as_str().into()),
        ("contract".to_owned(), request.contract().as_str().into()),
        ("effect".to_owned(), request.effect().as_str().into()),
        ("method".to_owned(), request.method().as_str().into()),
        ("url".to_owned(), url.into()),
        ("headers".to_owned(), headers.into()),
        ("targets".to_owned(), json!(request.targets())),
    ]);
    if !bytes.is_empty() {
        json.insert("body".to_owned(), body(bytes, shown_body));
    }
    if let Some(shown) = &request.shown {
        json.insert("volatile".to_owned(), shown.places.clone().into());
    }
    Value::Object(json)
}

/// The credential in its place, by the names of its secrets.
fn show(credential: &Credential, request: &Checked, url: &mut String, headers: &mut Map<String, Value>) {
    let secret = |name: &SecretName| format!("‹secret {name}›");
    let mut put = |name: &str, value: String| drop(headers.insert(name.to_ascii_lowercase(), value.into()));
    match credential {
        Credential::Header(place) => put(&place.header, secret(&place.secret)),
        Credential::Scheme(place) => put("authorization", format!("{} {}", place.scheme, secret(&place.secret))),
        Credential::Basic(place) => {
            put("authorization", format!("Basic {}:{}", secret(&place.username), secret(&place.secret)));
        }
        Credential::Query(place) => {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{}={}", place.query, secret(&place.secret)));
        }
        Credential::Path(place) => *url = under(request.origin(), &place.filled(&secret(&place.secret)), url),
        Credential::Exchange(place) => {
            let token = format!("‹token {}›", place.exchange.name);
            match (&place.scheme, &place.header) {
                (_, Some(header)) => put(header, token),
                (Some(scheme), None) => put("authorization", format!("{scheme} {token}")),
                (None, None) => put("authorization", token),
            }
        }
        Credential::SigV4(signed) => {
            let (key, signed) = (secret(&signed.sigv4.access_key), &signed.sigv4);
            let scope = format!("{}/{}", signed.region.shown(), signed.service.shown());
            put("authorization", format!("AWS4-HMAC-SHA256 {key} for {scope}, signed with {}", secret(&signed.secret_key)));
            if let Some(token) = &signed.session_token {
                put("x-amz-security-token", secret(token));
            }
        }
    }
}

/// Size and digest of all of it; the text, hidden characters made visible; base64 where it is no text.
fn body(bytes: &[u8], shown_body: usize) -> Value {
    let mut shown = json!({ "bytes": bytes.len(), "sha256": hex(&Sha256::digest(bytes)) });
    let Some(map) = shown.as_object_mut() else { return shown };
    let head = bytes.get(..shown_body).unwrap_or(bytes);
    let used = match std::str::from_utf8(head) {
        Ok(text) => {
            map.insert("text".to_owned(), visible(text).into());
            head.len()
        }
        // Cut inside a character: show up to it.
        Err(error) if error.error_len().is_none() && head.len() < bytes.len() => {
            let text = head.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok()).unwrap_or_default();
            map.insert("text".to_owned(), visible(text).into());
            text.len()
        }
        Err(_) => {
            map.insert("base64".to_owned(), base64::engine::general_purpose::STANDARD.encode(head).into());
            head.len()
        }
    };
    if used < bytes.len() {
        map.insert("bytes_not_shown".to_owned(), (bytes.len() - used).into());
    }
    shown
}
