//! Flow: what having read one thing forbids doing next.
//!
//! Three calls that are harmless alone can be one that is not: list the targets, choose a technique, run it. A rule here looks
//! at what the session has read, by its labels, or at where an argument's value was seen first.

use std::fmt;

use casemate_signing::manifest::{Effect, Label};

use crate::{ServedName, ToolPattern, name::shared_name};

shared_name!(
    /// A flow rule's name.
    FlowName, "flow rule's name", "it has the form ^[a-z][a-z0-9-]{0,62}$",
    |text| (1..=63).contains(&text.len()) && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));

/// `[[flow]]` of the operator's configuration, or one of [`defaults`]: it can only say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRule {
    /// What it is called in verdicts.
    pub name: FlowName,
    /// When it applies.
    pub when: FlowWhen,
    /// What it forbids then: tools that match all that is said here.
    pub forbids: Forbidden,
    /// Whether a person who agrees to the very call lifts it.
    pub unless_approved: bool,
}

/// What must have happened before a rule forbids anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowWhen {
    /// The session has read a result with this label.
    After(Label),
    /// A value among the call's arguments was seen first in a result with this label.
    Carries(Label),
}

/// What a rule forbids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forbidden {
    /// Tools of this effect and above; absent: of every effect.
    pub effect: Option<Effect>,
    /// Tools that one of these matches; empty: every tool.
    pub tools: Vec<ToolPattern>,
}

impl FlowRule {
    /// Whether it forbids such a tool to carry on what was seen in a result.
    pub(crate) fn traces(&self, tool: &ServedName, effect: Effect) -> bool {
        matches!(self.when, FlowWhen::Carries(_)) && self.forbids.covers(tool, effect)
    }
}

impl Forbidden {
    /// Whether a call of this tool, which may do at most `ceiling`, is forbidden.
    pub fn covers(&self, tool: &ServedName, ceiling: Effect) -> bool {
        self.effect.is_none_or(|least| ceiling >= least)
            && (self.tools.is_empty() || self.tools.iter().any(|pattern| pattern.matches(tool)))
    }
}

impl FlowWhen {
    /// The label it is about.
    pub fn label(&self) -> &Label {
        match self {
            Self::After(label) | Self::Carries(label) => label,
        }
    }
}

impl fmt::Display for FlowWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(label) => write!(f, "after a `{label}` result was read"),
            Self::Carries(label) => write!(f, "with a value first seen in a `{label}` result"),
        }
    }
}

/// The rules that hold where the operator does not switch them off by name.
///
/// - `untrusted-then-execute`: who has read what an attacker may have written runs nothing unasked. It breaks the chain of
///   enumerating targets, selecting techniques and executing.
/// - `secret-then-write`: who has read a secret changes nothing anywhere unasked. It breaks the chain of reading a secret,
///   sending a message and pushing code.
/// - `untrusted-value-into-write`: what is acted on was named by the operator or the caller, not by a result.
pub fn defaults() -> Vec<FlowRule> {
    let rule = |name: &str, when: fn(Label) -> FlowWhen, label: &str, effect| {
        Some(FlowRule {
            name: name.parse().ok()?,
            when: when(label.parse().ok()?),
            forbids: Forbidden { effect: Some(effect), tools: Vec::new() },
            unless_approved: true,
        })
    };
    [
        rule("untrusted-then-execute", FlowWhen::After, "untrusted", Effect::Execute),
        rule("secret-then-write", FlowWhen::After, "secret", Effect::Write),
        rule("untrusted-value-into-write", FlowWhen::Carries, "untrusted", Effect::Write),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_default_has_a_name_that_parses() {
        assert_eq!(super::defaults().len(), 3);
    }
}
