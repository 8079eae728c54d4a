//! Pictures with more in them than can be seen.

use super::{Lint, Warnings};
use crate::manifest::{Manifest, check::pictures};

pub(super) fn check(manifest: &Manifest, warnings: &mut Warnings) {
    for (at, image, read) in pictures(manifest) {
        if read(image).is_ok_and(|picture| picture.annotated) {
            warnings.add(Lint::AnnotatedPicture, at, "a comment, or EXIF or XMP data");
        }
    }
}
