//! What one tool's results must be, compiled once.

use std::collections::BTreeSet;

use casemate_signing::manifest::{Label, Tool};
use serde_json::Value;

use super::{Withheld, WithheldReason};
use crate::schema::Schema;

/// What one tool's results must be.
#[derive(Debug)]
pub struct OutputRules {
    schema: Option<Schema>,
    labels: BTreeSet<Label>,
    max_bytes: usize,
}

/// A signed output schema that cannot be used. The culprit is the plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plugin's output schema cannot be used: {0}")]
pub struct OutputRuleError(String);

/// The label of everything that may hold text somebody else wrote.
pub fn untrusted() -> Option<Label> {
    "untrusted".parse().ok()
}

impl OutputRules {
    /// For a signed tool and a cap on a result's bytes.
    pub fn new(tool: &Tool, max_bytes: usize) -> Result<Self, OutputRuleError> {
        let compile = |schema| Schema::compile(schema).map_err(|fault| OutputRuleError(fault.to_string()));
        let mut labels = tool.labels.produces.clone();
        // What comes from an upstream may have been written by anyone.
        if !tool.requests.is_empty() {
            labels.extend(untrusted());
        }
        Ok(Self { schema: tool.output_schema.as_ref().map(compile).transpose()?, labels, max_bytes })
    }

    /// What every result carries.
    pub fn labels(&self) -> &BTreeSet<Label> {
        &self.labels
    }

    /// The cap on a result's bytes.
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    pub(super) fn check(&self, structured: Option<&Value>) -> Result<(), Withheld> {
        let unexpected = |why: &str| Withheld::new(WithheldReason::StructuredUnexpected, why);
        match (&self.schema, structured) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(unexpected("there is a structured result, and the tool has no output schema")),
            (Some(_), None) => Err(unexpected("the tool has an output schema, and there is no structured result")),
            (Some(schema), Some(value)) => schema.check(value).map_err(|faults| {
                Withheld::new(
                    WithheldReason::SchemaMismatch,
                    format!("the structured result does not fit the output schema\n{faults}"),
                )
            }),
        }
    }
}
