//! Pictures: each is what it says it is, and all of them are few.

use super::{Findings, Manifest, Rule};
use crate::manifest::{
    Attachment, Image,
    image::{ImageError, Picture},
};

/// Pictures of one plugin.
const MAX_PICTURES: usize = 64;
/// Bytes of all of them: they go with the manifest wherever it goes.
const MAX_BYTES: usize = 96 << 10;

/// How a picture of its kind is read.
pub(crate) type Reader = fn(&Image) -> Result<Picture, ImageError>;

pub(super) fn check(manifest: &Manifest, findings: &mut Findings) {
    let (mut count, mut bytes) = (0, 0);
    for (at, image, read) in pictures(manifest) {
        count += 1;
        match read(image) {
            Ok(picture) => bytes += picture.data.len(),
            Err(error) => findings.add(at, error),
        }
    }
    if count > MAX_PICTURES {
        findings.add("plugin", Rule::TooMany { what: "pictures", count, max: MAX_PICTURES });
    }
    if bytes > MAX_BYTES {
        findings.add("plugin", Rule::PictureBytes { bytes, max: MAX_BYTES });
    }
}

/// Every picture of a manifest, where it stands, and what it is read as.
pub(crate) fn pictures(manifest: &Manifest) -> impl Iterator<Item = (String, &Image, Reader)> {
    let plugin = manifest.plugin.icon.iter().map(|icon| ("plugin.icon".to_owned(), icon, Image::icon as Reader));
    let tools = manifest
        .tool
        .iter()
        .filter_map(|(name, tool)| tool.icon.as_ref().map(|icon| (format!("tool.{name}.icon"), icon, Image::icon as Reader)));
    let prompts = manifest.prompt.iter().flat_map(|(name, prompt)| {
        prompt.attach.iter().enumerate().filter_map(move |(number, attachment)| match attachment {
            Attachment::Picture(picture) => {
                Some((format!("prompt.{name}.attach[{number}].image"), &picture.image, Image::picture as Reader))
            }
            Attachment::Document(_) => None,
        })
    });
    plugin.chain(tools).chain(prompts)
}
