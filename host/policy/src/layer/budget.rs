//! Budget: none of the grant's budgets that count this call is spent.
//!
//! This is a look at readings taken a moment ago; the ledger holds the limits again when it charges, atomically.

use super::{Case, Finding, Look, Objection};
use crate::{Layer, Reason};

pub(super) struct Budget;

impl Look for Budget {
    fn layer(&self) -> Layer {
        Layer::Budget
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        for charge in case.charges {
            let key = charge.key();
            let Some(reading) = case.readings.of_budget(key) else {
                return Finding::deny(
                    Reason::BudgetUnknown,
                    "it is not known how much of the budget is spent".to_owned(),
                    "try again later",
                    format!("the ledger gave no reading for `{key}`"),
                );
            };
            if charge.fits(reading) {
                continue;
            }
            let window = key.window();
            let retry = reading
                .oldest
                .filter(|_| charge.measure().limit() > 0)
                .map(|oldest| oldest.plus_millis(window.as_millis()).since(case.now).clamp(1, window.as_millis()));
            let for_model = match retry {
                Some(millis) => format!("call again in {} s, not sooner", millis.div_ceil(1000)),
                None => "retrying will not help".to_owned(),
            };
            return Finding::Deny(Objection {
                reason: Reason::BudgetExhausted,
                message: format!("the budget of {} per {window} is spent", charge.measure()),
                for_model,
                for_operator: format!(
                    "raise `{}` of the budget `{key}` under `{}`",
                    charge.measure().setting(),
                    case.grant_table()
                ),
                retry_after_ms: retry,
            });
        }
        if case.charges.is_empty() { Finding::pass("nothing is budgeted") } else { Finding::pass("the budgets are not spent") }
    }
}
