//! Pictures: their bytes are signed with the rest, and no address stands for them that a client would go to.
//!
//! SVG is text with scripts, and is none of these.

mod shape;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use shape::{Shape, jpeg, png, webp};

/// Bytes of an icon: it stands beside every tool in every list.
pub const MAX_ICON: usize = 4 << 10;
/// Pixels of an icon's side.
pub const MAX_ICON_SIDE: u32 = 512;
/// Bytes of a picture in a prompt.
pub const MAX_PICTURE: usize = 32 << 10;
/// Pixels of its side: few bytes can unfold to a picture that fills a client's memory.
pub const MAX_SIDE: u32 = 4096;

/// A picture as `data:MEDIA-TYPE;base64,BYTES`. In an author's `plugin.toml` the name of a file stands for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Image(String);

/// What is in an [`Image`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// `image/png`, `image/jpeg` or `image/webp`.
    pub media_type: &'static str,
    /// The bytes, which are what the media type says.
    pub data: Vec<u8>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whether words or descriptions are in it, which no reviewer sees.
    pub annotated: bool,
}

/// Why something is no picture that may be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// An address: a client would go there, and find what nobody signed.
    #[error("the picture is an address, and a client would go there\nhelp: name a file beside plugin.toml; its bytes are signed")]
    Address,
    /// A media type that is not shown.
    #[error("the picture is no PNG, JPEG or WebP\nhelp: SVG is text with scripts; draw it as PNG")]
    Kind,
    /// Not base64 as RFC 4648 has it, padded, with nothing left over.
    #[error("the picture's bytes are not base64 (RFC 4648, section 4)")]
    Base64,
    /// The bytes are something else than the media type says, or more than one picture.
    #[error("the picture's bytes are no {0}")]
    Shape(&'static str),
    /// More than it may be.
    #[error("the picture is {bytes} bytes, and at most {max} are allowed")]
    Bytes {
        /// As it is.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// More than it may be.
    #[error("the picture is {width} by {height} pixels\nhelp: each is 1 to {max}")]
    Pixels {
        /// As it is.
        width: u32,
        /// As it is.
        height: u32,
        /// The bound.
        max: u32,
    },
}

/// How bytes of a kind are read.
type Reader = fn(&[u8]) -> Option<Shape>;
/// Every kind: its media type, its name and its reader.
const KINDS: [(&str, &str, Reader); 3] = [("image/png", "PNG", png), ("image/jpeg", "JPEG", jpeg), ("image/webp", "WebP", webp)];

impl Image {
    /// These bytes, whatever kind they are of.
    ///
    /// # Errors
    /// Where they are of none.
    pub fn of(data: &[u8]) -> Result<Self, ImageError> {
        let (media_type, ..) = KINDS.iter().find(|(_, _, read)| read(data).is_some()).ok_or(ImageError::Kind)?;
        Ok(Self(format!("data:{media_type};base64,{}", STANDARD.encode(data))))
    }

    /// As clients are given it.
    pub fn as_uri(&self) -> &str {
        &self.0
    }

    /// The name of the file that an author has put in its place.
    pub fn file(&self) -> Option<&str> {
        // `C:\icon.png` is no name either: what is signed on one machine is signed on all.
        (!self.0.contains(':')).then_some(&self.0)
    }

    /// The picture, if it is one of at most `max` bytes and `side` pixels each way.
    ///
    /// # Errors
    /// Where it is not.
    pub fn read(&self, max: usize, side: u32) -> Result<Picture, ImageError> {
        let (media_type, text) = self
            .0
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .ok_or_else(|| if self.0.starts_with("data:") { ImageError::Kind } else { ImageError::Address })?;
        let (media_type, name, read) = KINDS.into_iter().find(|(known, ..)| *known == media_type).ok_or(ImageError::Kind)?;
        let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
        let bytes = (text.len() / 4 * 3).saturating_sub(padding);
        if bytes > max {
            return Err(ImageError::Bytes { bytes, max });
        }
        let data = STANDARD.decode(text).map_err(|_| ImageError::Base64)?;
        let Shape { width, height, annotated } = read(&data).ok_or(ImageError::Shape(name))?;
        if ![width, height].iter().all(|pixels| (1..=side).contains(pixels)) {
            return Err(ImageError::Pixels { width, height, max: side });
        }
        Ok(Picture { media_type, data, width, height, annotated })
    }

    /// As an icon.
    ///
    /// # Errors
    /// Where it is none.
    pub fn icon(&self) -> Result<Picture, ImageError> {
        self.read(MAX_ICON, MAX_ICON_SIDE)
    }

    /// As a picture in a prompt.
    ///
    /// # Errors
    /// Where it is none.
    pub fn picture(&self) -> Result<Picture, ImageError> {
        self.read(MAX_PICTURE, MAX_SIDE)
    }
}

/// For people: what it is, and a digest in place of the bytes. What is no picture is shown as it is written.
impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.picture() {
            Ok(Picture { media_type, data, width, height, .. }) => {
                let digest = Digest::of(&data).to_hex();
                write!(f, "{media_type}, {width}x{height} pixels, {} bytes, sha256:{digest}", data.len())
            }
            Err(_) => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({self})")
    }
}

/// A value of a manifest as people are shown it: digests in place of pictures.
pub fn described(mut value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match &mut value {
        Value::String(text) if text.starts_with("data:image/") => *text = Image(std::mem::take(text)).to_string(),
        Value::Array(items) => items.iter_mut().for_each(|item| *item = described(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = described(field.take())),
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests;
