//! Whether the audit log is whole: verified as `casemate audit verify` does it, and the answer kept for a while, because it takes time.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use maud::{Markup, html};

use crate::{
    console::{
        Console,
        part::{Kind, state, text},
    },
    trail::whole::{self, Extent},
};

/// How long an answer is shown.
const KEPT: Duration = Duration::from_secs(300);

/// What was found.
#[derive(Debug, Clone)]
pub(in crate::console) struct Health {
    /// How much of it there is, or what is wrong.
    found: Result<Extent, String>,
}

impl Health {
    /// The answer of the moment, or a new one.
    pub(super) fn of(console: &Console) -> (Self, Duration) {
        let mut known = console.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, health)) = known.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
            return (health.clone(), at.elapsed());
        }
        let found = whole::extent(&console.state).map_err(|failure| failure.message);
        let health = Self { found };
        *known = Some((Instant::now(), health.clone()));
        (health, Duration::ZERO)
    }

    pub(super) fn show(&self, ago: Duration) -> Markup {
        html! {
            @match &self.found {
                Ok(Extent { chains, records, covered }) => {
                    p { (state(Kind::Good, "whole")) }
                    p.quiet { (records) " records in " (chains) " chains, all in place; " (covered) " under signed checkpoints. Verified " (minutes(ago)) "." }
                }
                Err(fault) => {
                    p { (state(Kind::Bad, "not whole")) }
                    p { (text(fault)) }
                }
            }
        }
    }
}

fn minutes(ago: Duration) -> String {
    match ago.as_secs() / 60 {
        0 => "just now".to_owned(),
        minutes => format!("{minutes} min ago"),
    }
}
