//! Tests of a plugin, natively: a scripted upstream instead of the host, and the host's own checks around each call.
//!
//! ```
//! use casemate_plugin::{Context, testing::{ScriptedUpstream, answer, get}};
//!
//! let files = ScriptedUpstream::new("files")
//!     .expect(get("/files/1").query("full", "true"), answer(200).json(&serde_json::json!({ "size": 3 })));
//! let cx = Context::scripted([&files]);
//! let response = cx.upstream("files").get(casemate_plugin::path!("/files/{}", 1)).query("full", true).send().unwrap();
//! assert_eq!(response.status(), 200);
//! // When `files` goes out of scope, the test fails unless every request of the script was sent, and no other.
//! ```

mod check;
mod recorded;
mod script;
mod source;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use serde::Serialize;
use serde_json::Value;

use crate::{Context, Entry, Failure, Level, Outcome, Response, SendError, SourceError, request::Outgoing, tool};

pub use check::{check, check_field};
pub use recorded::Recorded;
pub use script::{Answer, Expected, ScriptedUpstream, answer, delete, fault, get, head, patch, post, put};
pub use source::ScriptedSource;

pub(crate) use source::OpenSource;

use script::Script;

/// A test's world.
#[derive(Debug, Default)]
pub(crate) struct World {
    scripts: Vec<Rc<RefCell<Script>>>,
    sources: BTreeMap<String, ScriptedSource>,
    lines: RefCell<Vec<(Level, String)>>,
    reports: RefCell<Vec<(u64, Option<u64>, String)>>,
}

impl World {
    pub(crate) fn log(&self, level: Level, message: &str) {
        self.lines.borrow_mut().push((level, message.to_owned()));
    }

    pub(crate) fn progress(&self, done: u64, total: Option<u64>, message: &str) {
        self.reports.borrow_mut().push((done, total, message.to_owned()));
    }

    pub(crate) fn sources(&self) -> Vec<String> {
        self.sources.keys().cloned().collect()
    }

    pub(crate) fn open(&self, name: &str) -> Result<OpenSource, SourceError> {
        self.sources.get(name).ok_or(SourceError::NotFound)?.open()
    }

    pub(crate) fn send(&self, outgoing: Outgoing) -> Result<Response, SendError> {
        match self.scripts.iter().find(|script| script.borrow().upstream() == outgoing.upstream) {
            Some(script) => script.borrow_mut().send(outgoing),
            // What the gate says about an upstream that the manifest does not have.
            None => Err(SendError::Refused),
        }
    }
}

impl Context {
    /// A context whose upstreams follow scripts, with empty settings.
    pub fn scripted<'a>(upstreams: impl IntoIterator<Item = &'a ScriptedUpstream>) -> Self {
        let scripts = upstreams.into_iter().map(ScriptedUpstream::script).collect();
        Self::new("{}".to_owned(), World { scripts, ..World::default() })
    }

    /// With settings.
    #[must_use]
    pub fn with_settings(self, settings: &impl Serialize) -> Self {
        let text = serde_json::to_string(settings).unwrap_or_else(|error| format!("settings: {error}"));
        Self::new(text, self.world)
    }

    /// With a byte source of that name.
    #[must_use]
    pub fn with_source(mut self, name: &str, source: impl Into<ScriptedSource>) -> Self {
        self.world.sources.insert(name.to_owned(), source.into());
        self
    }

    /// What was logged so far.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.world.lines.borrow().clone()
    }

    /// What progress was reported so far: done, total, message.
    pub fn reports(&self) -> Vec<(u64, Option<u64>, String)> {
        self.world.reports.borrow().clone()
    }
}

/// Call a tool as the host does: the arguments are held against the input schema before, the structured answer against
/// the output schema after, and a panic stays inside.
///
/// # Errors
/// What the tool returned; `invalid-arguments` for arguments that do not fit the schema, which the host would not have
/// let through; `internal` for an unknown tool, a panic, or an answer that does not fit.
pub fn call(tools: &[Entry], name: &str, arguments: &Value, context: &Context) -> Result<Outcome, Failure> {
    let described = crate::describe(tools);
    let schema = |key: &str| described.as_array().into_iter().flatten().find(|it| it["name"] == *name).map(|it| it[key].clone());
    if let Some(schema) = schema("inputSchema") {
        fits(&schema, arguments)
            .map_err(|why| Failure::invalid_arguments(format!("the arguments do not fit the schema: {why}")))?;
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| tool::call(tools, name, arguments.to_string(), context)))
        .unwrap_or_else(|_| Err(Failure::internal(format!("`{name}` panicked"))))?;
    if let Some(schema) = schema("outputSchema") {
        let structured = serde_json::from_str(&outcome.structured)?;
        fits(&schema, &structured).map_err(|why| Failure::internal(format!("the answer does not fit its schema: {why}")))?;
    }
    Ok(outcome)
}

fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::draft202012::new(schema).map_err(|error| format!("not a schema: {error}"))?;
    validator.validate(value).map_err(|error| format!("{error} at `{}`", error.instance_path()))
}
