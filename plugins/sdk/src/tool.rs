//! Tools: what `#[tool]` makes of a function, and how a call finds its way to it.

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{Context, Failure, schema, text::clip};

/// The worst a tool may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Changes nothing outside.
    Read,
    /// Creates or changes a record.
    Write,
    /// Makes something run somewhere.
    Execute,
    /// May harm what it touches.
    Destructive,
}

impl Effect {
    /// The word that manifests use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
            Self::Destructive => "destructive",
        }
    }
}

/// An answer that a person can read.
///
/// Every answer is returned twice: as structured content, which is the type itself as JSON, and as this text. Keep it
/// to what somebody would want to know first; the rest is in the structure.
pub trait Readable {
    /// A few lines.
    fn text(&self) -> String;
}

/// A tool. Written by `#[tool]`.
pub trait Tool {
    /// `^[a-z][a-z0-9_]{1,39}$`, without the plugin's prefix.
    const NAME: &'static str;
    /// A few words for a menu.
    const TITLE: &'static str;
    /// Plain text for the model and for people.
    const DESCRIPTION: &'static str;
    /// The worst it may do.
    const EFFECT: Effect;
    /// Whether repeating a call changes nothing more.
    const IDEMPOTENT: bool;
    /// A struct whose fields are the arguments.
    type Arguments: DeserializeOwned + JsonSchema;
    /// A struct whose fields are the structured answer.
    type Answer: Serialize + JsonSchema + Readable;

    /// The function itself.
    ///
    /// # Errors
    /// What the author returned.
    fn run(arguments: Self::Arguments, context: &Context) -> Result<Self::Answer, Failure>;
}

/// `Result<Answer, Failure>`, and nothing else: lets `#[tool]` name the answer of a function whose return type is an alias.
pub trait ToolResult {
    /// The answer.
    type Answer;
}

impl<T> ToolResult for Result<T, Failure> {
    type Answer = T;
}

/// What a call that worked returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// For the reader.
    pub text: String,
    /// For programs: a JSON object, as text.
    pub structured: String,
}

/// A tool without its types, so that different ones fit in one list.
#[derive(Debug)]
pub struct Entry {
    pub(crate) name: &'static str,
    describe: fn() -> Value,
    call: fn(String, &Context) -> Result<Outcome, Failure>,
}

impl Entry {
    /// The entry of a tool.
    pub const fn of<T: Tool>() -> Self {
        Self { name: T::NAME, describe: describe_one::<T>, call: call_one::<T> }
    }
}

/// The tools as JSON: what `casemate pack` puts into the manifest.
pub fn describe(tools: &[Entry]) -> Value {
    tools.iter().map(|entry| (entry.describe)()).collect()
}

/// Run the tool of that name.
pub(crate) fn call(tools: &[Entry], name: &str, arguments: String, context: &Context) -> Result<Outcome, Failure> {
    match tools.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.call)(arguments, context),
        None => Err(Failure::internal(format!("this plugin has no tool `{}`", clip(name, 64)))),
    }
}

fn describe_one<T: Tool>() -> Value {
    let (input, output) = (schema::input::<T::Arguments>(), schema::output::<T::Answer>());
    described([T::NAME, T::TITLE, T::DESCRIPTION, T::EFFECT.as_str()], input, output, T::IDEMPOTENT)
}

/// Apart from the types, so that a component has it once and not once for each tool.
fn described([name, title, description, effect]: [&str; 4], input: Value, output: Value, idempotent: bool) -> Value {
    json!({
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": input,
        "outputSchema": output,
        "effect": effect,
        "idempotent": idempotent,
    })
}

fn call_one<T: Tool>(arguments: String, context: &Context) -> Result<Outcome, Failure> {
    let parsed = serde_json::from_str(&arguments)
        .map_err(|error| Failure::invalid_arguments(format!("the arguments do not fit: {}", clip(&error.to_string(), 300))))?;
    // A file in the arguments is megabytes; the tool has its own copy.
    drop(arguments);
    let answer = T::run(parsed, context)?;
    let structured = serde_json::to_string(&answer)
        .map_err(|error| Failure::internal(format!("the answer cannot be written as JSON: {}", clip(&error.to_string(), 300))))?;
    Ok(Outcome { text: answer.text(), structured })
}
