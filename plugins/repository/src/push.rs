//! Pushing a file: one commit on a branch that somebody made for it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Change, Context, Failure, Readable,
    field::Sha1,
    leak, path,
    tolerant::{Flag, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Place, api, blob, field::Branch};

/// One file, as one commit.
#[derive(Debug)]
pub struct Commit<'a> {
    /// Where the file is.
    pub place: Place<'a>,
    /// The branch, which exists.
    pub branch: &'a Branch,
    /// The whole file.
    pub content: &'a str,
    /// The commit's message.
    pub message: &'a str,
    /// The blob that it replaces; none for a new file.
    pub replaces: Option<&'a Sha1>,
    /// What may have happened when the outcome is not known, and how to find out.
    pub unknown: &'static str,
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
    commit: Object<Made>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    path: Verbatim<600>,
    sha: Verbatim<40>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Made {
    sha: Verbatim<40>,
}

impl Commit<'_> {
    /// Make it: ask what the default branch is, push, and believe only an answer that names the very bytes that were sent.
    ///
    /// # Errors
    /// When it holds a credential, is for the default branch, is refused, or nobody knows what became of it.
    pub fn push(&self, cx: &Context) -> Result<Pushed, Failure> {
        let Self { place, branch, content, message, replaces, unknown } = self;
        for text in [content, message] {
            if let Some(what) = leak::found(text) {
                return Err(Failure::invalid_arguments(format!(
                    "nothing was pushed: it holds {what}; a credential does not belong into a repository"
                )));
            }
        }
        let Object(repo): Object<Repo> = api::get(cx, path!("/repos/{}/{}", place.owner, place.repository), None, "repository")?;
        is_fine(&repo, branch)?;

        let change = Change { service: "GitHub", unknown, patience: Duration::from_secs(20) };
        let sha = replaces.map(Sha1::as_str);
        let body = Body { message, content: STANDARD.encode(content), branch: branch.as_str(), sha };
        let request = api::request(api::github(cx).put(place.contents()?)).json(&body);
        let Object(answer): Object<Answer> = change.send(request, |answer| api::failure(answer, "file or branch"))?;
        let made = answer.content.0;
        let (Ok(sha), Ok(commit)) = (made.sha.as_str().parse::<Sha1>(), answer.commit.0.sha.as_str().parse::<Sha1>()) else {
            return Err(change.unknown("GitHub took it and did not say what it became"));
        };
        if made.path.as_str() != place.text() || sha.as_str() != blob::id(content.as_bytes()) {
            return Err(Failure::upstream(format!(
                "the commit `{commit}` now exists and does not hold what was asked for; somebody has to look at the branch"
            )));
        }
        let link = format!("https://github.com/{}/{}/commit/{commit}", place.owner, place.repository);
        Ok(Pushed { path: place.text(), branch: (*branch).clone(), sha, commit, link })
    }
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
