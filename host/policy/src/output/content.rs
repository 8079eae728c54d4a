//! Pieces of a result: text made visible, images and links only of the kinds that are shown.

use super::{RawContent, Redactor, Withheld, WithheldReason};
use crate::{
    scope::ScopeValue,
    text::{quote, visible},
};
use casemate_signing::manifest::ScopeKind;

/// Characters of a link's name: a name, not a second text.
const MAX_NAME: usize = 256;

/// A piece of a result that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text, nothing hidden in it.
    Text(String),
    /// An image.
    Image {
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// The bytes, which begin as the media type says.
        data: Vec<u8>,
    },
    /// A pointer to a resource.
    Link {
        /// An https URI in its plain spelling.
        uri: String,
        /// What a person would call it.
        name: String,
        /// Its media type, where known.
        media_type: Option<String>,
    },
}

impl Content {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Image { media_type, data } => media_type.len() + data.len(),
            Self::Link { uri, name, media_type } => uri.len() + name.len() + media_type.as_ref().map_or(0, String::len),
        }
    }
}

/// Read one piece. What a refusal quotes is redacted before it is cut: half a secret is no longer found.
pub(super) fn read(raw: RawContent, redactor: &Redactor) -> Result<Content, Withheld> {
    let quote = |text: &str, max: usize| quote(&redactor.redact(text).0, max);
    match raw {
        RawContent::Text(text) => Ok(Content::Text(visible(&text).into_owned())),
        RawContent::Image { media_type, data } => {
            if is_image(&media_type, &data) {
                Ok(Content::Image { media_type, data })
            } else {
                let why =
                    format!("an image is not the PNG, JPEG, GIF or WebP that its media type {} says", quote(&media_type, 80));
                Err(Withheld::new(WithheldReason::Image, why))
            }
        }
        RawContent::Link { uri, name, media_type } => {
            if !uri.starts_with("https://") || ScopeValue::parse(ScopeKind::Url, &uri).is_err() {
                return Err(Withheld::new(
                    WithheldReason::Link,
                    format!("a link to {} is not a plain https URL", quote(&uri, 120)),
                ));
            }
            if let Some(other) = media_type.as_ref().filter(|text| !is_media_type(text)) {
                return Err(Withheld::new(WithheldReason::Link, format!("a link's media type {} is none", quote(other, 80))));
            }
            let name: String = name.chars().take(MAX_NAME).map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).collect();
            Ok(Content::Link { uri, name: visible(&name).into_owned(), media_type })
        }
    }
}

/// Take secrets out of texts. Where they cannot be taken out, the result is withheld.
pub(super) fn redact(piece: Content, redactor: &Redactor, redactions: &mut usize) -> Result<Content, Withheld> {
    match piece {
        Content::Text(text) => Ok(Content::Text(redactor.redact_counting(text, redactions))),
        Content::Image { data, .. } if redactor.is_in(&data) => {
            Err(Withheld::new(WithheldReason::Secret, "an image holds a secret"))
        }
        Content::Link { uri, media_type, .. }
            if redactor.is_in(uri.as_bytes()) || media_type.as_ref().is_some_and(|text| redactor.is_in(text.as_bytes())) =>
        {
            Err(Withheld::new(WithheldReason::Secret, "a link holds a secret"))
        }
        Content::Link { uri, name, media_type } => {
            Ok(Content::Link { uri, name: redactor.redact_counting(name, redactions), media_type })
        }
        image @ Content::Image { .. } => Ok(image),
    }
}

/// Whether bytes begin as their media type says. SVG is text with scripts, and is none of these.
fn is_image(media_type: &str, data: &[u8]) -> bool {
    match media_type {
        "image/png" => data.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => data.starts_with(b"\xff\xd8\xff"),
        "image/gif" => data.starts_with(b"GIF87a") || data.starts_with(b"GIF89a"),
        "image/webp" => data.starts_with(b"RIFF") && data.get(8..12) == Some(b"WEBP".as_slice()),
        _ => false,
    }
}

fn is_media_type(text: &str) -> bool {
    let part = |part: &str| {
        (1..=64).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}
