//! Reading a file.

use casemate_plugin::{Context, Failure, Readable, clip_lines, field::Sha1};
use casemate_repository::{
    Place,
    field::{Below, Folder, Owner, Ref, Repository},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a file that are shown.
const SHOWN: usize = 100_000;

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

pub(crate) fn get(args: Arguments, cx: &Context) -> Result<File, Failure> {
    let Arguments { owner, repository, folder, path, r#ref } = args;
    let place = Place { owner: &owner, repository: &repository, folder: &folder, below: Some(&path) };
    let found = casemate_repository::File::read(cx, &place, r#ref.as_ref().map(Ref::as_str))?;
    Ok(File { path: place.text(), sha: found.sha, size: found.size, text: clip_lines(&found.text, SHOWN) })
}

impl Readable for File {
    fn text(&self) -> String {
        let Self { path, sha, size, text } = self;
        format!("{path}, {size} bytes, blob {sha}\n{text}")
    }
}
