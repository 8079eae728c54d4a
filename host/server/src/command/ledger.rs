//! `casemate ledger`: what every budget has spent.

use casemate_ledger::Ledger;
use casemate_policy::PrincipalId;
use serde_json::{Value, json};

use super::{Context, print};
use crate::{
    clock,
    config::Config,
    exit::{Exit, Outcome},
    spending::{Spending, spending},
};

/// Show what every budget has spent in the window that ends now.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this principal.
    principal: Option<PrincipalId>,
}

/// Read every budget of every grant.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let config = Config::read(&context.folders.config)?;
    let ledger = Ledger::open(&context.folders.state(config.environment).join("ledger.db"))?;
    let rows = spending(&config, &ledger, args.principal.as_ref(), clock::now())?;
    print::result(context.format, || text(&rows), || rows.iter().map(value).collect());
    Ok(Exit::Done)
}

fn text(rows: &[Spending]) -> String {
    if rows.is_empty() {
        return "No grant has a budget.".to_owned();
    }
    let head = ["PRINCIPAL", "GRANT", "COUNTS", "SPENT", "OF", "PER", "OLDEST"].map(str::to_owned).to_vec();
    let row = |row: &Spending| {
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

fn value(row: &Spending) -> Value {
    json!({
        "principal": row.principal, "grant": row.grant, "counts": row.counts, "spent": row.spent, "limit": row.measure.limit(),
        "measure": row.measure.setting(), "per": row.per, "oldest": row.oldest.map(|at| at.to_string()),
    })
}
