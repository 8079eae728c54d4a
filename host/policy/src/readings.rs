//! Readings: everything a decision needs to know that is not in the rules or the call. The ledger answers; nothing here asks.

use std::collections::BTreeMap;

use casemate_signing::manifest::Effect;

use crate::{
    ApprovalMode, Call, Charge, GrantName, Policy, Principal, PrincipalId, Reading, ServedName, Timestamp,
    approval::{ApprovalId, OpenApproval},
    breaker::{BreakerReading, BreakerRules},
    budget::BudgetKey,
    policy::Cover,
    session::{SessionReading, provenance::Argument},
};

/// What has to be known to decide one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Needs {
    /// Who calls.
    pub principal: PrincipalId,
    /// The tool, if this principal may know of it.
    pub tool: Option<ServedName>,
    /// Lower-case hex SHA-256 of the arguments' canonical form; none where they have none.
    pub arguments_digest: Option<String>,
    /// What the call would spend under each grant that covers it, once.
    pub charges: Vec<Charge>,
    /// Sessions whose past matters, to the decision or to who reads of the call later: grants that cover it, with the arguments whose
    /// provenance matters.
    pub sessions: BTreeMap<GrantName, Vec<Argument>>,
    /// What the breaker watches.
    pub breaker: BreakerRules,
    /// Whether a person's agreement could matter: then approvals for these arguments are needed.
    pub approvals: bool,
}

/// What to find out before [`crate::decide`] can permit a call.
pub fn needs(policy: &Policy, principal: &Principal, call: &Call) -> Needs {
    let covers = policy.covering(principal, call);
    let mut charges: Vec<Charge> = Vec::new();
    for charge in covers.iter().flat_map(|cover| cover.charges(principal, call)) {
        if !charges.iter().any(|known| known.key() == charge.key()) {
            charges.push(charge);
        }
    }
    let asks_people = |cover: &Cover| cover.tool.rule.approval.mode != ApprovalMode::None || policy.asks_flow(cover);
    let changes = |cover: &Cover| cover.tool.rule.manifest_tool.effect > Effect::Read;
    let asks_session = |cover: &&&Cover| cover.session.is_some() || policy.asks_flow(cover) || changes(cover);
    Needs {
        principal: principal.id().clone(),
        tool: covers.first().map(|cover| cover.tool.rule.served.clone()),
        arguments_digest: call.arguments_digest(),
        charges,
        sessions: covers.iter().filter(asks_session).map(|cover| (cover.grant.clone(), policy.provenance(cover, call))).collect(),
        breaker: policy.guards().breaker,
        approvals: covers.into_iter().any(asks_people),
    }
}

/// Readings for one decision. What was not read counts against the call: what is not known to be unspent is spent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    budgets: BTreeMap<BudgetKey, Reading>,
    sessions: BTreeMap<GrantName, SessionReading>,
    breaker: Option<BreakerReading>,
    approvals: Vec<OpenApproval>,
    planned: BTreeMap<(ApprovalId, BudgetKey), u64>,
}

impl Readings {
    /// Nothing is known.
    pub fn none() -> Self {
        Self::default()
    }

    /// All that is needed, where nothing has happened yet.
    pub fn fresh(needs: &Needs) -> Self {
        let reading = |charge: &Charge| {
            let fresh = u32::try_from(charge.targets().len()).unwrap_or(u32::MAX);
            (charge.key().clone(), Reading { fresh, ..Reading::default() })
        };
        Self {
            budgets: needs.charges.iter().map(reading).collect(),
            sessions: needs.sessions.keys().map(|grant| (grant.clone(), SessionReading::default())).collect(),
            breaker: Some(BreakerReading::default()),
            approvals: Vec::new(),
            planned: BTreeMap::new(),
        }
    }

    /// Add or replace what is known of a budget.
    pub fn budget(&mut self, key: BudgetKey, reading: Reading) {
        self.budgets.insert(key, reading);
    }

    /// Add or replace what is known of the session under a grant.
    pub fn session(&mut self, grant: GrantName, reading: SessionReading) {
        self.sessions.insert(grant, reading);
    }

    /// What is known of the principal's conduct.
    pub fn breaker(&mut self, reading: BreakerReading) {
        self.breaker = Some(reading);
    }

    /// Add an approval that is open.
    pub fn approval(&mut self, approval: OpenApproval) {
        self.approvals.push(approval);
    }

    /// How many of a budget's counted calls were spent to plan the call of an open approval. The ledger gives them back when the approval is
    /// used: the call is not refused for its own plan.
    pub fn planned(&mut self, approval: ApprovalId, key: BudgetKey, calls: u64) {
        self.planned.insert((approval, key), calls);
    }

    pub(crate) fn of_plan(&self, approval: &ApprovalId, key: &BudgetKey) -> u64 {
        self.planned.get(&(approval.clone(), key.clone())).copied().unwrap_or(0)
    }

    pub(crate) fn of_budget(&self, key: &BudgetKey) -> Option<&Reading> {
        self.budgets.get(key)
    }

    pub(crate) fn of_session(&self, grant: &GrantName) -> Option<&SessionReading> {
        self.sessions.get(grant)
    }

    pub(crate) fn of_breaker(&self) -> Option<&BreakerReading> {
        self.breaker.as_ref()
    }

    pub(crate) fn approvals(&self) -> &[OpenApproval] {
        &self.approvals
    }
}

/// A session's beginning, for grants that last for so long from their first use.
pub(crate) fn began(reading: Option<&SessionReading>, now: Timestamp) -> Timestamp {
    reading.and_then(|reading| reading.since).unwrap_or(now)
}
