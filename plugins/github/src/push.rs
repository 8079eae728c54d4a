//! Pushing a file: one commit on a branch that somebody made for it.

use casemate_plugin::{
    Context, Failure,
    field::{Line, Passage, Sha1},
};
use casemate_repository::{
    Commit, Place, Pushed,
    field::{Below, Branch, Folder, Owner, Repository},
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Arguments of `push_file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The user or organisation
    owner: Owner,
    /// The repository's name, without its owner
    repository: Repository,
    /// The branch, which exists and begins with casemate-
    branch: Branch,
    /// The folder at the top of the repository
    folder: Folder,
    /// The file below it, such as windows/x.yml
    path: Below,
    /// The whole file
    content: Passage<100_000>,
    /// The commit's message, one line
    message: Line<200>,
    /// The blob's SHA of the file that this replaces; left out for a new file
    #[serde(default)]
    replaces: Option<Sha1>,
}

pub(crate) fn push(args: Arguments, cx: &Context) -> Result<Pushed, Failure> {
    let Arguments { owner, repository, branch, folder, path, content, message, replaces } = args;
    let commit = Commit {
        place: Place { owner: &owner, repository: &repository, folder: &folder, below: Some(&path) },
        branch: &branch,
        content: content.as_str(),
        message: message.as_str(),
        replaces: replaces.as_ref(),
        unknown: "the commit may be on the branch; look with get_file",
    };
    commit.push(cx)
}
