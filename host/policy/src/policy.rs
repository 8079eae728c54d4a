//! The operator's rules, prepared once: who holds what, compiled, indexed by principal and tool.

mod check;
mod error;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use casemate_signing::{
    Environment,
    manifest::{DimensionName, Effect},
};
use serde_json::Value;

pub use error::PolicyError;

use crate::{
    Budget, BudgetKey, Call, Charge, Grant, GrantName, Measure, Mode, Principal, PrincipalId, Readings, ServedName, Timestamp,
    TokenScope, ToolRule, Window,
    approval::{Approvers, RoleName},
    breaker::BreakerRules,
    cedar::Rules,
    flow::{self, FlowRule},
    readings::began,
    schema::Schema,
    scope::GrantedScope,
    session::{SessionReading, SessionRules, provenance},
    source::SourceRule,
};

use check::{check_flows, check_grant, misspelt};

/// What holds for every grant.
#[derive(Debug, Clone)]
pub struct Guards {
    /// What reading one thing forbids doing next.
    pub flows: Vec<FlowRule>,
    /// What pauses a principal.
    pub breaker: BreakerRules,
    /// How long what was read is remembered.
    pub session: SessionRules,
    /// Who may agree to calls.
    pub approvers: Approvers,
    /// The operator's own policies, if there are any.
    pub policies: Option<Arc<Rules>>,
    /// What may be read beside what tools give, and under which grants.
    pub sources: Vec<SourceRule>,
    /// What an access token must confer, besides what lets its bearer in, for tools of this effect and above.
    pub step_up: BTreeMap<Effect, TokenScope>,
}

impl Guards {
    /// The scopes that a call of a tool of this effect needs, and this caller's access token does not confer. A caller that came without
    /// an access token needs none.
    pub fn lacking(&self, principal: &Principal, effect: Effect) -> BTreeSet<TokenScope> {
        let Some(scopes) = principal.scopes() else { return BTreeSet::new() };
        self.step_up.range(..=effect).map(|(_, scope)| scope).filter(|scope| !scopes.contains(*scope)).cloned().collect()
    }
}

/// As where the operator says nothing.
impl Default for Guards {
    fn default() -> Self {
        Self {
            flows: flow::defaults(),
            breaker: BreakerRules::default(),
            session: SessionRules::default(),
            approvers: Approvers::default(),
            policies: None,
            sources: Vec::new(),
            step_up: BTreeMap::new(),
        }
    }
}

/// Everything a decision needs, in the form it needs it. Never changed: a reload makes a new one.
#[derive(Debug)]
pub struct Policy {
    environment: Environment,
    grants: Vec<Grant>,
    tools: BTreeMap<ServedName, Arc<PreparedTool>>,
    holders: HashMap<PrincipalId, Holder>,
    guards: Guards,
}

/// A tool with its schema compiled.
#[derive(Debug)]
pub(crate) struct PreparedTool {
    pub(crate) rule: ToolRule,
    pub(crate) input: Schema,
    /// Every text that the signed input schema itself offers.
    words: BTreeSet<String>,
}

/// What one principal holds.
#[derive(Debug, Default)]
struct Holder {
    /// Per tool, in the order of the grants' names; never empty.
    covers: HashMap<ServedName, Vec<Cover>>,
    /// The same of log sources.
    sources: HashMap<ServedName, Vec<Cover>>,
}

/// One grant over one tool, for one principal, or for whoever has a role.
#[derive(Debug)]
pub(crate) struct Cover {
    pub(crate) grant: GrantName,
    pub(crate) max_effect: Effect,
    pub(crate) expires: Option<Timestamp>,
    /// From the first use on.
    pub(crate) session: Option<Window>,
    pub(crate) roles: Arc<BTreeSet<RoleName>>,
    /// Bytes of one result.
    pub(crate) max_result: Option<usize>,
    pub(crate) scope: Arc<GrantedScope>,
    pub(crate) tool: Arc<PreparedTool>,
    budgets: Arc<[Counted]>,
    /// Texts that the schema offers or the grant names: nobody else's word.
    known: Arc<BTreeSet<String>>,
}

/// A budget that counts the tool.
#[derive(Debug)]
struct Counted {
    budget: Budget,
    /// Prepared where the grant names the caller; a role's holders are known when they call.
    key: Option<BudgetKey>,
}

impl Policy {
    /// Prepare rules. Everything that is parsed here is enforced: what could not be is an error.
    pub fn new(
        environment: Environment,
        grants: Vec<Grant>,
        tools: Vec<ToolRule>,
        guards: Guards,
    ) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        let tools = prepare_tools(tools, &mut errors);
        let sources = prepare_tools(guards.sources.iter().map(|source| source.rule.clone()).collect(), &mut errors);
        check_flows(&guards.flows, &mut errors);
        let mut grants = grants;
        grants.sort_by(|a, b| a.name.cmp(&b.name));
        let mut holders: HashMap<PrincipalId, Holder> = HashMap::new();
        let mut previous: Option<&GrantName> = None;
        for grant in &grants {
            if previous == Some(&grant.name) {
                errors.push(PolicyError::DuplicateGrant { grant: grant.name.clone() });
            }
            previous = Some(&grant.name);
            let reads: Vec<_> = guards.sources.iter().filter(|source| source.grants.contains(&grant.name)).collect();
            check_grant(grant, &tools, !reads.is_empty(), &mut errors);
            prepare_grant(grant, &tools, &mut holders, &mut errors);
            for tool in reads.into_iter().filter_map(|source| sources.get(&source.rule.served)) {
                prepare_source(grant, tool, &mut holders);
            }
        }
        errors.extend(guards.breaker.fault().map(|(setting, fault)| PolicyError::Breaker { setting, fault }));
        errors.dedup();
        if errors.is_empty() { Ok(Self { environment, grants, tools, holders, guards }) } else { Err(errors) }
    }

    /// Rules under which nothing may happen.
    pub fn nothing(environment: Environment) -> Self {
        Self { environment, grants: Vec::new(), tools: BTreeMap::new(), holders: HashMap::new(), guards: Guards::default() }
    }

    /// Where this host runs.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// Flow rules that name no tool and no label that is installed. Where everything is installed that the operator counts on, they are
    /// mistakes.
    pub fn misspelt(&self) -> Vec<PolicyError> {
        let mut errors = Vec::new();
        let rules: Vec<&ToolRule> = self.tools().chain(self.sources()).collect();
        misspelt(&self.guards.flows, &rules, &mut errors);
        errors
    }

    /// What holds for every grant.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// The grants, in the order of their names.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// The installed tools, in the order of their served names.
    pub fn tools(&self) -> impl Iterator<Item = &ToolRule> {
        self.tools.values().map(|tool| &tool.rule)
    }

    /// The installed tool of this served name.
    pub fn tool(&self, served: &str) -> Option<&ToolRule> {
        self.tools.get(served).map(|tool| &tool.rule)
    }

    /// What reads of the log sources are decided by, as of tools.
    pub fn sources(&self) -> impl Iterator<Item = &ToolRule> {
        self.guards.sources.iter().map(SourceRule::as_tool)
    }

    /// Whether a grant lasts for so long from its first use.
    pub fn counts_sessions(&self, grant: &GrantName) -> bool {
        self.grants.iter().any(|known| known.name == *grant && known.session.is_some())
    }

    /// Whether a grant covers a tool, live or not.
    pub fn covers(&self, grant: &GrantName, tool: &ServedName) -> bool {
        self.grants.iter().any(|g| g.name == *grant && g.tools.iter().any(|pattern| pattern.matches(tool)))
    }

    /// Whether a principal holds any grant at all.
    pub(crate) fn holds_any(&self, principal: &Principal) -> bool {
        principal.names().any(|name| self.holders.contains_key(&name))
    }

    /// The scopes that this caller's access token lacks for a tool that a grant gives it: whoever has them may ask again with them.
    pub fn lacking(&self, principal: &Principal, tool: &str) -> BTreeSet<TokenScope> {
        let covered = self.covers_of(principal, tool, |holder| &holder.covers);
        covered.first().map(|cover| self.guards.lacking(principal, cover.tool.rule.manifest_tool.effect)).unwrap_or_default()
    }

    /// Whether what was read before matters to a call under a grant.
    pub(crate) fn asks_flow(&self, cover: &Cover) -> bool {
        let rule = &cover.tool.rule;
        let refuses = rule.mode() == Mode::Real && !rule.manifest_tool.labels.refuses.is_empty();
        self.guards.policies.is_some()
            || refuses
            || self.guards.flows.iter().any(|flow| flow.forbids.covers(&rule.served, rule.ceiling()))
    }

    /// The arguments of a call whose provenance a flow rule asks about.
    pub(crate) fn provenance(&self, cover: &Cover, call: &Call) -> Vec<provenance::Argument> {
        let rule = &cover.tool.rule;
        // What is not well-formed is refused, however it came about, and may nest too deeply to be walked through.
        let asked =
            self.guards.policies.is_some() || self.guards.flows.iter().any(|flow| flow.traces(&rule.served, rule.ceiling()));
        if !asked || call.well_formed().is_err() {
            return Vec::new();
        }
        provenance::arguments(call.arguments(), &cover.known)
    }

    /// Whether what a principal reads can ever matter to a flow rule: then its values are remembered. Under which grant it reads is not
    /// asked, nor whether the tool that would carry a value on only plans today.
    pub fn remembers(&self, principal: &Principal) -> bool {
        if self.guards.policies.is_some() {
            return true;
        }
        let held = principal.names().filter_map(|name| self.holders.get(&name));
        let mut covers = held.flat_map(|holder| holder.covers.values().flatten());
        let traced = |rule: &ToolRule| self.guards.flows.iter().any(|flow| flow.traces(&rule.served, rule.manifest_tool.effect));
        covers.any(|cover| traced(&cover.tool.rule))
    }

    /// Whether a tool of this name is installed; for the operator's eyes only.
    pub(crate) fn installed(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// The grants of a principal that cover what is called, by its id and by its roles: each once, in the order of their names.
    pub(crate) fn covering(&self, principal: &Principal, call: &Call) -> Vec<&Cover> {
        if call.reads_source() {
            self.covers_of(principal, call.tool(), |holder| &holder.sources)
        } else {
            self.covers_of(principal, call.tool(), |holder| &holder.covers)
        }
    }

    fn covers_of(
        &self,
        principal: &Principal,
        name: &str,
        pick: impl Fn(&Holder) -> &HashMap<ServedName, Vec<Cover>>,
    ) -> Vec<&Cover> {
        let held = self.held(principal).filter_map(|holder| pick(holder).get(name));
        let mut covers: Vec<&Cover> = held.flatten().collect();
        covers.sort_by(|a, b| a.grant.cmp(&b.grant));
        covers.dedup_by(|a, b| a.grant == b.grant);
        covers
    }

    /// What a principal holds, by its id and by its roles.
    fn held(&self, principal: &Principal) -> impl Iterator<Item = &Holder> {
        principal.names().filter_map(|name| self.holders.get(&name))
    }
}

fn prepare_tools(rules: Vec<ToolRule>, errors: &mut Vec<PolicyError>) -> BTreeMap<ServedName, Arc<PreparedTool>> {
    let mut tools = BTreeMap::new();
    for rule in rules {
        let name = rule.served.clone();
        match Schema::compile(&rule.manifest_tool.input_schema) {
            Ok(input) => {
                let mut words = BTreeSet::new();
                offered(&rule.manifest_tool.input_schema, &mut words);
                if tools.insert(name.clone(), Arc::new(PreparedTool { rule, input, words })).is_some() {
                    errors.push(PolicyError::DuplicateTool { tool: name });
                }
            }
            Err(fault) => errors.push(PolicyError::Schema { tool: name, fault: fault.to_string() }),
        }
    }
    tools
}

/// The texts of every `enum` and `const`.
fn offered(schema: &Value, words: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let texts = |value: &Value| value.as_str().map(str::to_owned);
            words.extend(fields.get("const").and_then(texts));
            words.extend(fields.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(texts));
            fields.values().for_each(|field| offered(field, words));
        }
        Value::Array(items) => items.iter().for_each(|item| offered(item, words)),
        _ => {}
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
    let roles = Arc::new(grant.roles.clone());
    for tool in covered(grant, tools) {
        let known = Arc::new(tool.words.iter().chain(grant.scope.values().flatten()).cloned().collect());
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
            let cover = Cover::of(grant, principal, tool, &roles, &scope, &known);
            holders.entry(principal.clone()).or_default().covers.entry(tool.rule.served.clone()).or_default().push(cover);
        }
    }
}

/// The same for a log source that the grant names: nothing of its arguments is a target.
fn prepare_source(grant: &Grant, source: &Arc<PreparedTool>, holders: &mut HashMap<PrincipalId, Holder>) {
    let (roles, scope, known) = (Arc::new(grant.roles.clone()), Arc::default(), Arc::default());
    for principal in &grant.principals {
        let cover = Cover::of(grant, principal, source, &roles, &scope, &known);
        holders.entry(principal.clone()).or_default().sources.entry(source.rule.served.clone()).or_default().push(cover);
    }
}

impl Cover {
    fn of(
        grant: &Grant,
        principal: &PrincipalId,
        tool: &Arc<PreparedTool>,
        roles: &Arc<BTreeSet<RoleName>>,
        scope: &Arc<GrantedScope>,
        known: &Arc<BTreeSet<String>>,
    ) -> Self {
        let budgets = grant
            .budgets
            .iter()
            .filter(|budget| budget.counts(&tool.rule.served, tool.rule.manifest_tool.effect))
            .map(|budget| Counted {
                budget: budget.clone(),
                key: (!principal.is_role()).then(|| budget.key(principal, &grant.name)),
            })
            .collect();
        Self {
            grant: grant.name.clone(),
            max_effect: grant.max_effect,
            expires: grant.expires,
            session: grant.session,
            roles: Arc::clone(roles),
            max_result: grant.max_result_kib.map(|kib| usize::try_from(kib).unwrap_or(usize::MAX).saturating_mul(1024)),
            scope: Arc::clone(scope),
            tool: Arc::clone(tool),
            budgets,
            known: Arc::clone(known),
        }
    }

    /// Whether the grant has not ended.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }

    /// When the grant ends for a session that the ledger knows this of; none where it does not.
    pub(crate) fn ends(&self, session: Option<&SessionReading>, now: Timestamp) -> Option<Timestamp> {
        let session = self.session.map(|length| began(session, now).plus_millis(length.as_millis()));
        self.expires.into_iter().chain(session).min()
    }

    /// What one call of a principal spends. Those who hold a grant by a role do not share its budgets.
    pub(crate) fn charges(&self, principal: &Principal, call: &Call) -> Vec<Charge> {
        let charge = |Counted { budget, key }: &Counted| {
            let measure = &budget.measure;
            let key = key.clone().unwrap_or_else(|| budget.key(principal.id(), &self.grant));
            let targets = match measure {
                Measure::Distinct(dimension, _) => self.targets(dimension, call),
                Measure::Calls(_) | Measure::Bytes(_) => BTreeSet::new(),
            };
            Charge::new(key, measure.clone(), targets)
        };
        self.budgets.iter().map(charge).collect()
    }

    /// The targets that a call's arguments name in a dimension, in the spelling in which they compare.
    pub(crate) fn targets(&self, dimension: &DimensionName, call: &Call) -> BTreeSet<String> {
        self.tool.rule.named(dimension, call.arguments()).iter().map(|value| value.to_string()).collect()
    }

    /// Whether the grant confers one of the roles that the tool asks for, if it asks for any.
    pub(crate) fn has_role(&self) -> bool {
        let roles = &self.tool.rule.roles;
        roles.is_empty() || !roles.is_disjoint(&self.roles)
    }

    fn shows(&self, now: Timestamp) -> bool {
        let rule = &self.tool.rule;
        self.is_live(now) && rule.enabled && rule.pinned && rule.manifest_tool.effect <= self.max_effect && self.has_role()
    }
}

/// The tools a principal is shown, in the order of their served names: those it could call with the right arguments.
pub fn visible<'a>(policy: &'a Policy, principal: &Principal, now: Timestamp) -> Vec<&'a ToolRule> {
    let held = principal.names().filter_map(|name| policy.holders.get(&name));
    let mut rules: Vec<&ToolRule> = held
        .flat_map(|holder| holder.covers.values())
        .filter_map(|covers| covers.iter().find(|cover| cover.shows(now)))
        .map(|cover| &cover.tool.rule)
        .collect();
    rules.sort_by(|a, b| a.served.cmp(&b.served));
    rules.dedup_by(|a, b| a.served == b.served);
    rules
}

/// The log sources a principal is shown, in the order of their names.
pub fn visible_sources<'a>(policy: &'a Policy, principal: &Principal, now: Timestamp) -> Vec<&'a SourceRule> {
    let shows = |source: &&SourceRule| {
        let mut covers = policy.held(principal).filter_map(|holder| holder.sources.get(&source.rule.served)).flatten();
        covers.any(|cover| cover.shows(now))
    };
    let mut sources: Vec<&SourceRule> = policy.guards.sources.iter().filter(shows).collect();
    sources.sort_by(|a, b| a.name().cmp(b.name()));
    sources
}

/// The values that a principal's own grants allow in a dimension of a tool it is shown: what an operator wrote there, in order.
pub fn grantable(
    policy: &Policy,
    principal: &Principal,
    tool: &ServedName,
    dimension: &DimensionName,
    now: Timestamp,
) -> BTreeSet<String> {
    let covers = policy.held(principal).filter_map(|holder| holder.covers.get(tool)).flatten();
    let shown: Vec<&GrantName> = covers.filter(|cover| cover.shows(now)).map(|cover| &cover.grant).collect();
    let grants = policy.grants.iter().filter(|grant| shown.contains(&&grant.name));
    grants.filter_map(|grant| grant.scope.get(dimension)).flatten().cloned().collect()
}

/// Why a caller may not even read what takes no call: a person has not resumed it, its conduct would pause it now, or neither is known.
pub fn paused(policy: &Policy, readings: &Readings) -> Option<String> {
    let Some(reading) = readings.of_breaker() else {
        return Some("it is not known how this caller has behaved".to_owned());
    };
    match &reading.paused {
        Some(pause) => Some(format!("this caller was paused at {} for {}", pause.since, pause.trip)),
        None => policy.guards.breaker.trip(reading).map(|trip| format!("this caller would be paused: {trip}")),
    }
}
