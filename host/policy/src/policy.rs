//! The operator's rules, prepared once: who holds what, compiled, indexed by principal and tool.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use casemate_signing::{
    Environment,
    manifest::{DimensionName, Effect},
};

use crate::{
    BudgetKey, Charge, Grant, GrantName, Principal, PrincipalId, ServedName, Timestamp, ToolRule,
    schema::Schema,
    scope::{GrantedScope, ScopeError},
};

/// Everything a decision needs, in the form it needs it. Never changed: a reload makes a new one.
#[derive(Debug)]
pub struct Policy {
    environment: Environment,
    grants: Vec<Grant>,
    tools: BTreeMap<ServedName, Arc<PreparedTool>>,
    holders: HashMap<PrincipalId, Holder>,
}

/// A tool with its schema compiled.
#[derive(Debug)]
pub(crate) struct PreparedTool {
    pub(crate) rule: ToolRule,
    pub(crate) input: Schema,
}

/// What one principal holds.
#[derive(Debug, Default)]
struct Holder {
    /// Per tool, in the order of the grants' names; never empty.
    covers: HashMap<ServedName, Vec<Cover>>,
}

/// One grant over one tool, for one principal.
#[derive(Debug)]
pub(crate) struct Cover {
    pub(crate) grant: GrantName,
    pub(crate) max_effect: Effect,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) scope: Arc<GrantedScope>,
    pub(crate) charges: Arc<[Charge]>,
    pub(crate) tool: Arc<PreparedTool>,
}

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
        fault: &'static str,
    },
}

impl PolicyError {
    /// The grant that cannot be used; none where it is not about one.
    pub fn grant(&self) -> Option<&GrantName> {
        match self {
            Self::DuplicateTool { .. } | Self::Schema { .. } => None,
            Self::DuplicateGrant { grant }
            | Self::Empty { grant, .. }
            | Self::NoSuchTool { grant, .. }
            | Self::NoSuchDimension { grant, .. }
            | Self::ScopeValue { grant, .. }
            | Self::Budget { grant, .. } => Some(grant),
        }
    }
}

impl Policy {
    /// Prepare rules. Everything that is parsed here is enforced: what could not be is an error.
    pub fn new(environment: Environment, grants: Vec<Grant>, tools: Vec<ToolRule>) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        let tools = prepare_tools(tools, &mut errors);
        let mut grants = grants;
        grants.sort_by(|a, b| a.name.cmp(&b.name));
        let mut holders: HashMap<PrincipalId, Holder> = HashMap::new();
        let mut previous: Option<&GrantName> = None;
        for grant in &grants {
            if previous == Some(&grant.name) {
                errors.push(PolicyError::DuplicateGrant { grant: grant.name.clone() });
            }
            previous = Some(&grant.name);
            check_grant(grant, &tools, &mut errors);
            prepare_grant(grant, &tools, &mut holders, &mut errors);
        }
        errors.dedup();
        if errors.is_empty() { Ok(Self { environment, grants, tools, holders }) } else { Err(errors) }
    }

    /// Rules under which nothing may happen.
    pub fn nothing(environment: Environment) -> Self {
        Self { environment, grants: Vec::new(), tools: BTreeMap::new(), holders: HashMap::new() }
    }

    /// Where this host runs.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The grants, in the order of their names.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// The installed tools, in the order of their served names.
    pub fn tools(&self) -> impl Iterator<Item = &ToolRule> {
        self.tools.values().map(|tool| &tool.rule)
    }

    /// Whether a grant covers a tool, live or not.
    pub fn covers(&self, grant: &GrantName, tool: &ServedName) -> bool {
        self.grants.iter().any(|g| g.name == *grant && g.tools.iter().any(|pattern| pattern.matches(tool)))
    }

    /// Whether a principal holds any grant at all.
    pub(crate) fn holds_any(&self, principal: &Principal) -> bool {
        self.holders.contains_key(principal.id())
    }

    /// Whether a tool of this name is installed; for the operator's eyes only.
    pub(crate) fn installed(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// The grants of a principal that cover a tool.
    pub(crate) fn covering(&self, principal: &Principal, tool: &str) -> &[Cover] {
        self.holders.get(principal.id()).and_then(|holder| holder.covers.get(tool)).map_or(&[], Vec::as_slice)
    }
}

fn prepare_tools(rules: Vec<ToolRule>, errors: &mut Vec<PolicyError>) -> BTreeMap<ServedName, Arc<PreparedTool>> {
    let mut tools = BTreeMap::new();
    for rule in rules {
        let name = rule.served.clone();
        match Schema::compile(&rule.manifest_tool.input_schema) {
            Ok(input) => {
                if tools.insert(name.clone(), Arc::new(PreparedTool { rule, input })).is_some() {
                    errors.push(PolicyError::DuplicateTool { tool: name });
                }
            }
            Err(fault) => errors.push(PolicyError::Schema { tool: name, fault: fault.to_string() }),
        }
    }
    tools
}

/// What is wrong with a grant as such.
fn check_grant(grant: &Grant, tools: &BTreeMap<ServedName, Arc<PreparedTool>>, errors: &mut Vec<PolicyError>) {
    let name = || grant.name.clone();
    if grant.principals.is_empty() {
        errors.push(PolicyError::Empty { grant: name(), what: "principals" });
    }
    if grant.tools.is_empty() {
        errors.push(PolicyError::Empty { grant: name(), what: "tools" });
    }
    for pattern in &grant.tools {
        if !tools.keys().any(|tool| pattern.matches(tool)) {
            errors.push(PolicyError::NoSuchTool { grant: name(), pattern: pattern.to_string() });
        }
    }
    let covered: Vec<&ToolRule> = covered(grant, tools).map(|tool| &tool.rule).collect();
    for dimension in grant.scope.keys() {
        if !covered.iter().any(|rule| rule.dimensions.contains_key(dimension)) {
            errors.push(PolicyError::NoSuchDimension { grant: name(), dimension: dimension.clone() });
        }
    }
    let mut keys: Vec<String> = Vec::new();
    for budget in &grant.budgets {
        let tools: Vec<&str> = budget.tools.iter().map(crate::ToolPattern::as_str).collect();
        let shown = format!("{} per {}", if tools.is_empty() { "*".to_owned() } else { tools.join(", ") }, budget.per);
        if !covered.iter().any(|rule| budget.counts(&rule.served, rule.manifest_tool.effect)) {
            errors.push(PolicyError::Budget { grant: name(), budget: shown.clone(), fault: "counts none of the grant's tools" });
        }
        let selector = format!("{tools:?} {:?} {:?}", budget.effect, budget.per);
        if keys.contains(&selector) {
            errors.push(PolicyError::Budget { grant: name(), budget: shown, fault: "is there twice" });
        }
        keys.push(selector);
    }
}

fn covered<'a>(
    grant: &'a Grant,
    tools: &'a BTreeMap<ServedName, Arc<PreparedTool>>,
) -> impl Iterator<Item = &'a Arc<PreparedTool>> {
    tools.values().filter(|tool| grant.tools.iter().any(|pattern| pattern.matches(&tool.rule.served)))
}

/// Enter a grant into what each of its principals holds.
fn prepare_grant(
    grant: &Grant,
    tools: &BTreeMap<ServedName, Arc<PreparedTool>>,
    holders: &mut HashMap<PrincipalId, Holder>,
    errors: &mut Vec<PolicyError>,
) {
    for principal in &grant.principals {
        holders.entry(principal.clone()).or_default();
    }
    for tool in covered(grant, tools) {
        let scope = match GrantedScope::new(&tool.rule.dimensions, &grant.scope) {
            Ok(scope) => Arc::new(scope),
            Err(faults) => {
                let faults = faults.into_iter().map(|(dimension, fault)| PolicyError::ScopeValue {
                    grant: grant.name.clone(),
                    dimension,
                    fault,
                });
                // A plugin's tools share its dimensions: each fault once.
                for fault in faults {
                    if !errors.contains(&fault) {
                        errors.push(fault);
                    }
                }
                continue;
            }
        };
        for principal in &grant.principals {
            let charges = grant
                .budgets
                .iter()
                .filter(|budget| budget.counts(&tool.rule.served, tool.rule.manifest_tool.effect))
                .map(|budget| Charge::new(budget.key(principal, &grant.name), budget.calls))
                .collect();
            holders.entry(principal.clone()).or_default().covers.entry(tool.rule.served.clone()).or_default().push(Cover {
                grant: grant.name.clone(),
                max_effect: grant.max_effect,
                expires: grant.expires,
                scope: Arc::clone(&scope),
                charges,
                tool: Arc::clone(tool),
            });
        }
    }
}

impl Cover {
    /// Whether the grant has not ended.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    fn shows(&self, now: Timestamp) -> bool {
        let rule = &self.tool.rule;
        self.is_live(now) && rule.enabled && rule.pinned && rule.manifest_tool.effect <= self.max_effect
    }
}

/// The tools a principal is shown, in the order of their served names: those it could call with the right arguments.
pub fn visible<'a>(policy: &'a Policy, principal: &Principal, now: Timestamp) -> Vec<&'a ToolRule> {
    let Some(holder) = policy.holders.get(principal.id()) else { return Vec::new() };
    let mut rules: Vec<&ToolRule> = holder
        .covers
        .values()
        .filter_map(|covers| covers.iter().find(|cover| cover.shows(now)))
        .map(|cover| &cover.tool.rule)
        .collect();
    rules.sort_by(|a, b| a.served.cmp(&b.served));
    rules
}

/// The budgets whose readings [`crate::decide`] needs for a call of this tool by this principal.
pub fn charges(policy: &Policy, principal: &Principal, tool: &str) -> Vec<BudgetKey> {
    let mut keys: Vec<BudgetKey> = policy
        .covering(principal, tool)
        .iter()
        .flat_map(|cover| cover.charges.iter())
        .map(|charge| charge.key().clone())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}
