//! Plans: the requests a dry run would have sent, for a person to read and for a digest to bind.

use base64::Engine as _;
use casemate_signing::manifest::Credential;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Checked;
use crate::{
    call::{canonical_digest, hex},
    text::visible,
};

/// Bytes of a body that a plan shows; what is left out is said, and the body's digest covers all of it.
const SHOWN_BODY: usize = 16 << 10;

/// Requests that conform to their contracts and were not sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    requests: Vec<Checked>,
}

impl Plan {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of one request.
    pub fn of(request: Checked) -> Self {
        Self { requests: vec![request] }
    }

    /// Add the next request.
    pub fn push(&mut self, request: Checked) {
        self.requests.push(request);
    }

    /// In the order they would be sent.
    pub fn requests(&self) -> &[Checked] {
        &self.requests
    }

    /// For people and models. No credential is in it: its place shows `‹secret NAME›`.
    pub fn to_json(&self) -> Value {
        json!({ "requests": self.requests.iter().map(request).collect::<Vec<_>>() })
    }

    /// Lower-case hex SHA-256 of [`Self::to_json`] in canonical form (RFC 8785). The JSON holds the SHA-256 of every
    /// body, so that this binds every byte that would be sent, save the credential.
    pub fn digest(&self) -> String {
        let json = self.to_json();
        canonical_digest(&json).unwrap_or_else(|| hex(&Sha256::digest(json.to_string())))
    }
}

fn request(request: &Checked) -> Value {
    let mut headers: Map<String, Value> =
        request.headers().iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let mut url = request.url().to_owned();
    match request.credential() {
        Some(Credential::Header(place)) => {
            headers.insert(place.header.to_ascii_lowercase(), format!("‹secret {}›", place.secret).into());
        }
        Some(Credential::Scheme(place)) => {
            headers.insert("authorization".to_owned(), format!("{} ‹secret {}›", place.scheme, place.secret).into());
        }
        Some(Credential::Basic(place)) => {
            headers.insert(
                "authorization".to_owned(),
                format!("Basic ‹secret {}›:‹secret {}›", place.username, place.secret).into(),
            );
        }
        Some(Credential::Query(place)) => {
            let separator = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{separator}{}=‹secret {}›", place.query, place.secret));
        }
        None => {}
    }
    let mut shown = json!({
        "upstream": request.upstream().as_str(),
        "contract": request.contract().as_str(),
        "effect": request.effect().as_str(),
        "method": request.method().as_str(),
        "url": url,
        "headers": headers,
        "targets": request.targets().iter().map(|(name, values)| (name.to_string(), values.clone().into())).collect::<Map<_, _>>(),
    });
    if let Some(shown) = shown.as_object_mut()
        && !request.body().is_empty()
    {
        shown.insert("body".to_owned(), body(request.body()));
    }
    shown
}

/// Size and digest of all of it; the text, hidden characters made visible; base64 where it is no text.
fn body(bytes: &[u8]) -> Value {
    let mut shown = json!({ "bytes": bytes.len(), "sha256": hex(&Sha256::digest(bytes)) });
    let Some(map) = shown.as_object_mut() else { return shown };
    let head = bytes.get(..SHOWN_BODY).unwrap_or(bytes);
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
