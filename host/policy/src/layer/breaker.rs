//! Breaker: the principal is not paused, and its conduct does not pause it now.

use super::{Case, Finding, Look};
use crate::{Layer, Reason};

pub(super) struct Breaker;

impl Look for Breaker {
    fn layer(&self) -> Layer {
        Layer::Breaker
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let Some(reading) = case.readings.of_breaker() else {
            return Finding::deny(
                Reason::BreakerUnknown,
                "it is not known how this caller has behaved".to_owned(),
                "try again later",
                format!("the ledger gave no reading of the conduct of `{}`", case.principal.id()),
            );
        };
        let resume = format!("look at `casemate audit show`, then `casemate breaker resume {}`", case.principal.id());
        let for_model = "stop calling tools and tell the user: only the operator can resume this caller";
        if let Some(pause) = &reading.paused {
            let what = format!("this caller was paused at {} for {}", pause.since, pause.trip);
            return Finding::deny(Reason::Paused, what, for_model, resume);
        }
        match case.guards.breaker.trip(reading) {
            Some(trip) => Finding::deny(
                Reason::BreakerOpened,
                format!("this caller is paused from now on: {trip}"),
                for_model,
                format!("{resume}; the limit is `{}` under `[breaker]`", trip.as_str()),
            ),
            None => Finding::pass("the caller is not paused"),
        }
    }
}
