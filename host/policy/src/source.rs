//! Log sources: files of the operator's that a caller may read. A read of one is a call like any other: every layer looks at it.
//!
//! Clients do not call it by a name: it is a [`Call`] of its own kind, which no tool's name makes. So a grant's tool patterns never cover a
//! source, and a source's name never covers a tool.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::manifest::{ArgumentName, ArgumentPlace, DimensionName, Effect, Label, Labels, PluginId, SourceName, Tool};
use serde_json::{Map, json};

use crate::{
    ApprovalMode, ApprovalRule, Call, GrantName, InvalidName, ServedName, ToolRule,
    output::{OutputRuleError, OutputRules, untrusted},
};

/// What stands before a source's name in records, budgets and policies: no plugin's name begins so.
const PREFIX: &str = "_source_";

/// Where a read has the values that stand in the source's address.
pub const VALUES: &str = "values";

/// A source, and who may read it.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRule {
    /// As the layers see it.
    pub(crate) rule: ToolRule,
    /// Which grants name it.
    pub(crate) grants: BTreeSet<GrantName>,
    name: SourceName,
}

/// What a read of a source says besides which it is.
#[derive(Debug, Clone, Copy)]
pub struct Asks<'a> {
    /// Whether it may be of a part: what is no text is given whole.
    pub parts: bool,
    /// Names of what stands in the source's address: each has a value in every read.
    pub values: &'a BTreeSet<ArgumentName>,
}

impl Asks<'_> {
    fn schema(self) -> serde_json::Value {
        let count = json!({ "type": "integer", "minimum": 0, "maximum": (1_u64 << 53) - 1 });
        let parts = ["offset", "length", "lines"].map(|name| (name.to_owned(), count.clone()));
        let mut properties: Map<_, _> = parts.into_iter().filter(|_| self.parts).collect();
        let mut required = Vec::new();
        if !self.values.is_empty() {
            // As between two slashes of an address: a value is part of a file's name, and leads nowhere else.
            let value = json!({ "type": "string", "pattern": "^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}$", "maxLength": 64 });
            let values: Map<_, _> = self.values.iter().map(|name| (name.to_string(), value.clone())).collect();
            let names: Vec<&str> = self.values.iter().map(ArgumentName::as_str).collect();
            let values = json!({ "type": "object", "additionalProperties": false, "properties": values, "required": names });
            properties.insert(VALUES.to_owned(), values);
            required.push(VALUES);
        }
        json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
    }
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
        asks: Asks<'_>,
    ) -> Result<Self, InvalidSource> {
        let schema = asks.schema();
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
    /// A read of a source: `{ offset, length }` in bytes, or `{ lines }` from its end; with `values` where its address has them.
    pub fn of_source(name: &SourceName, arguments: serde_json::Value) -> Self {
        Self::new(format!("{PREFIX}{name}"), arguments).reading()
    }
}
