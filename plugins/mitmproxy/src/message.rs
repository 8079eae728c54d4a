//! Headers and bodies as they are shown: cut, cleaned, and without credentials.

use casemate_plugin::{
    Context, Path, clip, clip_lines,
    tolerant::{Few, Verbatim},
    traffic,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api;

/// Headers of one message.
const HEADERS: usize = 60;
/// Characters of one header's value.
const VALUE: usize = 500;
/// Bytes that a body may have to be fetched.
const FETCHED: u32 = 1 << 20;
/// Bytes of a body that are looked at. More than is shown, so that nothing is cut before its credentials are found.
const LOOKED_AT: usize = 64 << 10;
/// Characters of a body that are shown.
const SHOWN: usize = 6_000;

/// `[["Host", "example.com"], …]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, transparent)]
pub(crate) struct Headers(Few<Few<Verbatim<16_384>, 2>, HEADERS>);

/// One header.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Header {
    pub(crate) name: String,
    /// Without credentials
    pub(crate) value: String,
}

/// The beginning of a body.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Body {
    /// Without credentials that are known by name or form
    pub(crate) text: String,
    /// Whether there is more
    cut: bool,
}

impl Headers {
    pub(crate) fn shown(&self) -> Vec<Header> {
        let pairs = self.0.0.iter().filter_map(|Few(pair)| Some((pair.first()?.as_str(), pair.get(1)?)));
        let shown = |(name, value): (&str, &Verbatim<16_384>)| Header {
            name: clip(name, 80),
            value: value.0.as_deref().map_or_else(|| "…".to_owned(), |value| clip(&traffic::header(name, value), VALUE)),
        };
        pairs.map(shown).collect()
    }

    fn content_type(&self) -> &str {
        let is_it = |pair: &&Few<Verbatim<16_384>, 2>| {
            pair.0.first().is_some_and(|name| name.as_str().eq_ignore_ascii_case("content-type"))
        };
        self.0.0.iter().find(is_it).and_then(|pair| pair.0.get(1)).map(Verbatim::as_str).unwrap_or_default()
    }

    /// The body at `path`, whose headers these are. Nothing where it is empty, is no text, is too long to be fetched, or cannot be: what it
    /// belongs to is told all the same.
    pub(crate) fn body(&self, cx: &Context, path: Path, length: Option<u32>) -> Option<Body> {
        if !length.is_none_or(|length| (1..=FETCHED).contains(&length)) {
            return None;
        }
        let answer = api::mitmproxy(cx).get(path).send().ok().filter(casemate_plugin::Response::is_success)?;
        Body::of(self.content_type(), answer.bytes())
    }
}

impl Body {
    fn of(content_type: &str, bytes: &[u8]) -> Option<Self> {
        let beginning = bytes.get(..LOOKED_AT).unwrap_or(bytes);
        // A letter that is cut in two is left out.
        let whole = match std::str::from_utf8(beginning) {
            Err(error) if error.error_len().is_none() => beginning.get(..error.valid_up_to())?,
            _ => beginning,
        };
        let text = traffic::body(content_type, whole).filter(|text| !text.is_empty())?;
        let shown = clip_lines(&text, SHOWN);
        Some(Self { cut: whole.len() < bytes.len() || shown.chars().count() < text.chars().count(), text: shown })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_behind_its_credentials_and_between_letters() {
        let body = Body::of("text/plain", "token=s3cr3t\nrest".as_bytes()).unwrap();
        assert_eq!((body.text.as_str(), body.cut), ("token=‹redacted›\nrest", false));
        let long = "é".repeat(LOOKED_AT);
        let body = Body::of("text/plain", long.as_bytes()).unwrap();
        assert_eq!((body.text.chars().count(), body.cut), (SHOWN, true));
        let odd = format!("x{long}");
        assert!(Body::of("text/plain", odd.as_bytes()).is_some());
        assert!(Body::of("text/plain", &[b'a', 0xff, b'b']).is_none());
        assert!(Body::of("application/octet-stream", b"abc").is_none());
    }
}
