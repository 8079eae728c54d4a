//! Pushing a file: one commit on a branch that somebody made for it.

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, Passage, Sha1},
    leak, path,
    tolerant::{Flag, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, PUSH},
    blob,
    field::{Below, Branch, Folder, Owner, Repository},
    place::Place,
};

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

/// What GitHub is sent.
#[derive(Debug, Serialize)]
struct Body<'a> {
    message: &'a str,
    content: String,
    branch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha: Option<&'a str>,
}

/// The commit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pushed {
    /// From the repository's top
    path: String,
    branch: Branch,
    /// The file's blob
    sha: Sha1,
    commit: Sha1,
    /// The commit for people
    link: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Repo {
    default_branch: Text<255>,
    archived: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    content: Object<Content>,
    commit: Object<Commit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    path: Verbatim<600>,
    sha: Verbatim<40>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commit {
    sha: Verbatim<40>,
}

pub(crate) fn push(args: Arguments, cx: &Context) -> Result<Pushed, Failure> {
    let Arguments { owner, repository, branch, folder, path, content, message, replaces } = args;
    for text in [content.as_str(), message.as_str()] {
        if let Some(what) = leak::found(text) {
            return Err(Failure::invalid_arguments(format!(
                "nothing was pushed: it holds {what}; a credential does not belong into a repository"
            )));
        }
    }
    let Object(repo): Object<Repo> = api::get(cx, path!("/repos/{}/{}", owner, repository), None, "repository")?;
    is_fine(&repo, &branch)?;

    let place = Place { owner: &owner, repository: &repository, folder: &folder, below: Some(&path) };
    let body = Body {
        message: message.as_str(),
        content: STANDARD.encode(content.as_str()),
        branch: branch.as_str(),
        sha: replaces.as_ref().map(Sha1::as_str),
    };
    let request = api::request(api::github(cx).put(place.contents()?)).json(&body);
    let Object(answer): Object<Answer> = PUSH.send(request, |answer| api::failure(answer, "file or branch"))?;
    let (made, blob) = (answer.content.0, blob::id(content.as_str().as_bytes()));
    let (Ok(sha), Ok(commit)) = (made.sha.as_str().parse::<Sha1>(), answer.commit.0.sha.as_str().parse::<Sha1>()) else {
        return Err(PUSH.unknown("GitHub took it and did not say what it became"));
    };
    if made.path.as_str() != place.text() || sha.as_str() != blob {
        return Err(Failure::upstream(format!(
            "the commit `{commit}` now exists and does not hold what was asked for; somebody has to look at the branch"
        )));
    }
    let link = format!("https://github.com/{owner}/{repository}/commit/{commit}");
    Ok(Pushed { path: place.text(), branch, sha, commit, link })
}

/// Whether the branch may be pushed to, as far as GitHub says it.
fn is_fine(repo: &Repo, branch: &Branch) -> Result<(), Failure> {
    match repo.default_branch.0.as_deref() {
        None => Err(Failure::upstream("nothing was pushed: GitHub did not say what the repository's default branch is")),
        Some(default) if default == branch.as_str() => {
            Err(Failure::invalid_arguments("nothing was pushed: this is the repository's default branch"))
        }
        Some(_) if repo.archived.0 == Some(true) => {
            Err(Failure::invalid_arguments("nothing was pushed: the repository is archived"))
        }
        Some(_) => Ok(()),
    }
}

impl Readable for Pushed {
    fn text(&self) -> String {
        let Self { path, branch, sha, commit, link } = self;
        format!("pushed {path} to {branch} as blob {sha} in commit {commit}\n{link}")
    }
}
