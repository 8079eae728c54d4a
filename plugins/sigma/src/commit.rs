//! Committing a rule: one file and one commit, on a branch that somebody made for it.

use casemate_plugin::{
    Context, Failure,
    field::{Line, Passage, Sha1, Uuid},
};
use casemate_repository::{
    Commit, File, Place, Pushed,
    field::{Below, Branch, Folder, Owner, Repository},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::rule::{LONGEST, Rule};

/// Arguments of `commit_rule`.
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
    /// The file below it, such as windows/whoami.yml
    path: Below,
    /// The rule, in YAML
    rule: Passage<LONGEST>,
    /// The commit's message, one line
    message: Line<200>,
    /// The blob's SHA of the file that this replaces, which holds the same rule; left out for a new file
    #[serde(default)]
    replaces: Option<Sha1>,
}

pub(crate) fn commit(args: Arguments, cx: &Context) -> Result<Pushed, Failure> {
    let Arguments { owner, repository, branch, folder, path, rule, message, replaces } = args;
    let id = fit(rule.as_str()).map_err(|why| Failure::invalid_arguments(format!("nothing was committed: {why}")))?;
    if !path.as_str().ends_with(".yml") {
        return Err(Failure::invalid_arguments("nothing was committed: a rule's file ends with .yml"));
    }
    let place = || Place { owner: &owner, repository: &repository, folder: &folder, below: Some(&path) };
    if let Some(replaces) = &replaces {
        let old = File::read(cx, &place(), Some(branch.as_str()))?;
        is_older(&old, replaces, &id).map_err(|why| Failure::invalid_arguments(format!("nothing was committed: {why}")))?;
    }
    let mut content = rule.as_str().trim_end().to_owned();
    content.push('\n');
    let commit = Commit {
        place: place(),
        branch: &branch,
        content: &content,
        message: message.as_str(),
        replaces: replaces.as_ref(),
        unknown: "the commit may be on the branch; somebody has to look at it on GitHub",
    };
    commit.push(cx)
}

/// Whether it is a rule that may be put before people: without errors, with an id, and not said to be more than tried.
fn fit(text: &str) -> Result<Uuid, String> {
    let (rule, findings) = Rule::read(text);
    if let Some(error) = findings.first_error() {
        return Err(format!("the rule has an error: {error}"));
    }
    match rule.status.as_deref() {
        Some("experimental" | "test") => {}
        Some(status) => return Err(format!("its status is `{status}`; people say so, and here it is `experimental` or `test`")),
        None => return Err("it has no status; here it is `experimental` or `test`".to_owned()),
    }
    rule.id.ok_or_else(|| "it has no id".to_owned())
}

/// Whether a file may be replaced: the one that is meant, and the same rule, which nobody calls stable.
fn is_older(old: &File, replaces: &Sha1, id: &Uuid) -> Result<(), String> {
    if old.sha != *replaces {
        return Err(format!("the file is the blob `{}` by now; look at it again", old.sha));
    }
    let (rule, _) = Rule::read(&old.text);
    if rule.id.as_ref() != Some(id) {
        return Err("the file holds another rule, or none that can be read; it stays".to_owned());
    }
    if rule.status.as_deref() == Some("stable") {
        return Err("the rule there is `stable`; people change those".to_owned());
    }
    Ok(())
}
