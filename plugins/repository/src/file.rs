//! Reading a file.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure,
    field::Sha1,
    tolerant::{Number, Object, Text, Verbatim},
};
use serde::Deserialize;

use crate::{Place, api, blob};

/// GitHub gives larger files without their content.
const LARGEST: usize = 1024 * 1024;

/// A text file, as the blob that GitHub names has it.
#[derive(Debug)]
pub struct File {
    /// The blob.
    pub sha: Sha1,
    /// Bytes.
    pub size: u32,
    /// All of it.
    pub text: String,
}

/// What GitHub says of a file; where it is a folder, a list instead of this.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Contents {
    r#type: Text<20>,
    path: Verbatim<600>,
    sha: Verbatim<40>,
    size: Number,
    encoding: Text<10>,
    content: Verbatim<1_600_000>,
}

impl File {
    /// Read the file at a place, of a branch, tag or commit, or of the default branch.
    ///
    /// # Errors
    /// When there is none, it is no text, or what arrived is not the blob that GitHub names.
    pub fn read(cx: &Context, place: &Place<'_>, reference: Option<&str>) -> Result<Self, Failure> {
        let Object(found): Object<Contents> = api::get(cx, place.contents()?, reference, "file")?;
        match found.r#type.0.as_deref() {
            Some("file") => {}
            None => return Err(Failure::invalid_arguments("this is a folder; look with list_folder")),
            Some(_) => {
                return Err(Failure::invalid_arguments("this is no file but a link or another repository, and is not followed"));
            }
        }
        if found.path.as_str() != place.text() {
            return Err(Failure::upstream("GitHub answered with another file than the one that was asked for"));
        }
        let size = found.size.count().unwrap_or_default();
        if found.encoding.0.as_deref() != Some("base64") || usize::try_from(size).is_ok_and(|size| size > LARGEST) {
            return Err(Failure::invalid_arguments("the file is larger than a megabyte"));
        }
        let wrapped = found.content.as_str();
        let bytes =
            STANDARD.decode(wrapped.replace('\n', "")).map_err(|_| Failure::upstream("the file's content is no base64"))?;
        let sha: Sha1 = found.sha.as_str().parse().map_err(|_| Failure::upstream("GitHub did not say which blob the file is"))?;
        if blob::id(&bytes) != sha.as_str() {
            return Err(Failure::upstream("the file's content is not that of the blob that GitHub names"));
        }
        let text = String::from_utf8(bytes).map_err(|_| Failure::invalid_arguments("the file is not text"))?;
        Ok(Self { sha, size, text })
    }
}
