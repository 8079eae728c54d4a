//! Listing a folder.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Sha1,
    tolerant::{Few, Number, Object, Text, Verbatim},
};
use casemate_repository::{
    Place, api,
    field::{Below, Folder, Owner, Ref, Repository},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Entries of one answer.
const SHOWN: usize = 300;
/// As many as GitHub lists.
const READ: usize = 1_000;

/// Arguments of `list_folder`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The user or organisation
    owner: Owner,
    /// The repository's name, without its owner
    repository: Repository,
    /// The folder at the top of the repository
    folder: Folder,
    /// The folder below it, such as windows/process; the top folder itself where it is left out
    #[serde(default)]
    path: Option<Below>,
    /// A branch, tag or commit; the default branch where it is left out
    #[serde(default)]
    r#ref: Option<Ref>,
}

/// What is in a folder.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    /// From the repository's top
    path: String,
    entries: Vec<Shown>,
    /// Entries that are not listed, because the list ends at 300
    more: usize,
}

/// A file or a folder.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    name: String,
    /// file, dir, symlink or submodule
    kind: String,
    /// Bytes of a file
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
    /// The blob's SHA of a file
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<Sha1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    name: Text<255>,
    r#type: Text<20>,
    size: Number,
    sha: Verbatim<40>,
}

/// A list; nothing where it is a file's object instead.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Entries(Few<Object<Entry>, READ>);

pub(crate) fn list(args: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let Arguments { owner, repository, folder, path, r#ref } = args;
    let place = Place { owner: &owner, repository: &repository, folder: &folder, below: path.as_ref() };
    let Entries(Few(found)) = api::get(cx, place.contents()?, r#ref.as_ref().map(Ref::as_str), "folder")?;
    if found.is_empty() {
        // Git knows no empty folders.
        return Err(Failure::invalid_arguments("this is no folder; look with get_file"));
    }
    let more = found.len().saturating_sub(SHOWN);
    let entries = found.into_iter().take(SHOWN).map(|Object(entry)| entry.into()).collect();
    Ok(Listing { path: place.text(), entries, more })
}

impl From<Entry> for Shown {
    fn from(entry: Entry) -> Self {
        let kind = entry.r#type.0.unwrap_or_default();
        let is_file = kind == "file";
        Self {
            name: entry.name.0.unwrap_or_default(),
            size: entry.size.count().filter(|_| is_file),
            sha: entry.sha.as_str().parse().ok().filter(|_| is_file),
            kind,
        }
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = format!("{} has {} entries", self.path, self.entries.len() + self.more);
        for Shown { name, kind, size, .. } in &self.entries {
            let _ = match size {
                Some(size) => write!(text, "\n{name} ({size} bytes)"),
                None => write!(text, "\n{name} ({kind})"),
            };
        }
        if self.more > 0 {
            let _ = write!(text, "\n{} more are not listed", self.more);
        }
        text
    }
}
