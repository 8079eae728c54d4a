//! GitHub: files of granted repositories, and pushing one to a branch that is not the default.
//!
//! The tools are glue; each module holds one of them. What is pushed is one file and one commit, which GitHub's answer has to name by the
//! very bytes that were sent.

mod file;
mod folder;
mod push;

use casemate_plugin::{Context, Failure, plugin, tool};
use casemate_repository::Pushed;

/// List a folder of a repository: files and folders with their sizes and blob SHAs, the first 300. Of the default branch, or of another
/// branch, tag or commit.
#[tool(effect = read, idempotent, title = "List a folder on GitHub")]
pub fn list_folder(args: folder::Arguments, cx: &Context) -> Result<folder::Listing, Failure> {
    folder::list(args, cx)
}

/// Read a text file of a repository, up to 100,000 characters, with its blob SHA. Of the default branch, or of another branch, tag or
/// commit.
#[tool(effect = read, idempotent, title = "Read a file on GitHub")]
pub fn get_file(args: file::Arguments, cx: &Context) -> Result<file::File, Failure> {
    file::get(args, cx)
}

/// Push one text file to a branch that exists, as one commit. The branch is one whose name begins with casemate- and never the
/// repository's default branch. To replace a file that is there, say which one by its blob SHA; otherwise the file has to be new.
#[tool(effect = write, title = "Push a file to GitHub")]
pub fn push_file(args: push::Arguments, cx: &Context) -> Result<Pushed, Failure> {
    push::push(args, cx)
}

plugin!(list_folder, get_file, push_file);
