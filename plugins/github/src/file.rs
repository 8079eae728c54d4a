//! Reading a file.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure, Readable, clip_lines,
    field::Sha1,
    tolerant::{Number, Object, Text, Verbatim},
};
use casemate_repository::{
    Place, api, blob,
    field::{Below, Folder, Owner, Ref, Repository},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a file that are shown.
const SHOWN: usize = 100_000;
/// GitHub gives larger files without their content.
const LARGEST: usize = 1024 * 1024;

/// Arguments of `get_file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The user or organisation
    owner: Owner,
    /// The repository's name, without its owner
    repository: Repository,
    /// The folder at the top of the repository
    folder: Folder,
    /// The file below it, such as windows/x.yml
    path: Below,
    /// A branch, tag or commit; the default branch where it is left out
    #[serde(default)]
    r#ref: Option<Ref>,
}

/// A text file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct File {
    /// From the repository's top
    path: String,
    /// The blob's SHA, to replace it with push_file
    sha: Sha1,
    /// Bytes
    size: u32,
    /// Cut at 100,000 characters
    text: String,
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

pub(crate) fn get(args: Arguments, cx: &Context) -> Result<File, Failure> {
    let Arguments { owner, repository, folder, path, r#ref } = args;
    let place = Place { owner: &owner, repository: &repository, folder: &folder, below: Some(&path) };
    let Object(found): Object<Contents> = api::get(cx, place.contents()?, r#ref.as_ref().map(Ref::as_str), "file")?;
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
    let bytes = STANDARD.decode(wrapped.replace('\n', "")).map_err(|_| Failure::upstream("the file's content is no base64"))?;
    let sha: Sha1 = found.sha.as_str().parse().map_err(|_| Failure::upstream("GitHub did not say which blob the file is"))?;
    if blob::id(&bytes) != sha.as_str() {
        return Err(Failure::upstream("the file's content is not that of the blob that GitHub names"));
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::invalid_arguments("the file is not text"))?;
    Ok(File { path: place.text(), sha, size, text: clip_lines(&text, SHOWN) })
}

impl Readable for File {
    fn text(&self) -> String {
        let Self { path, sha, size, text } = self;
        format!("{path}, {size} bytes, blob {sha}\n{text}")
    }
}
