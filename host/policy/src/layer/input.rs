//! Input: the arguments mean one thing, fit the signed schema, and every target in them is written as its kind requires.

use super::{Case, Finding, Look, scope::targets};
use crate::{
    Layer, Reason,
    call::{ArgumentsFault, MAX_DEPTH},
    scope::ScopeValue,
};

pub(super) struct Input;

impl Look for Input {
    fn layer(&self) -> Layer {
        Layer::Input
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let tool = &case.rule().served;
        let deny = |reason, message| {
            let for_model = "correct the arguments and call again";
            Finding::deny(reason, message, for_model, format!("the signed input schema of `{tool}` is in `casemate inspect`"))
        };
        match case.well_formed {
            Err(ArgumentsFault::NotObject) => {
                return deny(Reason::ArgumentsNotObject, "the arguments are not a JSON object".to_owned());
            }
            Err(ArgumentsFault::TooDeep) => {
                return deny(Reason::ArgumentsTooDeep, format!("the arguments nest more than {MAX_DEPTH} levels"));
            }
            Err(ArgumentsFault::NumberOutOfRange) => {
                let message = "an argument is an integer beyond ±9007199254740991; send it as a string if the schema allows";
                return deny(Reason::NumberOutOfRange, message.to_owned());
            }
            Ok(()) => {}
        }
        if let Err(faults) = case.cover.tool.input.check(case.call.arguments()) {
            return deny(Reason::ArgumentsInvalid, format!("the arguments do not fit the schema of `{tool}`\n{faults}"));
        }
        for (dimension, place) in &case.rule().manifest_tool.scope {
            let Some(kind) = case.cover.scope.kind(dimension) else { continue };
            let Some(found) = case.call.arguments().pointer(&place.argument) else { continue };
            for target in targets(found) {
                let fault = match target {
                    Some(text) => ScopeValue::parse(kind, &text).err().map(|fault| fault.to_string()),
                    None => Some("neither a text nor a whole number nor a list of these".to_owned()),
                };
                if let Some(fault) = fault {
                    return deny(Reason::ScopeMalformed, format!("at `{}`: {fault}", place.argument));
                }
            }
        }
        Finding::pass("the arguments fit the schema")
    }
}
