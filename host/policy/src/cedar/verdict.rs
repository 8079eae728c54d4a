//! What the operator's policies say of a call.

use std::sync::Arc;

use super::{Rule, kind::Misfit};

/// How many policies one answer to a caller names.
const MAX_TOLD: usize = 3;

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// None of them forbids the call.
    Pass,
    /// At least one does, or it is not known whether one does.
    Deny(Denial),
}

/// Which policies forbid a call, and what could not be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    rules: Vec<Arc<Rule>>,
    faults: Vec<Fault>,
}

/// Why it is not known whether the call is forbidden.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the policies were not made for this release of `{0}`")]
    Tool(String),
    #[error("{0}")]
    Argument(#[from] Misfit),
    #[error("the target at `{argument}` cannot be read")]
    Target { argument: String },
    #[error("the call cannot be put to the policies: {0}")]
    Question(String),
    #[error("`{rule}` cannot be evaluated: {fault}")]
    Evaluation { rule: String, fault: String },
    #[error("the policies gave no answer")]
    Silent,
}

impl Denial {
    pub(super) fn new(rules: Vec<Arc<Rule>>, faults: Vec<Fault>) -> Self {
        Self { rules, faults }
    }

    /// The policies that forbid the call, in the order they were read; none where it could not be found out.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(Arc::as_ref)
    }

    /// Whether something could not be found out, and the call is denied for that.
    pub fn is_fault(&self) -> bool {
        !self.faults.is_empty()
    }

    /// What happened; may be shown to the caller.
    pub fn message(&self) -> String {
        let mut lines: Vec<String> = self
            .rules
            .iter()
            .take(MAX_TOLD)
            .map(|rule| match rule.message() {
                Some(message) => format!("the operator's policy `{}` forbids this call: {message}", rule.id()),
                None => format!("the operator's policy `{}` forbids this call", rule.id()),
            })
            .collect();
        if self.rules.len() > MAX_TOLD {
            lines.push(format!("and {} more", self.rules.len() - MAX_TOLD));
        }
        if lines.is_empty() {
            lines.push("the operator's policies could not be asked about this call".to_owned());
        }
        lines.join("\n")
    }

    /// What the caller may do next.
    pub fn for_model(&self) -> String {
        let remedies: Vec<&str> = self.rules().take(MAX_TOLD).filter_map(Rule::remedy).collect();
        match (remedies.is_empty(), self.rules.is_empty()) {
            (false, _) => remedies.join("\n"),
            (true, false) => "ask the operator; retrying will not help".to_owned(),
            (true, true) => "correct the arguments and call again, or ask the operator".to_owned(),
        }
    }

    /// What the operator would look at.
    pub fn for_operator(&self) -> String {
        let rules = self.rules.iter().map(|rule| format!("`{}` at {} forbids it", rule.id(), rule.place()));
        rules.chain(self.faults.iter().map(Fault::to_string)).collect::<Vec<_>>().join("\n")
    }
}
