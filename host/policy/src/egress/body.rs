//! The body: read as its content type says, strictly, and written again from what was read.

use super::{
    field::Fields,
    refusal::{Refusal, RefusalReason},
};
use crate::{json::Json, text::quote};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// How bodies of a media type are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `application/json` and every `+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`: only its frame is looked at.
    Multipart,
    /// Anything else is not looked into.
    Opaque,
}

impl Kind {
    /// How a media type, lower case and without parameters, is read.
    pub(super) fn of(media_type: &str) -> Self {
        match media_type {
            "application/json" => Self::Json,
            FORM => Self::Form,
            MULTIPART => Self::Multipart,
            other if other.ends_with("+json") => Self::Json,
            _ => Self::Opaque,
        }
    }

    /// Whether a contract can say what is inside.
    pub(super) fn is_read(self) -> bool {
        matches!(self, Self::Json | Self::Form)
    }
}

/// A body that was read.
#[derive(Debug, Clone)]
pub(super) struct Body {
    /// Lower case, without parameters.
    pub(super) media_type: String,
    /// The `content-type` that is sent.
    pub(super) content_type: String,
    /// What is inside, where it was read; a form is an object of strings.
    pub(super) inside: Option<Json>,
    /// What is sent.
    pub(super) bytes: Vec<u8>,
}

/// Read a body; none where there is none.
pub(super) fn read(content_type: Option<&str>, bytes: Vec<u8>) -> Result<Option<Body>, Refusal> {
    let Some(header) = content_type else {
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(Refusal::new(RefusalReason::ContentTypeMalformed, "there is a body and no content type"))
        };
    };
    let malformed =
        |why: &str| Refusal::new(RefusalReason::ContentTypeMalformed, format!("the content type {} {why}", quote(header, 120)));
    let (media_type, parameter) = match header.split_once(';') {
        Some((media_type, parameter)) => (media_type.trim(), Some(parameter.trim())),
        None => (header, None),
    };
    let media_type = media_type.to_ascii_lowercase();
    if !is_media_type(&media_type) {
        return Err(malformed("is no media type"));
    }
    let kind = Kind::of(&media_type);
    if kind == Kind::Multipart {
        let boundary = parameter.and_then(|text| text.strip_prefix("boundary=")).filter(|boundary| is_boundary(boundary));
        let boundary = boundary.ok_or_else(|| malformed("has no plain `boundary`"))?;
        if !is_framed(&bytes, boundary) {
            return Err(Refusal::new(
                RefusalReason::BodyMalformed,
                "the multipart body does not begin and end with its boundary",
            ));
        }
        let content_type = format!("{MULTIPART}; boundary={boundary}");
        return Ok(Some(Body { media_type, content_type, inside: None, bytes }));
    }
    if parameter.is_some_and(|text| !text.eq_ignore_ascii_case("charset=utf-8")) {
        return Err(malformed("has a parameter other than `charset=utf-8`"));
    }
    let refused = |why: String| Refusal::new(RefusalReason::BodyMalformed, format!("the body is refused: {why}"));
    let (inside, bytes) = match kind {
        Kind::Json => {
            let json = Json::parse(&bytes).map_err(|fault| refused(fault.to_string()))?;
            let mut text = String::with_capacity(bytes.len());
            json.write(&mut text);
            (Some(json), text.into_bytes())
        }
        Kind::Form => {
            let text = std::str::from_utf8(&bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
            let fields = Fields::parse(text).map_err(|fault| refused(fault.to_string()))?;
            let object = fields.iter().map(|(name, value)| (name.to_owned(), Json::String(value.to_owned()))).collect();
            (Some(Json::Object(object)), fields.encode().into_bytes())
        }
        Kind::Multipart | Kind::Opaque => (None, bytes),
    };
    let content_type = match (kind, parameter) {
        (Kind::Opaque, Some(_)) => format!("{media_type}; charset=utf-8"),
        _ => media_type.clone(),
    };
    Ok(Some(Body { media_type, content_type, inside, bytes }))
}

/// `type/subtype` of RFC 6838's restricted names, lower case.
pub(super) fn is_media_type(text: &str) -> bool {
    let part = |part: &str| {
        (1..=64).contains(&part.len())
            && part.bytes().all(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || matches!(b, b'!' | b'#' | b'$' | b'&' | b'-' | b'^' | b'_' | b'.' | b'+')
            })
    };
    text.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}

/// RFC 2046 allows more; nobody needs more, and quoting is where readers differ.
fn is_boundary(text: &str) -> bool {
    (1..=70).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Begins with the opening delimiter and ends with the closing one, with nothing around them.
fn is_framed(bytes: &[u8], boundary: &str) -> bool {
    let open = format!("--{boundary}\r\n");
    let close = format!("\r\n--{boundary}--");
    let rest = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    bytes.starts_with(open.as_bytes()) && rest.ends_with(close.as_bytes()) && rest.len() >= open.len() + close.len()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Body, RefusalReason, read};

    fn accepted(content_type: &str, body: &str) -> Body {
        read(Some(content_type), body.as_bytes().to_vec()).unwrap().unwrap()
    }

    fn refused(content_type: Option<&str>, body: &str) -> RefusalReason {
        read(content_type, body.as_bytes().to_vec()).unwrap_err().reason()
    }

    #[test]
    fn what_was_read_is_what_is_sent() {
        let json = accepted("Application/JSON; Charset=UTF-8", " {\"a\" : \"\\u0062\"} ");
        assert_eq!((json.content_type.as_str(), json.bytes.as_slice()), ("application/json", br#"{"a":"b"}"#.as_slice()));
        let json = accepted("application/vnd.api+json", "[1]");
        assert!(json.inside.is_some());
        let form = accepted("application/x-www-form-urlencoded", "a=%62+c&d=");
        assert_eq!(form.bytes, b"a=b%20c&d=");
        let multipart = accepted(
            "multipart/form-data; boundary=xYz",
            "--xYz\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n1\r\n--xYz--\r\n",
        );
        assert_eq!((multipart.content_type.as_str(), multipart.inside), ("multipart/form-data; boundary=xYz", None));
        assert_eq!(accepted("text/plain; charset=utf-8", "\u{e9}").content_type, "text/plain; charset=utf-8");
        assert!(read(None, Vec::new()).unwrap().is_none());
    }

    #[test]
    fn bodies_with_two_readings_are_refused() {
        assert_eq!(refused(None, "x"), RefusalReason::ContentTypeMalformed);
        for content_type in [
            "",
            "json",
            "application/json; charset=utf-16",
            "application/json; charset=utf-7",
            "application/json;",
            "application/json; x=y",
            "application/json, text/plain",
            "application/json; charset=utf-8; charset=utf-16",
            "multipart/form-data",
            "text/plain; boundary=x",
            "multipart/form-data; boundary=\"x\"",
            "multipart/form-data; boundary=x; boundary=y",
            "multipart/form-data; boundary=",
            "a/b/c",
            "a b/c",
        ] {
            assert_eq!(refused(Some(content_type), "--x\r\n\r\n--x--"), RefusalReason::ContentTypeMalformed, "{content_type}");
        }
        assert_eq!(refused(Some("application/json"), ""), RefusalReason::BodyMalformed);
        assert_eq!(refused(Some("application/json"), "{\"a\":1,\"a\":2}"), RefusalReason::BodyMalformed);
        assert_eq!(refused(Some("application/json"), "\u{feff}{}"), RefusalReason::BodyMalformed);
        assert_eq!(refused(Some("application/x-www-form-urlencoded"), "a=1&a=2"), RefusalReason::BodyMalformed);
        for body in
            ["", "--x--", "preamble\r\n--x\r\n\r\n--x--", "--x\r\n\r\n--y--", "--x\r\n\r\n--x--\r\nepilogue", "--x\r\n--x--"]
        {
            assert_eq!(refused(Some("multipart/form-data; boundary=x"), body), RefusalReason::BodyMalformed, "{body:?}");
        }
    }
}
