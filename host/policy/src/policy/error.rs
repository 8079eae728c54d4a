//! Why the operator's rules cannot be used.

use casemate_signing::manifest::DimensionName;

use crate::{GrantName, ServedName, flow::FlowName, scope::ScopeError};

/// Why rules cannot be used. The culprit is the operator's configuration, except where it says `plugin`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Two installed tools have the same served name.
    #[error("two installed tools are called `{tool}`\nhelp: uninstall one of the plugins")]
    DuplicateTool {
        /// The name.
        tool: ServedName,
    },
    /// Two grants have the same name.
    #[error("two grants are called `{grant}`")]
    DuplicateGrant {
        /// The name.
        grant: GrantName,
    },
    /// A signed input schema does not compile.
    #[error("the plugin's input schema of `{tool}` cannot be used: {fault}")]
    Schema {
        /// The tool.
        tool: ServedName,
        /// Where and why.
        fault: String,
    },
    /// A grant that nobody holds or that covers no tool.
    #[error("grant `{grant}` names no {what}\nhelp: add `{what} = [\"…\"]` under `[grants.{grant}]`, or remove the grant")]
    Empty {
        /// The grant.
        grant: GrantName,
        /// `principals` or `tools`.
        what: &'static str,
    },
    /// A pattern that covers no installed tool.
    #[error(
        "grant `{grant}` names `{pattern}`, and no installed tool is called that\nhelp: `casemate list` shows the installed tools"
    )]
    NoSuchTool {
        /// The grant.
        grant: GrantName,
        /// The pattern.
        pattern: String,
    },
    /// A dimension that none of the grant's tools has.
    #[error(
        "grant `{grant}` limits `scope.{dimension}`, and none of its tools has that dimension\nhelp: `casemate inspect` shows a plugin's dimensions"
    )]
    NoSuchDimension {
        /// The grant.
        grant: GrantName,
        /// The dimension.
        dimension: DimensionName,
    },
    /// A value that is not of its dimension's kind.
    #[error("grant `{grant}`, `scope.{dimension}`: {fault}")]
    ScopeValue {
        /// The grant.
        grant: GrantName,
        /// The dimension.
        dimension: DimensionName,
        /// Why.
        fault: ScopeError,
    },
    /// A budget that counts none of the grant's tools, or the same calls twice in the same window.
    #[error("grant `{grant}`, budget `{budget}`: it {fault}")]
    Budget {
        /// The grant.
        grant: GrantName,
        /// Its selector and window.
        budget: String,
        /// Why.
        fault: String,
    },
    /// A rate of the breaker that can never be reached.
    #[error("`{setting}` under `[breaker]` {fault}")]
    Breaker {
        /// The setting.
        setting: &'static str,
        /// Why.
        fault: String,
    },
    /// A flow rule that can never apply.
    #[error("flow rule `{flow}` {fault}")]
    Flow {
        /// The rule.
        flow: FlowName,
        /// Why.
        fault: String,
    },
}

impl PolicyError {
    /// The grant that cannot be used; none where it is not about one.
    pub fn grant(&self) -> Option<&GrantName> {
        match self {
            Self::DuplicateTool { .. } | Self::Schema { .. } | Self::Breaker { .. } | Self::Flow { .. } => None,
            Self::DuplicateGrant { grant }
            | Self::Empty { grant, .. }
            | Self::NoSuchTool { grant, .. }
            | Self::NoSuchDimension { grant, .. }
            | Self::ScopeValue { grant, .. }
            | Self::Budget { grant, .. } => Some(grant),
        }
    }

    /// The breaker's setting that can never be reached; none where it is not about one.
    pub fn breaker(&self) -> Option<&'static str> {
        match self {
            Self::Breaker { setting, .. } => Some(setting),
            _ => None,
        }
    }

    /// The flow rule that cannot be used; none where it is not about one.
    pub fn flow(&self) -> Option<&FlowName> {
        match self {
            Self::Flow { flow, .. } => Some(flow),
            _ => None,
        }
    }
}
