//! GitHub's REST API, as far as the contents of a repository go: <https://docs.github.com/en/rest/repos/contents>.
//!
//! One repository, `acme/detections`, with the default branch `main`, the branch `casemate-rules`, and one that is protected. What
//! surprises:
//!
//! - without `branch`, or with the default one, a push goes to the default branch;
//! - a file that exists needs its `sha` (422), and the right one (409);
//! - a folder is answered with a list, a large file with an empty content;
//! - whoever may not see something is told that it is not there; who does not say who they are (`User-Agent`) is refused.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::record::hex;
use crate::{Reply, Upstream};

/// The token the fake takes when it is not told another. It is no one's, and no scanner takes it for somebody's.
pub const DEFAULT_KEY: &str = "fine-grained-token-of-the-fake";

const DEFAULT_BRANCH: &str = "main";
const BRANCHES: [&str; 3] = [DEFAULT_BRANCH, "casemate-rules", "casemate-protected"];
/// Larger files come without their content.
const LARGEST: usize = 1024 * 1024;

/// Branch, then path, then content.
type Tree = BTreeMap<(String, String), Vec<u8>>;

/// The fake service.
#[derive(Debug)]
pub struct GitHub {
    key: Key,
    tree: Mutex<Tree>,
}

impl Default for GitHub {
    fn default() -> Self {
        GitHub { key: Key::new(DEFAULT_KEY), tree: Mutex::new(tree()) }
    }
}

fn tree() -> Tree {
    let files: [(&str, &[u8]); 6] = [
        ("README.md", b"# Detections\n"),
        (".github/workflows/ci.yml", b"on: push\n"),
        ("rules/readme.txt", b"one rule a file\n"),
        ("rules/windows/whoami.yml", b"title: whoami\nstatus: test\n"),
        ("rules/windows/logo.png", b"\x89PNG\r\n\x1a\n\xff"),
        ("docs/large.txt", &[b'x'; LARGEST + 1]),
    ];
    let one = |branch: &'static str| files.map(|(path, content)| ((branch.to_owned(), path.to_owned()), content.to_vec()));
    BRANCHES.into_iter().flat_map(one).collect()
}

fn blob(content: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", content.len()));
    hasher.update(content);
    hex(&hasher.finalize())
}

impl GitHub {
    fn contents(&self, request: &Request, path: &str) -> Response {
        let branch = request.parameter("ref").unwrap_or_else(|| DEFAULT_BRANCH.to_owned());
        if !BRANCHES.contains(&branch.as_str()) {
            return refused(404, &format!("No commit found for the ref {branch}"));
        }
        let tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(content) = tree.get(&(branch.clone(), path.to_owned())) {
            let mut file = entry(path, "file", content);
            // Wrapped as MIME has it.
            let encoded = STANDARD.encode(content);
            let lines: Vec<String> =
                encoded.as_bytes().chunks(60).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
            let large = content.len() > LARGEST;
            file["encoding"] = json!(if large { "none" } else { "base64" });
            file["content"] = json!(if large { String::new() } else { lines.concat() });
            return Response::json(200, &file);
        }
        let below = format!("{path}/");
        let mut entries: BTreeMap<String, Value> = BTreeMap::new();
        for ((_, file), content) in tree.iter().filter(|((on, file), _)| *on == branch && file.starts_with(&below)) {
            let rest = file.get(below.len()..).unwrap_or_default();
            let (name, entry) = match rest.split_once('/') {
                Some((folder, _)) => (folder, entry(&format!("{below}{folder}"), "dir", b"")),
                None => (rest, entry(file, "file", content)),
            };
            entries.entry(name.to_owned()).or_insert(entry);
        }
        match entries.is_empty() {
            true => refused(404, "Not Found"),
            false => Response::json(200, &entries.into_values().collect()),
        }
    }

    fn put(&self, request: &Request, path: &str) -> Response {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return refused(400, "Problems parsing JSON") };
        let (Some(message), Some(content)) = (body["message"].as_str(), body["content"].as_str()) else {
            return refused(422, "Invalid request.\n\n\"message\" and \"content\" weren't supplied.");
        };
        let Ok(content) = STANDARD.decode(content) else { return refused(422, "content is not valid Base64") };
        let branch = body["branch"].as_str().unwrap_or(DEFAULT_BRANCH);
        if !BRANCHES.contains(&branch) {
            return refused(404, &format!("Branch {branch} not found"));
        }
        if branch == "casemate-protected" {
            return refused(409, "Repository rule violations found\n\nChanges must be made through a pull request.");
        }
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (branch.to_owned(), path.to_owned());
        let status = match (tree.get(&at).map(|old| blob(old)), body["sha"].as_str()) {
            (None, None) => 201,
            (Some(old), Some(sha)) if old == sha => 200,
            (Some(_), None) => return refused(422, "Invalid request.\n\n\"sha\" wasn't supplied."),
            (_, Some(sha)) => return refused(409, &format!("{path} does not match {sha}")),
        };
        let commit = blob(format!("{branch}{path}{message}").as_bytes());
        let file = entry(path, "file", &content);
        tree.insert(at, content);
        Response::json(
            status,
            &json!({ "content": file, "commit": { "sha": commit, "message": message, "verification": { "verified": false } } }),
        )
    }
}

fn entry(path: &str, kind: &str, content: &[u8]) -> Value {
    json!({ "type": kind, "name": path.rsplit('/').next(), "path": path, "sha": blob(content), "size": content.len(),
        "html_url": format!("https://github.com/acme/detections/blob/main/{path}") })
}

impl Upstream for GitHub {
    fn name(&self) -> &'static str {
        "github"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        if request.header("user-agent").is_none_or(str::is_empty) {
            let page = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
            return Response { status: 403, headers: Vec::new(), body: page.into() }.into();
        }
        let token = request.header("authorization").and_then(|value| value.split_once(' ')).map(|(_, token)| token);
        if !self.key.is(token) {
            return refused(401, "Bad credentials").into();
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["repos", "acme", "detections"]) => Response::json(
                200,
                &json!({ "id": 1, "name": "detections", "full_name": "acme/detections",
                    "default_branch": DEFAULT_BRANCH, "archived": false, "private": true }),
            ),
            // octokit sends the slashes of a path encoded.
            ("GET", ["repos", "acme", "detections", "contents", path @ ..]) => self.contents(request, &path.join("/")),
            ("PUT", ["repos", "acme", "detections", "contents", path @ ..]) => self.put(request, &path.join("/")),
            _ => refused(404, "Not Found"),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        let answer = match code {
            "unauthorized" => refused(401, "Bad credentials"),
            "forbidden" => refused(403, "Resource not accessible by personal access token"),
            "exhausted" => refused(403, "API rate limit exceeded").with_header("x-ratelimit-remaining", "0"),
            "secondary" => refused(429, "You have exceeded a secondary rate limit").with_header("retry-after", "60"),
            "not-found" => refused(404, "Not Found"),
            "moved" => refused(301, "Moved Permanently").with_header("location", "https://api.github.com/repositories/1"),
            "broken" => refused(502, "Server Error"),
            _ => return None,
        };
        Some(answer)
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.tree.lock().unwrap_or_else(PoisonError::into_inner) = tree();
    }
}

fn refused(status: u16, message: &str) -> Response {
    Response::json(
        status,
        &json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() }),
    )
}
