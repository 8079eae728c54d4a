//! Queries: a rule in the language of a SIEM, or the name of what it has no words for.
//!
//! What comes out is what pySigma's backends write, but for the places where those write something else than the rule says; there, it is
//! what the rule says, or a refusal. tests/convert.rs holds the two against each other.

mod kusto;
mod splunk;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    detection::{Detection, Node, Test},
    pattern::Pattern,
    value::{Order, Value},
};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Target {
    Splunk,
    Kusto,
}

impl Target {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Splunk => "splunk",
            Self::Kusto => "kusto",
        }
    }
}

/// The query of a rule without errors.
///
/// # Errors
/// What of the rule is not supported.
pub(crate) fn query(target: Target, detection: &Detection, fields: &[String]) -> Result<String, String> {
    let tree = detection.tree()?;
    match target {
        Target::Splunk => splunk::query(&tree, fields),
        Target::Kusto => kusto::query(&tree),
    }
}

impl Order {
    /// As both languages write it.
    fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// What is in quotes in both languages: backslashes and quotes are escaped, and nothing breaks the line.
fn quoted(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("a value with a control character".to_owned());
    }
    Ok(text.replace('\\', r"\\").replace('"', "\\\""))
}

/// The one field of tests that can be a list: all of the same field, against texts or numbers.
fn list(nodes: &[Node]) -> Option<(&str, Vec<&Value>)> {
    let mut values = Vec::new();
    let mut of = None;
    for node in nodes {
        let Node::Test(Test { field: Some(field), value: value @ (Value::Text(_) | Value::Number(_)) }) = node else {
            return None;
        };
        if *of.get_or_insert(field) != field {
            return None;
        }
        values.push(value);
    }
    Some((of?, values))
}

/// Tests of a field against each of these.
fn each(field: Option<&String>, patterns: &[Pattern]) -> Vec<Node> {
    let test = |pattern: &Pattern| Node::Test(Test { field: field.cloned(), value: Value::Text(pattern.clone()) });
    patterns.iter().map(test).collect()
}
