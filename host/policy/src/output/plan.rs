//! A plan on its way to a model: a copy that is looked at as a result is.
//!
//! What a person is asked to agree to is the plan itself, whole, and so is what is digested.

use serde_json::Value;

use super::{Flags, Redactor, Screen};
use crate::{egress::Plan, json::map_texts, text::visible};

/// A plan that may be shown to a model. Only [`check_plan`] makes one that holds anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckedPlan {
    json: Value,
    flags: Flags,
}

impl CheckedPlan {
    /// The requests, shortened, without what must not be shown.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// What its words look like.
    pub fn flags(&self) -> &Flags {
        &self.flags
    }
}

/// The model's copy of a plan: nothing hidden, no secret and none of the operator's patterns in it.
pub fn check_plan(plan: &Plan, redactor: &Redactor, screen: &Screen) -> CheckedPlan {
    let mut flags = Flags::new();
    for planned in plan.requests() {
        let request = planned.request();
        screen.note(request.url(), &mut flags);
        request.headers().iter().for_each(|(_, value)| screen.note(value, &mut flags));
        // As it would be sent and as it is read there: a plan shows what is hidden in a body, and JSON hides it once more.
        // The line ends of a multipart body hide nothing.
        screen.note(&String::from_utf8_lossy(request.body()).replace("\r\n", "\n"), &mut flags);
        if let Ok(body) = serde_json::from_slice(request.body()) {
            map_texts(body, &mut |text| {
                screen.note(&text, &mut flags);
                text
            });
        }
    }
    let json = plan.to_short_json(&mut |text| {
        let shown = redactor.redact_counting(visible(&text).into_owned(), &mut 0);
        screen.apply(shown, &mut flags)
    });
    CheckedPlan { json, flags }
}
