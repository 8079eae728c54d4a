//! `casemate ledger`: what every budget has spent.

use casemate_ledger::Ledger;
use casemate_policy::{Budget, Measure, PrincipalId, Timestamp};
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Outcome},
};

/// Show what every budget has spent in the window that ends now.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this principal.
    principal: Option<PrincipalId>,
}

struct Row {
    principal: String,
    grant: String,
    counts: String,
    measure: Measure,
    per: String,
    spent: u64,
    oldest: Option<Timestamp>,
}

/// Read every budget of every grant.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let ledger = Ledger::open(&context.folders.state(config.environment).join("ledger.db"))?;
    let now = clock::now();
    let mut rows = Vec::new();
    for grant in config.grants.iter().map(|grant| &grant.value) {
        // Who holds a grant by a role is known when they call: they are shown where they are asked for.
        let by_role = grant.principals.iter().any(PrincipalId::is_role);
        let holds = |principal: &PrincipalId| by_role || grant.principals.contains(principal);
        let shown: Vec<&PrincipalId> = match &args.principal {
            Some(asked) => Some(asked).into_iter().filter(|asked| holds(asked)).collect(),
            None => grant.principals.iter().filter(|principal| !principal.is_role()).collect(),
        };
        for principal in shown {
            for budget in &grant.budgets {
                let charge = budget.charge(principal, &grant.name);
                let reading = ledger.spent(&charge, now)?;
                rows.push(Row {
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
    print::result(context.format, || text(&rows), || rows.iter().map(value).collect());
    Ok(Exit::Done)
}

fn counts(budget: &Budget) -> String {
    let tools: Vec<&str> = budget.tools.iter().map(|pattern| pattern.as_str()).collect();
    let tools = if tools.is_empty() { "*".to_owned() } else { tools.join(", ") };
    budget.effect.map_or(tools.clone(), |effect| format!("{tools} from {effect} on"))
}

fn text(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No grant has a budget.".to_owned();
    }
    let head = ["PRINCIPAL", "GRANT", "COUNTS", "SPENT", "OF", "PER", "OLDEST"].map(str::to_owned).to_vec();
    let row = |row: &Row| {
        vec![
            row.principal.clone(),
            row.grant.clone(),
            row.counts.clone(),
            row.spent.to_string(),
            row.measure.to_string(),
            row.per.clone(),
            row.oldest.map_or_else(String::new, |at| at.to_string()),
        ]
    };
    print::table(&std::iter::once(head).chain(rows.iter().map(row)).collect::<Vec<_>>())
}

fn value(row: &Row) -> Value {
    json!({
        "principal": row.principal, "grant": row.grant, "counts": row.counts, "spent": row.spent, "limit": row.measure.limit(),
        "measure": row.measure.setting(), "per": row.per, "oldest": row.oldest.map(|at| at.to_string()),
    })
}
