//! What keeps a plugin from being packed, told to its author: in `plugin.toml`, or in the Rust that describes the tools.

use super::AssembleError;
use crate::manifest::{
    check::{Rule, RuleError},
    pointer::Pointer,
    schema::SchemaError,
};

/// A fault, and who has to change what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where the author looks.
    pub culprit: Culprit,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

/// Where an author looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Culprit {
    /// At these keys of `plugin.toml`.
    Source(String),
    /// At what the component describes of a tool: the function, its doc comment, or the types of its arguments and result.
    Tool {
        /// The tool's name.
        tool: String,
        /// Which part of it, in words; empty for the whole.
        part: String,
    },
    /// At the component itself.
    Component,
}

impl Fault {
    fn new(culprit: Culprit, text: &str) -> Self {
        let (what, help) = match text.split_once("\nhelp: ") {
            Some((what, help)) => (what, Some(help.to_owned())),
            None => (text, None),
        };
        Self { culprit, what: what.to_owned(), help }
    }
}

impl From<&AssembleError> for Fault {
    fn from(error: &AssembleError) -> Self {
        let source = |tool: &dyn std::fmt::Display, key: &str| Culprit::Source(format!("tool.{tool}{key}"));
        let culprit = match error {
            AssembleError::Rule(error) => return Self::from(error),
            AssembleError::NotDescribed(tool) => source(tool, ""),
            AssembleError::Effect { tool, .. } => source(tool, ".effect"),
            AssembleError::Idempotent(tool) => source(tool, ".idempotent"),
            AssembleError::NotDeclared(tool) | AssembleError::DescribedTwice(tool) => {
                Culprit::Tool { tool: tool.to_string(), part: String::new() }
            }
        };
        Self::new(culprit, &error.to_string())
    }
}

impl From<&RuleError> for Fault {
    fn from(RuleError { at, rule }: &RuleError) -> Self {
        match rule {
            Rule::InputSchema(error) => in_schema(at, "argument", error),
            Rule::OutputSchema(error) => in_schema(at, "result", error),
            Rule::Settings(SchemaError { at: inside, rule }) => {
                let keys = Pointer::parse(inside).map(|pointer| format!(".{}", pointer.tokens().join("."))).unwrap_or_default();
                Self::new(Culprit::Source(format!("{at}{keys}")), &rule.to_string())
            }
            rule => Self::new(of_place(at), &rule.to_string()),
        }
    }
}

/// Texts of tools and facts of the component are not written in `plugin.toml`.
fn of_place(at: &str) -> Culprit {
    let in_tool = at.strip_prefix("tool.").and_then(|rest| rest.split_once('.'));
    match in_tool {
        Some((tool, part @ ("title" | "description"))) => Culprit::Tool { tool: tool.to_owned(), part: part.to_owned() },
        _ if ["wit", "component", "imports"].iter().any(|key| at.split('.').next() == Some(*key)) => Culprit::Component,
        _ => Culprit::Source(at.to_owned()),
    }
}

fn in_schema(at: &str, what: &str, SchemaError { at: inside, rule }: &SchemaError) -> Fault {
    let tool = at.strip_prefix("tool.").unwrap_or(at).to_owned();
    Fault::new(Culprit::Tool { tool, part: part(what, inside) }, &rule.to_string())
}

/// `/properties/hash/items` is the element of the argument `hash`: an author knows the value, not the schema.
pub(crate) fn part(what: &str, at: &str) -> String {
    let pointer = Pointer::parse(at);
    let mut tokens = pointer.as_ref().map(Pointer::tokens).unwrap_or_default().iter().map(String::as_str);
    let (mut of, mut place, mut keyword) = (what.to_owned(), String::new(), "");
    while let Some(token) = tokens.next() {
        match token {
            "$defs" => of = format!("{what}, type `{}`", tokens.next().unwrap_or_default()),
            "properties" => {
                place.push('/');
                place.push_str(tokens.next().unwrap_or_default());
            }
            "items" | "additionalProperties" => place.push_str("/*"),
            "anyOf" | "oneOf" => drop(tokens.next()),
            other => keyword = other,
        }
    }
    let mut text = if place.is_empty() { of } else { format!("{of} `{place}`") };
    if !keyword.is_empty() {
        text.push_str(&format!(", its {keyword}"));
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::manifest::{schema::SchemaRule, text::TextError};

    fn check(at: &str, rule: Rule, culprit: Culprit, what: &str) {
        let fault = Fault::from(&RuleError { at: at.to_owned(), rule });
        assert_eq!((fault.culprit, fault.what.as_str()), (culprit, what), "{at}");
    }

    fn schema(at: &str) -> SchemaError {
        SchemaError { at: at.to_owned(), rule: SchemaRule::OpenObject }
    }

    #[test]
    fn each_fault_has_its_culprit() {
        let source = |at: &str| Culprit::Source(at.to_owned());
        let tool = |part: &str| Culprit::Tool { tool: "look_up".to_owned(), part: part.to_owned() };
        check("plugin.release", Rule::ReleaseZero, source("plugin.release"), "the release is 0");
        check("tool.look_up.scope.host", Rule::EmptyScope, source("tool.look_up.scope.host"), "the scope is empty");
        check("tool.look_up.description", TextError::Empty.into(), tool("description"), "the text is empty");
        check("tool.look_up.title", TextError::Empty.into(), tool("title"), "the text is empty");
        check(
            "component.sha256",
            Rule::ComponentDigest,
            Culprit::Component,
            "the component's digest is not 64 lower-case hex digits",
        );
        let open = "the object is open";
        check("tool.look_up", Rule::InputSchema(schema("/properties/a/items")), tool("argument `/a/*`"), open);
        check("tool.look_up", Rule::InputSchema(schema("")), tool("argument"), open);
        check(
            "tool.look_up",
            Rule::OutputSchema(schema("/$defs/R/properties/a/pattern")),
            tool("result, type `R` `/a`, its pattern"),
            open,
        );
        check("tool.look_up", Rule::InputSchema(schema("/properties/a/anyOf/0/properties/b")), tool("argument `/a/b`"), open);
        check("settings", Rule::Settings(schema("/properties/a")), source("settings.properties.a"), open);
        check("settings", Rule::Settings(schema("")), source("settings"), open);
    }

    #[test]
    fn the_help_is_taken_apart() {
        let fault = Fault::from(&RuleError { at: "plugin.release".to_owned(), rule: Rule::ReleaseZero });
        assert_eq!(fault.help.as_deref(), Some("releases count from 1 and grow with every package that is published"));
        let fault = Fault::from(&AssembleError::NotDescribed("look_up".parse().unwrap()));
        assert_eq!(fault.culprit, Culprit::Source("tool.look_up".to_owned()));
    }
}
