//! Pieces of a result: text made visible; images, recordings and links only of the kinds that are shown.

use super::{Flags, RawContent, Redactor, Screen, Withheld, WithheldReason};
use crate::{
    scope::ScopeValue,
    text::{quote, visible},
};
use casemate_signing::manifest::ScopeKind;

/// Images that are shown.
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Recordings that are shown.
const AUDIOS: [&str; 4] = ["audio/wav", "audio/mpeg", "audio/ogg", "audio/flac"];
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
    /// A recording.
    Audio {
        /// `audio/wav`, `audio/mpeg`, `audio/ogg` or `audio/flac`.
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
    /// A text with its address.
    Embedded {
        /// An https URI in its plain spelling.
        uri: String,
        /// Its media type, where known.
        media_type: Option<String>,
        /// The text itself, nothing hidden in it.
        text: String,
    },
}

impl Content {
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Image { media_type, data } | Self::Audio { media_type, data } => media_type.len() + data.len(),
            Self::Link { uri, name: text, media_type } | Self::Embedded { uri, media_type, text } => {
                uri.len() + text.len() + media_type.as_ref().map_or(0, String::len)
            }
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
        RawContent::Audio { media_type, data } => {
            if is_audio(&media_type, &data) {
                Ok(Content::Audio { media_type, data })
            } else {
                let why =
                    format!("a recording is not the WAV, MP3, Ogg or FLAC that its media type {} says", quote(&media_type, 80));
                Err(Withheld::new(WithheldReason::Audio, why))
            }
        }
        RawContent::Embedded { uri, media_type, text } => {
            address(&uri, media_type.as_deref(), quote)?;
            Ok(Content::Embedded { uri, media_type, text: visible(&text).into_owned() })
        }
        RawContent::Link { uri, name, media_type } => {
            address(&uri, media_type.as_deref(), quote)?;
            let name: String = name.chars().take(MAX_NAME).map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).collect();
            Ok(Content::Link { uri, name: visible(&name).into_owned(), media_type })
        }
    }
}

/// Where a link leads or a text is from: a plain https URL, and if a media type, one.
fn address(uri: &str, media_type: Option<&str>, quote: impl Fn(&str, usize) -> String) -> Result<(), Withheld> {
    if !uri.starts_with("https://") || ScopeValue::parse(ScopeKind::Url, uri).is_err() {
        return Err(Withheld::new(WithheldReason::Link, format!("a link to {} is not a plain https URL", quote(uri, 120))));
    }
    match media_type.filter(|text| !is_media_type(text)) {
        Some(other) => Err(Withheld::new(WithheldReason::Link, format!("a link's media type {} is none", quote(other, 80)))),
        None => Ok(()),
    }
}

/// Take secrets out of texts. Where they cannot be taken out, the result is withheld.
pub(super) fn redact(piece: Content, redactor: &Redactor, redactions: &mut usize) -> Result<Content, Withheld> {
    match piece {
        Content::Text(text) => Ok(Content::Text(redactor.redact_counting(text, redactions))),
        Content::Image { data, .. } if redactor.is_in(&data) => {
            Err(Withheld::new(WithheldReason::Secret, "an image holds a secret"))
        }
        Content::Audio { data, .. } if redactor.is_in(&data) => {
            Err(Withheld::new(WithheldReason::Secret, "a recording holds a secret"))
        }
        Content::Link { uri, media_type, .. } | Content::Embedded { uri, media_type, .. }
            if redactor.is_in(uri.as_bytes()) || media_type.as_ref().is_some_and(|text| redactor.is_in(text.as_bytes())) =>
        {
            Err(Withheld::new(WithheldReason::Secret, "a link holds a secret"))
        }
        Content::Link { uri, name, media_type } => {
            Ok(Content::Link { uri, name: redactor.redact_counting(name, redactions), media_type })
        }
        Content::Embedded { uri, media_type, text } => {
            Ok(Content::Embedded { uri, media_type, text: redactor.redact_counting(text, redactions) })
        }
        bytes @ (Content::Image { .. } | Content::Audio { .. }) => Ok(bytes),
    }
}

/// Note what a piece's words look like, as they came.
pub(super) fn note(raw: &RawContent, screen: &Screen, flags: &mut Flags) {
    match raw {
        RawContent::Text(text) | RawContent::Link { name: text, .. } | RawContent::Embedded { text, .. } => {
            screen.note(text, flags);
        }
        RawContent::Image { .. } | RawContent::Audio { .. } => {}
    }
}

/// Look for the operator's patterns. In an address nothing can be replaced.
pub(super) fn screened(piece: Content, screen: &Screen, flags: &mut Flags) -> Result<Content, Withheld> {
    let address = |uri: &str| match screen.forbids(uri) {
        Some(name) => Err(Withheld::new(WithheldReason::Pattern, format!("a link matches the pattern `{name}`"))),
        None => Ok(()),
    };
    match piece {
        Content::Text(text) => Ok(Content::Text(screen.apply(text, flags))),
        Content::Link { uri, name, media_type } => {
            address(&uri)?;
            Ok(Content::Link { uri, name: screen.apply(name, flags), media_type })
        }
        Content::Embedded { uri, media_type, text } => {
            address(&uri)?;
            Ok(Content::Embedded { uri, media_type, text: screen.apply(text, flags) })
        }
        bytes @ (Content::Image { .. } | Content::Audio { .. }) => Ok(bytes),
    }
}

/// Whether bytes of this media type are shown, if they are what it says.
pub fn is_shown(media_type: &str) -> bool {
    IMAGES.contains(&media_type) || AUDIOS.contains(&media_type)
}

/// Bytes, as an image or a recording.
pub fn of_bytes(media_type: String, data: Vec<u8>) -> RawContent {
    if AUDIOS.contains(&media_type.as_str()) {
        RawContent::Audio { media_type, data }
    } else {
        RawContent::Image { media_type, data }
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

/// The same of recordings. An MP3 begins with an ID3 tag or with a frame of MPEG audio, layer III.
fn is_audio(media_type: &str, data: &[u8]) -> bool {
    match media_type {
        "audio/wav" => data.starts_with(b"RIFF") && data.get(8..12) == Some(b"WAVE".as_slice()),
        "audio/mpeg" => data.starts_with(b"ID3") || matches!(data, [0xff, second, ..] if second & 0xe6 == 0xe2),
        "audio/ogg" => data.starts_with(b"OggS"),
        "audio/flac" => data.starts_with(b"fLaC"),
        _ => false,
    }
}

fn is_media_type(text: &str) -> bool {
    let part = |part: &str| {
        (1..=64).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}
