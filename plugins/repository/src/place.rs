//! Where something is in a repository, and the path by which GitHub is asked for it.

use casemate_plugin::{Failure, Path, path};

use crate::field::{Below, Folder, Owner, Repository};

/// A file or a folder of a repository.
#[derive(Debug)]
pub struct Place<'a> {
    /// The user or organisation.
    pub owner: &'a Owner,
    /// Without its owner.
    pub repository: &'a Repository,
    /// At the top of the repository.
    pub folder: &'a Folder,
    /// Nothing for the top folder itself.
    pub below: Option<&'a Below>,
}

impl Place<'_> {
    /// As GitHub writes it, from the repository's top.
    pub fn text(&self) -> String {
        match self.below {
            Some(below) => format!("{}/{below}", self.folder),
            None => self.folder.to_string(),
        }
    }

    /// Where its contents are. Each depth is a contract of its own.
    ///
    /// # Errors
    /// When it is deeper than any contract.
    pub fn contents(&self) -> Result<Path, Failure> {
        let (owner, repository, folder) = (self.owner, self.repository, self.folder);
        let below = self.below.map(Below::segments).unwrap_or_default();
        Ok(match below.as_slice() {
            [] => path!("/repos/{}/{}/contents/{}", owner, repository, folder),
            [a] => path!("/repos/{}/{}/contents/{}/{}", owner, repository, folder, a),
            [a, b] => path!("/repos/{}/{}/contents/{}/{}/{}", owner, repository, folder, a, b),
            [a, b, c] => path!("/repos/{}/{}/contents/{}/{}/{}/{}", owner, repository, folder, a, b, c),
            [a, b, c, d] => path!("/repos/{}/{}/contents/{}/{}/{}/{}/{}", owner, repository, folder, a, b, c, d),
            _ => return Err(Failure::invalid_arguments("the path is deeper than four names below its folder")),
        })
    }
}
