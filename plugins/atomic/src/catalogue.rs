//! The catalogue: Atomic Red Team's tests, as the files that the operator bound have them.
//!
//! A file holds one technique, or many with lines of `---` between them, as `atomics/T*/T*.yaml` of the project have them. What a test
//! would run is shown and never sent: the machine has its own copy, and is told which test by its id alone.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, clip, clip_lines,
    field::{TechniqueId, Uuid},
    yaml::{self, Yaml},
};
use schemars::JsonSchema;
use serde::Serialize;

/// Bytes of one file, and of all. The project's have three million.
const LARGEST: u64 = 8 << 20;
/// Bytes of one technique. The longest has 100,000.
const LONGEST: usize = 512 * 1024;
/// Characters of a command.
const COMMAND: usize = 8_000;

/// A technique and its tests.
#[derive(Debug)]
pub(crate) struct Technique {
    pub(crate) id: TechniqueId,
    pub(crate) name: String,
    pub(crate) tests: Vec<Test>,
}

/// A test.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Test {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    description: String,
    pub(crate) platforms: Vec<String>,
    /// What runs it: powershell, command_prompt, sh, bash or manual
    pub(crate) executor: String,
    pub(crate) elevation_required: bool,
    /// What it would run, with its arguments as #{name}
    command: String,
    /// What would take it back; empty where nothing does
    pub(crate) cleanup_command: String,
    /// Arguments and what they are by default; nobody here sets others
    arguments: Vec<Argument>,
    /// What has to be there before
    dependencies: Vec<String>,
}

/// An argument of a test.
#[derive(Debug, Serialize, JsonSchema)]
struct Argument {
    name: String,
    default: String,
}

/// Everything that is bound, as one text for each file.
pub(crate) fn texts(cx: &Context) -> Result<Vec<String>, Failure> {
    let (mut texts, mut left) = (Vec::new(), LARGEST);
    for name in cx.sources() {
        let text = cx.source(&name)?.text(left)?;
        left = left.saturating_sub(u64::try_from(text.len()).unwrap_or(u64::MAX));
        texts.push(text);
    }
    if texts.is_empty() {
        return Err(Failure::not_found("there is no catalogue: the operator has to bind one"));
    }
    Ok(texts)
}

/// Every document of them.
pub(crate) fn documents(texts: &[String]) -> impl Iterator<Item = &str> {
    texts.iter().flat_map(|text| yaml::documents(text))
}

/// One technique.
pub(crate) fn technique(cx: &Context, id: &TechniqueId) -> Result<Technique, Failure> {
    let texts = texts(cx)?;
    let mut found = documents(&texts)
        .filter(|document| document.contains(id.as_str()))
        .filter_map(Technique::read)
        .filter(|technique| technique.id == *id);
    match (found.next(), found.next()) {
        (Some(technique), None) => Ok(technique),
        (None, _) => Err(Failure::not_found(format!("the catalogue has no technique `{id}` that can be read"))),
        _ => Err(Failure::invalid_arguments(format!("the catalogue has `{id}` several times; the operator has to look"))),
    }
}

impl Technique {
    /// Nothing where the document is no technique.
    pub(crate) fn read(document: &str) -> Option<Self> {
        if document.len() > LONGEST {
            return None;
        }
        let tree = yaml::read(document).ok()?;
        let id = tree.get("attack_technique")?.text()?.trim().parse().ok()?;
        let tests = tree.get("atomic_tests")?.items().iter().filter_map(Test::of).collect();
        Some(Self { id, name: line(tree.get("display_name"), 120), tests })
    }

    /// One of its tests.
    pub(crate) fn test(self, id: &Uuid) -> Result<Test, Failure> {
        let Self { id: technique, tests, .. } = self;
        let mut found = tests.into_iter().filter(|test| test.id == *id);
        match (found.next(), found.next()) {
            (Some(test), None) => Ok(test),
            (None, _) => Err(Failure::not_found(format!("`{technique}` has no test `{id}` in the catalogue"))),
            _ => Err(Failure::invalid_arguments(format!("`{technique}` has several tests `{id}`; the operator has to look"))),
        }
    }
}

impl Test {
    /// Nothing where it has no id, since it cannot be named then.
    fn of(test: &Yaml) -> Option<Self> {
        let executor = test.get("executor");
        let part = |name: &str| executor.and_then(|executor| executor.get(name));
        let arguments = test.get("input_arguments").map(Yaml::entries).unwrap_or_default();
        let dependencies = test.get("dependencies").map(Yaml::items).unwrap_or_default();
        Some(Self {
            id: test.get("auto_generated_guid")?.text()?.trim().parse().ok()?,
            name: line(test.get("name"), 200),
            description: line(test.get("description"), 1_000),
            platforms: test
                .get("supported_platforms")
                .map(Yaml::items)
                .unwrap_or_default()
                .iter()
                .take(20)
                .map(|it| line(Some(it), 40))
                .collect(),
            executor: line(part("name"), 40),
            elevation_required: part("elevation_required").and_then(Yaml::text) == Some("true"),
            command: lines(part("command")),
            cleanup_command: lines(part("cleanup_command")),
            arguments: arguments
                .iter()
                .take(40)
                .map(|(name, argument)| Argument { name: clip(name, 80), default: line(argument.get("default"), 400) })
                .collect(),
            dependencies: dependencies.iter().take(40).map(|it| line(it.get("description"), 400)).collect(),
        })
    }

    /// What it would do, for people.
    pub(crate) fn said(&self) -> String {
        let mut text = self.description.clone();
        for dependency in &self.dependencies {
            let _ = write!(text, "\nneeds: {dependency}");
        }
        for Argument { name, default } in &self.arguments {
            let _ = write!(text, "\n#{{{name}}} is {default}");
        }
        let _ = write!(text, "\ncommand:\n{}", self.command);
        if !self.cleanup_command.is_empty() {
            let _ = write!(text, "\ncleanup:\n{}", self.cleanup_command);
        }
        text
    }

    pub(crate) fn runs_on(&self, platform: &str) -> bool {
        self.platforms.iter().any(|known| known == platform)
    }
}

fn line(text: Option<&Yaml>, longest: usize) -> String {
    clip(text.and_then(Yaml::text).unwrap_or_default(), longest)
}

fn lines(text: Option<&Yaml>) -> String {
    clip_lines(text.and_then(Yaml::text).unwrap_or_default(), COMMAND)
}
