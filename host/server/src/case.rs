//! A recorded case: one call of a tool, what its upstreams answered, and how it has to end.
//!
//! A file of it is read strictly: what it does not say in a known word is an error, so that no case passes because of a slip.

mod body;
mod difference;
pub(crate) mod file;
mod unique;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use casemate_policy::output::FailureKind;
use casemate_sandbox::{Expected, Received};
use casemate_signing::manifest::{Effect, Manifest, Tool};

use crate::{config::nearest, exit::Failure, house::store};

pub(crate) use body::Body;
pub(crate) use difference::differences;
use file::{Expect, File};

/// A submission of 4 MiB is in its case twice, in base64.
pub(crate) const MAX_CASE: usize = 16 << 20;
/// Cases of one plugin. Each opens a house, so more would not be waited for.
const MAX_CASES: usize = 1000;
/// The kinds of failure that a plugin can report.
pub(crate) const KINDS: [FailureKind; 7] = [
    FailureKind::InvalidArguments,
    FailureKind::NotFound,
    FailureKind::Unauthorized,
    FailureKind::RateLimited,
    FailureKind::Unavailable,
    FailureKind::Upstream,
    FailureKind::Internal,
];

/// A case that can be played.
pub(crate) struct Case {
    /// Its file's name, without the ending.
    pub(crate) name: String,
    pub(crate) file: File,
    /// What the network answers, in its place.
    pub(crate) exchanges: Vec<(Expected, Received)>,
    /// What a dry run has to come to.
    pub(crate) plan: Vec<Expected>,
}

/// Why a text is no case.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseError {
    /// Not the JSON of a case.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// A body that is not what it says.
    #[error("`{at}` is not base64")]
    Base64 { at: String },
    /// Not an HTTP status.
    #[error("`{at}` has the status {status}, which HTTP does not have\nhelp: a status is a number from 200 to 599")]
    Status { at: String, status: u16 },
    /// Not a path.
    #[error(
        "the path `{path}` does not begin with `/`\nhelp: path and query, percent-encoded; where the upstream is, is not part of a case"
    )]
    Path { path: String },
    /// Not a kind of failure.
    #[error("there is no kind of failure `{kind}`\nhelp: {}", KINDS.map(FailureKind::as_str).join(", "))]
    Kind { kind: String },
    /// A name that the manifest does not have.
    #[error("plugin `{plugin}` has no {what} `{name}`\nhelp: {help}")]
    Unknown { plugin: String, what: &'static str, name: String, help: String },
    /// A tool that only reads is never run dry.
    #[error("`{tool}` only reads, so there is nothing to plan or to execute\nhelp: leave `{word}` out")]
    OnlyReads { tool: String, word: &'static str },
    /// A plan and its execution exclude each other.
    #[error("a case that executes has no plan\nhelp: leave `execute` out, or expect how the call ends")]
    PlanExecuted,
}

impl Case {
    /// A case from its text, for a plugin of this manifest.
    pub(crate) fn parse(name: &str, text: &[u8], manifest: &Manifest) -> Result<Self, CaseError> {
        unique::check(text)?;
        let file: File = serde_json::from_slice(text)?;
        let tool = check_names(&file, manifest)?;
        check_mode(&file, tool)?;
        let exchanges = file.exchanges.iter().enumerate().map(|(at, exchange)| {
            Ok((exchange.request.expected()?, exchange.response.received(&format!("exchanges/{at}/response"))?))
        });
        let plan = match &file.expect {
            Expect::Planned { plan } => plan.iter().map(file::Request::expected).collect::<Result<_, CaseError>>()?,
            Expect::Failed { kind, .. } if !KINDS.iter().any(|known| known.as_str() == kind) => {
                return Err(CaseError::Kind { kind: kind.clone() });
            }
            _ => Vec::new(),
        };
        Ok(Self { name: name.to_owned(), exchanges: exchanges.collect::<Result<_, CaseError>>()?, plan, file })
    }
}

/// Every name in the case is one of the plugin's.
fn check_names<'m>(file: &File, manifest: &'m Manifest) -> Result<&'m Tool, CaseError> {
    let unknown = |what, name: &str, known: Vec<&str>| CaseError::Unknown {
        plugin: manifest.plugin.name.to_string(),
        what,
        name: name.to_owned(),
        help: match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "its manifest declares none".to_owned(),
            None => known.join(", "),
        },
    };
    let tools = || manifest.tool.keys().map(|name| name.as_str()).collect();
    let tool = manifest.tool.get(&file.tool).ok_or_else(|| unknown("tool", file.tool.as_str(), tools()))?;
    let planned = if let Expect::Planned { plan } = &file.expect { plan.as_slice() } else { &[] };
    let upstreams = file.exchanges.iter().map(|exchange| &exchange.request).chain(planned).map(|request| &request.upstream);
    for name in upstreams.chain(file.origins.keys()) {
        if !manifest.upstream.contains_key(name) {
            return Err(unknown("upstream", name.as_str(), manifest.upstream.keys().map(|name| name.as_str()).collect()));
        }
    }
    // A dimension that the tool does not have limits nothing, and a grant of it is an error.
    let dimensions = manifest.dimensions(tool);
    if let Some(name) = file.scope.keys().find(|name| !dimensions.contains(*name)) {
        return Err(unknown("scope for this tool", name.as_str(), dimensions.iter().map(|name| name.as_str()).collect()));
    }
    if let Some(name) = file.sources.keys().find(|name| !manifest.binds(name)) {
        return Err(unknown("source", name.as_str(), manifest.sources.keys().map(|name| name.as_str()).collect()));
    }
    Ok(tool)
}

fn check_mode(file: &File, tool: &Tool) -> Result<(), CaseError> {
    let planned = matches!(file.expect, Expect::Planned { .. });
    match (tool.effect > Effect::Read, file.execute, planned) {
        (false, true, _) => Err(CaseError::OnlyReads { tool: file.tool.to_string(), word: "execute" }),
        (false, _, true) => Err(CaseError::OnlyReads { tool: file.tool.to_string(), word: "planned" }),
        (_, true, true) => Err(CaseError::PlanExecuted),
        _ => Ok(()),
    }
}

/// Every case in a folder, in the order of their names; or everything that is wrong with them.
pub(crate) fn read_all(folder: &Path, manifest: &Manifest) -> Result<Vec<Case>, Failure> {
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for path in files(folder)? {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match store::file(&path, MAX_CASE) {
            Ok(text) => match Case::parse(&name, &text, manifest) {
                Ok(case) => cases.push(case),
                Err(error) => faults.push(format!("{}: {error}", path.display())),
            },
            Err(failure) => faults.push(failure.message),
        }
    }
    if faults.is_empty() { Ok(cases) } else { Err(Failure::invalid(faults.join("\n\n"))) }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = |error: io::Error| {
        Failure::invalid(format!(
            "the cases in `{}` cannot be read: {error}\nhelp: casemate record makes one of a real call; --cases names another folder",
            folder.display()
        ))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    if files.is_empty() || files.len() > MAX_CASES {
        return Err(Failure::invalid(format!(
            "there are {} cases in `{}`, and there have to be 1 to {MAX_CASES}\nhelp: casemate record makes one of a real call",
            files.len(),
            folder.display()
        )));
    }
    files.sort_by(|one, other| one.file_stem().cmp(&other.file_stem()));
    Ok(files)
}

#[cfg(test)]
mod tests;
