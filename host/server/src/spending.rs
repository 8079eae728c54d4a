//! What every budget has spent, in the window that ends now.

use casemate_ledger::Ledger;
use casemate_policy::{Budget, Measure, PrincipalId, Timestamp};

use crate::{config::Config, exit::Failure};

/// One budget of one caller.
pub(crate) struct Spending {
    pub(crate) principal: String,
    pub(crate) grant: String,
    /// Which calls it counts.
    pub(crate) counts: String,
    pub(crate) measure: Measure,
    pub(crate) per: String,
    pub(crate) spent: u64,
    /// The oldest call that still counts.
    pub(crate) oldest: Option<Timestamp>,
}

/// Every budget of every grant; only of one principal where it is given.
pub(crate) fn spending(
    config: &Config,
    ledger: &Ledger,
    only: Option<&PrincipalId>,
    now: Timestamp,
) -> Result<Vec<Spending>, Failure> {
    let mut rows = Vec::new();
    for grant in config.grants.iter().map(|grant| &grant.value) {
        // Who holds a grant by a role is known when they call: they are shown where they are asked for.
        let by_role = grant.principals.iter().any(PrincipalId::is_role);
        let holds = |principal: &PrincipalId| by_role || grant.principals.contains(principal);
        let shown: Vec<&PrincipalId> = match only {
            Some(asked) => Some(asked).into_iter().filter(|asked| holds(asked)).collect(),
            None => grant.principals.iter().filter(|principal| !principal.is_role()).collect(),
        };
        for principal in shown {
            for budget in &grant.budgets {
                let reading = ledger.spent(&budget.charge(principal, &grant.name), now)?;
                rows.push(Spending {
                    principal: principal.to_string(),
                    grant: grant.name.to_string(),
                    counts: counts(budget),
                    measure: budget.measure.clone(),
                    per: budget.per.to_string(),
                    spent: reading.spent,
                    oldest: reading.oldest,
                });
            }
        }
    }
    Ok(rows)
}

fn counts(budget: &Budget) -> String {
    let tools: Vec<&str> = budget.tools.iter().map(|pattern| pattern.as_str()).collect();
    let tools = if tools.is_empty() { "*".to_owned() } else { tools.join(", ") };
    budget.effect.map_or(tools.clone(), |effect| format!("{tools} from {effect} on"))
}
