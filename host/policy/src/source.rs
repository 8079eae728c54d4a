//! Log sources: files of the operator's that a caller may read. A read of one is a call like any other: every layer looks at it.
//!
//! Clients do not call it by a name: it is a [`Call`] of its own kind, which no tool's name makes. So a grant's tool patterns never cover a
//! source, and a source's name never covers a tool.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::manifest::{ArgumentPlace, DimensionName, Effect, Label, Labels, PluginId, SourceName, Tool};
use serde_json::json;

use crate::{
    ApprovalMode, ApprovalRule, Call, GrantName, InvalidName, ServedName, ToolRule,
    output::{OutputRuleError, OutputRules, untrusted},
};

/// What stands before a source's name in records, budgets and policies: no plugin's name begins so.
const PREFIX: &str = "_source_";

/// A source, and who may read it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRule {
    /// As the layers see it.
    pub(crate) rule: ToolRule,
    /// Which grants name it.
    pub(crate) grants: BTreeSet<GrantName>,
    name: SourceName,
}

/// What the host keeps sources under, in place of a publisher and its plugin.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSource {
    /// It has no name that a record could have.
    #[error(transparent)]
    Served(#[from] InvalidName),
    /// It has no name that a manifest could have.
    #[error(transparent)]
    Name(#[from] casemate_signing::manifest::InvalidName),
}

impl SourceRule {
    /// A source whose reads carry these labels, and `untrusted`: whoever writes into a log is not the operator. `digest` is of what the
    /// operator says of it.
    pub fn new(
        name: &SourceName,
        description: &str,
        labels: &BTreeSet<Label>,
        digest: String,
        grants: BTreeSet<GrantName>,
    ) -> Result<Self, InvalidSource> {
        let count = json!({ "type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1 });
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": { "offset": count, "length": count, "lines": count },
        });
        let tool = Tool {
            title: name.to_string(),
            description: description.to_owned(),
            icon: None,
            effect: Effect::Read,
            requests: BTreeSet::new(),
            scope: BTreeMap::<DimensionName, ArgumentPlace>::new(),
            idempotent: true,
            labels: Labels { produces: labels.iter().cloned().chain(untrusted()).collect(), refuses: BTreeSet::new() },
            input_schema: schema,
            output_schema: None,
        };
        let rule = ToolRule {
            served: served(name)?,
            plugin: PluginId { publisher: "casemate".parse()?, name: "sources".parse()? },
            digest,
            tool: "read".parse()?,
            manifest_tool: Arc::new(tool),
            dimensions: Arc::default(),
            // The operator's own configuration names it; there is nothing else that could be pinned.
            pinned: true,
            enabled: true,
            dry_run: false,
            approval: ApprovalRule::of(ApprovalMode::None),
            roles: BTreeSet::new(),
        };
        Ok(Self { rule, grants, name: name.clone() })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// What is said of it, for people.
    pub fn description(&self) -> &str {
        &self.rule.manifest_tool.description
    }

    /// What is known of it as of a tool: for the schema of the operator's policies.
    pub fn as_tool(&self) -> &ToolRule {
        &self.rule
    }

    /// Which grants name it.
    pub fn grants(&self) -> &BTreeSet<GrantName> {
        &self.grants
    }

    /// What its reads are held to.
    pub fn output(&self, max_bytes: usize) -> Result<OutputRules, OutputRuleError> {
        OutputRules::new(&self.rule.manifest_tool, max_bytes)
    }
}

fn served(name: &SourceName) -> Result<ServedName, InvalidName> {
    format!("{PREFIX}{name}").parse()
}

impl Call {
    /// A read of a source: `{ offset, length }` in bytes, or `{ lines }` from its end.
    pub fn of_source(name: &SourceName, arguments: serde_json::Value) -> Self {
        Self::new(format!("{PREFIX}{name}"), arguments).reading()
    }
}
