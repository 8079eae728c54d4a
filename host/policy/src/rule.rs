//! What the operator's configuration and the signed manifest say about one tool.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::manifest::{DimensionName, Effect, PluginId, ScopeKind, Tool, ToolName};
use serde_json::Value;

use crate::{
    ServedName,
    approval::{ApprovalMode, ApprovalRule, RoleName},
    layer::targets,
    scope::ScopeValue,
};

/// One installed tool: its signed text and the operator's switches.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolRule {
    /// Its name as clients see it.
    pub served: ServedName,
    /// The plugin it belongs to.
    pub plugin: PluginId,
    /// The plugin's component digest, lower-case hex.
    pub digest: String,
    /// Its name inside the plugin.
    pub tool: ToolName,
    /// What was signed.
    pub manifest_tool: Arc<Tool>,
    /// Every scope dimension of the plugin.
    pub dimensions: Arc<BTreeMap<DimensionName, ScopeKind>>,
    /// Whether the plugin's digest is the one the lock file pins.
    pub pinned: bool,
    /// Whether the operator switched it on; see [`default_enabled`].
    pub enabled: bool,
    /// Whether it may only be planned; see [`default_dry_run`]. Means nothing for a tool that only reads.
    pub dry_run: bool,
    /// Who must agree before it runs for real; see [`default_approval`].
    pub approval: ApprovalRule,
    /// The grant must confer one of these; empty: any grant will do.
    pub roles: BTreeSet<RoleName>,
}

impl ToolRule {
    /// Whether a call of it happens for real. A tool that only reads has nothing to plan.
    pub fn mode(&self) -> Mode {
        if self.dry_run && self.manifest_tool.effect > Effect::Read { Mode::DryRun } else { Mode::Real }
    }

    /// The targets that arguments name in a dimension. What is no target is left out: the scope layer refuses it.
    pub(crate) fn named(&self, dimension: &DimensionName, arguments: &Value) -> Vec<ScopeValue> {
        let place = self.manifest_tool.scope.get(dimension);
        let Some((place, kind)) = place.zip(self.dimensions.get(dimension)) else { return Vec::new() };
        let found = arguments.pointer(&place.argument).map(targets).into_iter().flatten().flatten();
        found.filter_map(|text| ScopeValue::parse(*kind, &text).ok()).collect()
    }

    /// The targets that arguments name, in each dimension that the tool binds.
    pub(crate) fn targets(&self, arguments: &Value) -> BTreeMap<&str, Vec<String>> {
        let named = |dimension: &DimensionName| self.named(dimension, arguments).iter().map(ToString::to_string).collect();
        self.manifest_tool.scope.keys().map(|dimension| (dimension.as_str(), named(dimension))).collect()
    }

    /// The worst that a call of it sends: `read` where it is only planned.
    pub fn ceiling(&self) -> Effect {
        match self.mode() {
            Mode::Real => self.manifest_tool.effect,
            Mode::DryRun => Effect::Read,
        }
    }
}

/// Whether a permitted call may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Requests up to the tool's effect are sent.
    Real,
    /// Only `read` requests are sent; the first above that ends the run and becomes a plan.
    DryRun,
}

impl Mode {
    /// The word used in logs and results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::DryRun => "dry-run",
        }
    }
}

/// Whether a tool is on where the operator says nothing: only if it reads.
pub fn default_enabled(effect: Effect) -> bool {
    effect == Effect::Read
}

/// Whether a tool is only planned where the operator says nothing: unless it reads.
pub fn default_dry_run(effect: Effect) -> bool {
    effect > Effect::Read
}

/// Who must agree where the operator says nothing: a person, from `execute` on.
pub fn default_approval(effect: Effect) -> ApprovalRule {
    ApprovalRule::of(if effect >= Effect::Execute { ApprovalMode::Operator } else { ApprovalMode::None })
}

#[cfg(test)]
mod tests {
    use casemate_signing::manifest::Effect;

    use super::{ApprovalMode, default_approval, default_dry_run, default_enabled};

    #[test]
    fn only_reading_is_on_by_default() {
        let defaults = |effect| (default_enabled(effect), default_dry_run(effect), default_approval(effect).mode);
        assert_eq!(defaults(Effect::Read), (true, false, ApprovalMode::None));
        assert_eq!(defaults(Effect::Write), (false, true, ApprovalMode::None));
        assert_eq!(defaults(Effect::Execute), (false, true, ApprovalMode::Operator));
        assert_eq!(defaults(Effect::Destructive), (false, true, ApprovalMode::Operator));
    }
}
